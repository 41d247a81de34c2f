"""The command line: run a verb; a user's error ends as one sentence."""

from __future__ import annotations

import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from wildsr import __version__
from wildsr.config import help
from wildsr.config.check import checked
from wildsr.config.choice import CONF
from wildsr.config.compose import verbs
from wildsr.config.quiet import quiet_libraries
from wildsr.config.trials import checked_sweep
from wildsr.error import UserError, unknown
from wildsr.run.saved import check_overrides, override_key, overrides_of

# Errors of disks and networks, reported in one line; all others are bugs and show a traceback.
OF_THE_SYSTEM = frozenset(
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO", "ESTALE", "ENODEV"),
        *("ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP", "EMFILE", "ENFILE", "ETIMEDOUT"),
    )
    if hasattr(errno, name)
)
Verb = Callable[[list[str], Console], int]


def run(verb: Verb, arguments: list[str]) -> int:
    """Run a verb; returns its exit code, 2 for a user's error."""
    for stream in (sys.stdout, sys.stderr):  # file names are bytes, not always valid text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    try:
        return verb(arguments, console)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + getattr(signal, "SIGPIPE", 13)
    except OSError as error:
        if error.errno not in OF_THE_SYSTEM:
            raise
        about = (
            f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        )
        print(f"error: {about}{error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 128 + signal.SIGINT


def main() -> None:
    """Entry point of ``wildsr VERB key=value ...``."""
    if "_ARGCOMPLETE" in os.environ:  # a completion request of the shell
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
    """Import and run the verb of this name; returns the exit code."""
    if any(a in ("-h", "--help") for a in arguments):
        _show(help.explain(CONF, verb, arguments))
        return 0
    # Before torch is imported: its threads spin while they wait for each other, and where another
    # program has one of the cores, an iteration of a small network then takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    def carry_out(arguments: list[str], console: Console) -> int:
        if verb == "sweep":  # without torch, as all that follows
            checked_sweep(arguments)
        else:
            checked(verb, with_saved(arguments) if verb == "train" else arguments)
        work: Verb = getattr(importlib.import_module(f"wildsr.cli.{verb}"), verb)
        with quiet_libraries():  # now: they set their levels when they are imported
            return work(arguments, console)

    return run(carry_out, arguments)


def with_saved(typed: list[str]) -> list[str]:
    """The overrides of ``train``; with ``resume=`` those saved in the run come first.

    If they cannot be read, the typed ones are returned: ``train`` itself reports what is wrong.

    Raises:
        UserError: the named run folder does not exist, or is not a run.
    """
    values = dict(word.split("=", 1) for word in typed if "=" in word)
    resume = values.get("resume", "null")
    if resume == "null":
        return typed
    named = Path(values.get("runs_dir", "runs")) / values.get("name", "")
    folder = (named if resume == "auto" else Path(resume)).expanduser()
    try:
        saved = overrides_of(folder)
    except UserError:
        if resume != "auto":
            raise
        return typed
    except (OSError, ValueError, RuntimeError):
        return typed
    try:
        check_overrides([o for o in saved if o not in typed], str(folder), "trust=true" in typed)
    except (OSError, ValueError, RuntimeError):  # a UserError, too
        return typed
    replaced = {override_key(word) for word in typed}  # a key that was taken away is away once
    return [*(word for word in saved if override_key(word) not in replaced), *typed]


def _show(text: str) -> None:
    """Print a page, of which `| head` may read the beginning only."""
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    print(text)
