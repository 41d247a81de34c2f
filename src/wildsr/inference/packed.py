"""Tar and zip files as inputs and outputs: each is read as a stream, and written as a whole."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from wildsr.archive.address import (
    Place,
    is_url,
    local,
    open_stream,
    place_of,
    same_file,
    split_place,
)
from wildsr.archive.container import KINDS, Container, Sample, samples, shards_of
from wildsr.archive.place import Scratch
from wildsr.archive.shard import Shard
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
    tasks_of: Callable[[Container, Sample], Iterator[Task]],
    argument: str = "input",
) -> Iterator[Work]:
    """Read tar files one after the other, each into one of its name.

    Args:
        source: a tar file, or several by braces.
        output: a tar file, or a folder for several.
        choice: of the files and of the photos in them.
        overwrite: whether to make those again that exist.
        tasks_of: from the result and a sample with a photo to the tasks.
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
            read = _Samples(stream, last, split_place(target)[1], only, tasks_of)
            yield from into(name, target, overwrite, read.into, only)


class _Samples:
    """The samples of one tar file as tasks; what has no photo is copied as it is.

    Args:
        stream: the tar file.
        name: its name.
        result: that of the tar file for the results.
        only: photos to take if the result keeps what it had, with the name of their tar file.
        tasks_of: the tasks of a sample with a photo.
    """

    def __init__(
        self,
        stream: IO[bytes],
        name: str,
        result: str,
        only: frozenset[str] | None,
        tasks_of: Callable[[Container, Sample], Iterator[Task]],
    ) -> None:
        self.stream, self.name, self.result, self.only = stream, name, result, only
        self.tasks_of, self.count = tasks_of, 0

    def into(
        self, container: Container
    ) -> tuple[Iterable[Task], Callable[[], int], Callable[[], None]]:
        """Tasks that fill a container."""
        return self._tasks(container), lambda: self.count, lambda: None

    def _tasks(self, container: Container) -> Iterator[Task]:
        only = self.only if container.again else None
        for sample in samples(self.stream, self.name):
            if sample.photo is None:
                key = container.key(sample.key, sample.others)
                for name, data in sample.others.items():
                    called = key + name.removeprefix(sample.key)
                    if not container.had(called):
                        container.add(called, data)
                continue
            for task in self.tasks_of(container, sample):
                named = f"{self.name}/{task.input}"
                if only is None or named in only:
                    self.count += 1
                    yield replace(task, input=named, output=f"{self.result}/{task.output}")


def into(
    source: str, output: str, overwrite: bool, fill: Fill, only: frozenset[str] | None = None
) -> Iterator[Work]:
    """One container, which has its name when it is whole; nothing where it exists.

    Args:
        source: where the photos are.
        output: the container.
        overwrite: whether one that exists is made again.
        fill: from the container to its tasks, how many are known, and what stops the search.
        only: the photos to try again; one that exists keeps its other members then. None for all.

    Raises:
        UserError: it would take the place of the photos.
    """
    if same_file(source, output):
        raise UserError(f"Argument `output` must be another file than the photos' ({source}).")
    folder, name = split_place(output)
    place = place_of(folder, "output")
    there = (place / name).exists() if isinstance(place, Path) else place.exists(name)
    work = Work([], place, output, lambda: None, lambda: 0, apart=False)
    work.source, work.exists = source, there
    if (there and not overwrite and only is None) or (only is not None and not only):
        work.skipped = there and only is None
        yield work
        return
    with _written(place, name, there, there and only is not None) as container:
        work.todo, work.found, work.stop = fill(container)
        yield work
    work.complete = not (there and container.empty)


@contextmanager
def _written(place: Place, name: str, there: bool, keep: bool) -> Iterator[Container]:
    """A container that gets its name at the end of the block, unless that would lose everything.

    Args:
        place: its folder.
        name: of the file.
        there: whether it exists; it is not replaced by one without members.
        keep: whether the members that it has are kept.
    """
    kind = os.path.splitext(name)[1].lower()
    with closing(Scratch()) as scratch:
        if isinstance(place, Path):
            partial = Partial(place / name)
            path, earlier, discard = partial.path, place / name, partial.discard
            complete = partial.keep
        else:
            path, earlier = scratch.folder / f"made{kind}", scratch.folder / name
            complete, discard = lambda: place.deliver(path, name), lambda: None
        try:
            if keep and not isinstance(place, Path):
                place.fetch(name, earlier)
            container = Container(path, kind, earlier if keep else None)
            yield container
            container.close()
        except BaseException:
            discard()
            raise
        if there and container.empty:
            discard()
        else:
            complete()


def part_name(output: str, shard: Shard) -> str:
    """The tar or zip file of a shard, of which each has its own."""
    if shard.count == 1:
        return output
    stem, kind = os.path.splitext(output)
    return f"{stem}-{shard.number}-of-{shard.count}{kind}"


def container_kind(output: str) -> str | None:
    """The suffix of a file of many photos; None for a folder."""
    output = local(output)
    suffix = os.path.splitext(output.rstrip("/"))[1].lower()
    folder = not is_url(output) and Path(output).expanduser().is_dir()
    return suffix if suffix in KINDS and not folder else None
