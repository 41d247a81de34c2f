"""``python -m wildsr VERB key=value ...``, the same as ``wildsr VERB ...``."""

from wildsr.cli.main import main

if __name__ == "__main__":
    main()
