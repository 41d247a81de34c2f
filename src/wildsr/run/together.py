"""Let several processes write parts of one output folder, all with the same settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wildsr.archive.shard import Shard
from wildsr.error import UserError
from wildsr.run.lock import Lock

FOLDER = ".locks"  # in the output: a lock for each part
PATIENCE = 120.0  # seconds that other processes may take to compare settings


@contextmanager
def writing_together(
    folder: Path, shard: Shard, settle: Callable[[Callable[[], None]], None]
) -> Iterator[None]:
    """Context in which this process alone writes its part of a folder of results.

    At the beginning, the processes compare settings one after the other, and each takes the lock of
    its part; a process whose part is already being written by another one stops.

    Args:
        folder: of the results; created.
        shard: the part.
        settle: checks that the folder was made with these settings, and records them if it is new.
            It gets a function that raises if another process works on any part, to be called before
            it changes settings that others may be using.

    Raises:
        UserError: another process writes this part; anything that ``settle`` raises; the folder
            cannot be written to.
    """
    places = folder / FOLDER
    try:
        places.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"Argument `output`: nothing can be written into {folder}: {error.strerror or error}."
        ) from error

    def alone() -> None:
        for place in sorted(places.iterdir()):
            if place.name not in ("settle", own):
                Lock(folder, "written", f"{FOLDER}/{place.name}").take().release()

    own = str(shard).replace("/", "-of-")
    lock = Lock(folder, "written", f"{FOLDER}/{own}")
    with Lock(folder, "settled", f"{FOLDER}/settle").take(PATIENCE):
        lock.take()
        try:
            settle(alone)
        except BaseException:
            lock.release()
            raise
    with lock:
        yield
