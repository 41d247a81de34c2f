"""The command line: find the verb, carry it out, end a user's mistake as one sentence."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable

from rich.console import Console

from wildsr import __version__
from wildsr.config import help
from wildsr.config.compose import CONF, verbs
from wildsr.config.quiet import quiet_libraries
from wildsr.error import UserError, unknown

Verb = Callable[[list[str], Console], int]


def run(verb: Verb, arguments: list[str]) -> int:
    """Carry out a verb; its exit code, 2 for a user's mistake."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        with quiet_libraries():
            return verb(arguments, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 128 + signal.SIGINT


def main() -> None:
    """``wildsr VERB key=value ...``."""
    if "_ARGCOMPLETE" in os.environ:  # it is the shell that asks, what could stand here
        from wildsr.cli.completion import answer

        answer()
    typed = sys.argv[1:]
    if not typed or typed[0] in ("-h", "--help"):
        _show(help.overview(CONF))
        sys.exit(0 if typed else 2)
    if typed[0] == "--version":
        print(f"wildsr {__version__}")
        sys.exit(0)
    if typed[0] == "completion":
        from wildsr.cli.completion import completion

        sys.exit(run(completion, typed[1:]))
    if typed[0] not in verbs():
        error = unknown("The verb of `wildsr`", typed[0], verbs())
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(start(typed[0], typed[1:]))


def start(verb: str, arguments: list[str]) -> int:
    """Import and carry out the verb of this name."""
    if any(a in ("-h", "--help") for a in arguments):
        _show(help.explain(CONF, verb, arguments))
        return 0
    # Before torch is imported: its threads spin while they wait for each other, and where another
    # program has one of the cores, an iteration of a small network then takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    carry_out: Verb = getattr(importlib.import_module(f"wildsr.cli.{verb}"), verb)
    return run(carry_out, arguments)


def _show(text: str) -> None:
    """Print a page, of which `| head` may read the beginning only."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(text)
