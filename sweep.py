"""Search over settings of the main job: ``python sweep.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("sweep", sys.argv[1:]))
