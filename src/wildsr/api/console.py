"""The console that the Python API prints progress and tables to."""

from __future__ import annotations

import sys

from rich.console import Console


def console_of(quiet: bool) -> Console:
    """Make a console that writes plain lines to standard output, or nothing if ``quiet``.

    Plain lines stay in a notebook's cell when it is saved; Rich's own widgets would not.
    """
    return Console(
        file=sys.stdout, highlight=False, soft_wrap=True, quiet=quiet, force_jupyter=False
    )
