"""What there is to do for one output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wildsr.archive.address import Place
from wildsr.inference.tasks import Task


@dataclass
class Work:
    """Photos whose results go to one place.

    Args:
        todo: the tasks; can be iterated once.
        output: where manifests go; None for a single photo.
        name: the output, for messages.
        check: checks that results can be written, before a network is opened.
        found: how many tasks are known so far.
        stop: stops the search for more.
        apart: whether each result is a separate file, which any process may write.
        source: of a tar or zip file, where its photos are.
        exists: whether it is a tar or zip file that exists.
        skipped: whether that is left as it is.
        complete: whether it is a tar or zip file that was made, and has its name.
    """

    todo: Iterable[Task]
    output: Place | None
    name: str
    check: Callable[[], None]
    found: Callable[[], int]
    stop: Callable[[], None] = lambda: None
    apart: bool = True
    source: str = ""
    exists: bool = False
    skipped: bool = False
    complete: bool = False
