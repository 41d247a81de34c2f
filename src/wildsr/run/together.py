"""Several processes in one output: each its part, all with the same settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wildsr.archive.shard import Shard
from wildsr.error import UserError
from wildsr.run.lock import Lock

FOLDER = ".locks"  # in the output: a lock for each part
PATIENCE = 120.0  # seconds that others may take to settle what is made


@contextmanager
def writing_together(
    folder: Path, shard: Shard, settle: Callable[[Callable[[], None]], None]
) -> Iterator[None]:
    """Within, this process alone makes its part of a folder of results.

    At the beginning, one process after the other settles what is made, and takes the lock of its
    part; who finds another process in the same part stops.

    Args:
        folder: of the results; made.
        shard: the part.
        settle: sees that the folder is one of these settings, and writes them down where it is new.
            Given a function that raises where another process is at work on any part: to be called
            before settings are changed that others may be working by.

    Raises:
        UserError: another process makes this part; whatever ``settle`` raises; the folder cannot
            be written to.
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
