"""The page's temporary folder: readable by its owner only, removed however the server ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "wildsr-page-"
MARKER = "owner"
YOUNG = 600  # seconds for which a folder without its marker may still be in creation


@contextmanager
def scratch() -> Iterator[Path]:
    """Create a folder of mode 0700, removed at the end; first remove those of killed servers.

    A lock on a file in it shows that its server lives. The kernel drops the lock when the process
    ends, also by SIGKILL or a power cut. (A process id could be in use again, or belong to another
    container.)
    """
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    marker = os.open(folder / MARKER, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(marker)


def sweep() -> list[Path]:
    """Remove the folders of servers that are gone, except links and those of other users."""
    return [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _left_over(path)]


def _left_over(folder: Path) -> bool:
    """Remove one folder if its server is gone; whether it was."""
    with suppress(OSError):
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            marker = os.open(folder / MARKER, flags)
        except FileNotFoundError:  # killed before it was made, or just being made
            if time.time() - found.st_mtime < YOUNG:
                return False
            shutil.rmtree(folder)
            return True
        try:
            if not stat.S_ISREG(os.fstat(marker).st_mode):
                return False
            fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)  # follows no links
            return True
        finally:
            os.close(marker)
    return False
