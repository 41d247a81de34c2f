"""Signals that reach the processes that tests start."""

import contextlib
import signal

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]


@contextlib.contextmanager
def heard():
    """Let new processes be ended by signals that are ignored here.

    ``nohup`` and a shell's ``&`` have pytest ignore some, and what is ignored stays so in every
    process that it starts. A handler does not: so these get one that does nothing.
    """
    ignored = [number for number in ENDING if signal.getsignal(number) == signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, lambda *_: None)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
