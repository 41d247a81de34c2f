"""Processes for the rows of a benchmark, which end with the program that started them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from types import FrameType

LEAVE = 60.0  # seconds in which a training keeps what it has


@contextlib.contextmanager
def crew(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Start ``jobs`` processes; stop them where the block is left by an error or by SIGTERM.

    A training that is stopped keeps its last iteration, and goes on at the next call. Processes
    whose program was killed notice it within a second, so that none of them holds a run.
    """
    context = multiprocessing.get_context("spawn")
    before = signal.signal(signal.SIGTERM, _leave)
    pool = ProcessPoolExecutor(jobs, context, _watched, (os.getpid(),))
    try:
        yield pool
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        signal.signal(signal.SIGTERM, before)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _watched(parent: int) -> None:
    """End this process some time after ``parent``."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(LEAVE)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
