"""Where Python users read what the verbs print."""

from __future__ import annotations

import sys

from rich.console import Console


def console_of(quiet: bool) -> Console:
    """Plain lines on standard output, which a notebook keeps; none where ``quiet``."""
    return Console(
        file=sys.stdout, highlight=False, soft_wrap=True, quiet=quiet, force_jupyter=False
    )
