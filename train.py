"""Learn how photos were degraded, and train an upscaler for them: ``python train.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("train", sys.argv[1:]))
