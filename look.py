"""What photos went through, before any training: ``python look.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("look", sys.argv[1:]))
