"""Upscale photos, folders of photos and videos: ``python upscale.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("upscale", sys.argv[1:]))
