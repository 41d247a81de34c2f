"""Try upscalers on a page in the browser: ``python app.py --help``."""

import sys

from wildsr.cli.main import start

if __name__ == "__main__":
    sys.exit(start("app", sys.argv[1:]))
