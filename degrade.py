"""Make LR photos of sharp ones as a run has learned it: ``python degrade.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("degrade", sys.argv[1:]))
