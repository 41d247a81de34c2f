"""Search a large tree for photos: say that it goes on, and stay out of virtual file systems."""

from __future__ import annotations

import logging
import os
import re
import time
from functools import lru_cache
from pathlib import Path

LOG = logging.getLogger("wildsr.photo")
SOON = 2.0  # seconds of searching after which a line says so
RARER = 3  # each next line comes after so many times the seconds
MOUNTS = Path("/proc/self/mountinfo")
# File systems of Linux that hold no files of anybody's, but the kernel's.
VIRTUAL = frozenset(
    (
        *("binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devfs"),
        *("devpts", "devtmpfs", "efivarfs", "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc"),
        *("pstore", "rpc_pipefs", "securityfs", "selinuxfs", "sysfs", "tracefs"),
    )
)


class Searching:
    """Prints from time to time how far the search for photos has come.

    Args:
        root: the folder.
        argument: the user's name for it.
    """

    def __init__(self, root: Path, argument: str) -> None:
        self.root, self.argument = root, argument
        self.photos = self.folders = 0
        self.next, self.since = SOON, time.monotonic()

    def tick(self) -> None:
        """Print a line if it is time."""
        if time.monotonic() - self.since < self.next:
            return
        LOG.warning(
            "`%s`: still looking through %s: %d photo%s in %d folder%s so far",
            *(self.argument, self.root, self.photos, "s" * (self.photos != 1)),
            *(self.folders, "s" * (self.folders != 1)),
        )
        self.next *= RARER

    def hand_over(self) -> None:
        """Photos went on to be worked with, which is seen: what counts is the time until the next.

        ``next`` stays, so that lines get no more frequent.
        """
        self.since = time.monotonic()


@lru_cache(maxsize=1)
def _mounts() -> dict[str, str]:
    """The type of the file system at each mount point; empty where the system does not say."""
    try:
        lines = MOUNTS.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        before, _, after = line.partition(" - ")
        place = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), before.split(" ")[4])
        found[place] = after.split(" ")[0]
    return found


def virtual_below(folder: str) -> list[str]:
    """Real paths of the virtual file systems below a folder, but for those within another.

    Args:
        folder: its real path.

    Returns:
        Sorted.
    """
    start, found = folder.rstrip(os.sep) + os.sep, list[str]()
    for place in sorted(place for place, kind in _mounts().items() if kind in VIRTUAL):
        if place.startswith(start) and not any(place.startswith(f"{o}{os.sep}") for o in found):
            found.append(place)
    return found


def virtual_around(folder: str) -> str | None:
    """The type of the virtual file system that a folder is in; None if it is in another.

    Args:
        folder: its real path.
    """
    mounts = _mounts()
    while folder not in mounts:
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return mounts[folder] if mounts[folder] in VIRTUAL else None
