"""Hand a trained upscaler over to other tools: ``python export.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("export", sys.argv[1:]))
