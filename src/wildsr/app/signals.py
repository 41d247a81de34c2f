"""Signals that stop the page, and the clean-up after them."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(SystemExit):
    """A signal to stop outside of :func:`serve`; the exit code is the shell's for it."""


@contextlib.contextmanager
def tidy_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise an exception, so that temporary files are removed."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(128 + number)

    before = {
        one: signal.signal(one, stop)
        for one in SIGNALS
        if one != signal.SIGINT and signal.getsignal(one) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
