"""Say how good upscalers are on photos: ``python evaluate.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("evaluate", sys.argv[1:]))
