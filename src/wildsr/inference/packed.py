"""Tar and zip files as inputs and outputs: each is read as a stream, and written as a whole."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from wildsr.archive.address import is_url, open_stream, place_of, split_place
from wildsr.archive.container import KINDS, Container, Sample, samples, shards_of
from wildsr.archive.place import Scratch
from wildsr.atomic import Partial
from wildsr.error import UserError
from wildsr.inference.tasks import Choice, Task
from wildsr.inference.work import Work

Fill = Callable[[Container], tuple[Iterable[Task], Callable[[], int], Callable[[], None]]]


def each_tar(
    source: str,
    output: str,
    choice: Choice,
    overwrite: bool,
    tasks_of: Callable[[Container, Sample, str], Iterator[Task]],
    argument: str = "input",
) -> Iterator[Work]:
    """Read tar files one after the other, each into one of its name.

    Args:
        source: a tar file, or several by braces.
        output: a tar file, or a folder for several.
        choice: of the files and of the photos in them.
        overwrite: whether to make those again that exist.
        tasks_of: from the result, a sample with a photo and the name of its tar file to the tasks.
        argument: what messages call ``source``.

    Raises:
        UserError: one file for several; a file that cannot be read.
    """
    names = shards_of(source)
    packed = container_kind(output) is not None
    if packed and len(names) > 1:
        raise UserError(f"`output` must be a folder for {len(names)} tar files, but got {output}.")
    for name in names:
        last = posixpath.basename(name.replace(os.sep, "/"))
        if last not in choice.shard:
            continue
        only = choice.only
        if only is not None and not any(each.startswith(f"{last}/") for each in only):
            continue
        target = output if packed else f"{output.rstrip('/')}/{last}"
        with open_stream(name, argument) as stream:
            read = _Samples(stream, last, tasks_of)
            yield from into(target, overwrite or only is not None, read.into)


class _Samples:
    """The samples of one tar file as tasks; what has no photo is copied as it is."""

    def __init__(
        self,
        stream: IO[bytes],
        name: str,
        tasks_of: Callable[[Container, Sample, str], Iterator[Task]],
    ) -> None:
        self.stream, self.name, self.tasks_of, self.count = stream, name, tasks_of, 0

    def into(
        self, container: Container
    ) -> tuple[Iterable[Task], Callable[[], int], Callable[[], None]]:
        """Tasks that fill a container."""
        return self._tasks(container), lambda: self.count, lambda: None

    def _tasks(self, container: Container) -> Iterator[Task]:
        for sample in samples(self.stream, self.name):
            if sample.photo is None:
                for name, data in sample.others.items():
                    container.add(name, data)
                continue
            for task in self.tasks_of(container, sample, self.name):
                self.count += 1
                yield task


def into(output: str, overwrite: bool, fill: Fill) -> Iterator[Work]:
    """One container, which has its name when it is whole; nothing where it exists."""
    kind = container_kind(output) or ".tar"
    folder, name = split_place(output)
    place = place_of(folder, "output")
    there = (place / name).exists() if isinstance(place, Path) else place.exists(name)
    if there and not overwrite:
        yield Work([], place, output, lambda: None, lambda: 0, apart=False)
        return
    if isinstance(place, Path):
        partial = Partial(place / name)
        path = partial.path
        ended: tuple[Callable[[], None], Callable[[], None]] = (partial.keep, partial.discard)
    else:
        store, scratch = place, Scratch()
        path = scratch.folder / name
        ended = (lambda: store.deliver(path, name), lambda: None)
    container = Container(path, kind)
    todo, found, stop = fill(container)
    try:
        yield Work(todo, place, output, lambda: None, found, stop, apart=False)
        container.close()
    except BaseException:
        ended[1]()
        raise
    else:
        ended[0]()
    finally:
        if not isinstance(place, Path):
            scratch.close()


def container_kind(output: str) -> str | None:
    """The suffix of a file of many photos; None for a folder."""
    suffix = os.path.splitext(output.rstrip("/"))[1].lower()
    folder = not is_url(output) and Path(output).expanduser().is_dir()
    return suffix if suffix in KINDS and not folder else None
