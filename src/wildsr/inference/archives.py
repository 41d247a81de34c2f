"""Inputs and outputs of many photos: folders, object stores, tar and zip files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wildsr.archive.address import Place, is_url, open_stream, place_of, split_place
from wildsr.archive.ahead import Ahead
from wildsr.archive.container import KINDS, Container, Sample, Slot, samples, shards_of
from wildsr.archive.place import Scratch
from wildsr.archive.store import Store, Stored
from wildsr.atomic import Partial, check_output
from wildsr.error import UserError
from wildsr.inference.tasks import Choice, Task, result_name, result_names, tasks
from wildsr.photo.folder import SUFFIXES, walk_images


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
    """

    todo: Iterable[Task]
    output: Place | None
    name: str
    check: Callable[[], None]
    found: Callable[[], int]
    stop: Callable[[], None] = lambda: None
    apart: bool = True


def unzipped(output: str) -> str:
    """The file meant by ``zip://::FILE.zip``; other outputs as they are."""
    return output.removeprefix("zip://::") if output.lower().endswith(".zip") else output


def manifests_of(output: str) -> Place:
    """Where the manifests of an output are: in it, or beside it if it is a file."""
    output = unzipped(output)
    if container_kind(output) is None:
        return place_of(output, "output")
    folder, _ = split_place(output)
    return place_of(folder, "output")


@contextmanager
def works(
    source: str, output: str, format: str | None, choice: Choice, overwrite: bool
) -> Iterator[Iterator[Work]]:
    """The work to do, one output place after the other; each is yielded when the last is done.

    Args:
        source: a photo, a folder, an fsspec URL, a zip file, tar files (one, or a range such as
            ``photos-{0000..0099}.tar``).
        output: a folder, a file for one photo, a URL; a tar or zip file. Each input tar file
            becomes a tar file of the same name in the output.
        format: of the results.
        choice: which photos; of several tar files, whole files are chosen.
        overwrite: whether to write an existing tar or zip file again.

    Raises:
        UserError: an invalid input or output.
    """
    output = unzipped(output)
    if source.lower().endswith(".tar"):
        yield _tars(source, output, format, choice, overwrite)
    elif container_kind(output) is not None:
        yield _packed(source, output, format, choice, overwrite)
    else:
        yield iter([_plain(source, output, format, choice)])


def _plain(source: str, output: str, format: str | None, choice: Choice) -> Work:
    """Photos to files of their own."""
    given, wanted = place_of(source, "input"), place_of(output, "output")
    if isinstance(wanted, Store) and wanted.read_only:
        raise UserError(
            f"`output`: nothing can be written into {wanted} photo by photo; name a folder, s3://, "
            "gs://, sftp://, or a file NAME.zip or NAME.tar."
        )
    if isinstance(given, Path) and isinstance(wanted, Path):
        if not given.exists():
            raise UserError(f"`input`: {given} does not exist.")
        todo = tasks(given, wanted, format, choice)
        if isinstance(todo, list):
            folder = Path(str(todo[0].target)).parent if todo else wanted
            count = len(todo)
            return Work(todo, None, str(wanted), lambda: check_output(folder), lambda: count)
        return _streamed(todo, wanted)
    one = one_of_a_store(source) if isinstance(given, Store) else None
    if one is not None:
        store, name = one
        ((_, result),) = result_names([name], format)
        single = [Task(Stored(store, name), _target(wanted, result), name, result)]
        single = [task for task in single if task.input in choice]
        return Work(single, None, str(wanted), lambda: check_place(wanted), lambda: len(single))

    def task(names: tuple[str, str]) -> Task:
        photo = given / names[0] if isinstance(given, Path) else Stored(given, names[0])
        return Task(photo, _target(wanted, names[1]), _posix(names[0]), _posix(names[1]))

    return _streamed(Ahead(_batches(given, wanted, format, choice), task), wanted)


def _streamed(todo: Ahead[Task], output: Place) -> Work:
    return Work(
        todo, output, str(output), lambda: check_place(output), lambda: todo.found, todo.close
    )


def _target(place: Place, name: str) -> Path | Stored:
    return place / name if isinstance(place, Path) else Stored(place, _posix(name))


def check_place(output: Place) -> None:
    """See that results can be written."""
    if isinstance(output, Path):
        check_output(output)
    elif (reason := output.refusal()) is not None:
        raise UserError(f"`output`: nothing can be written into {output}: {reason}.")


def _batches(
    source: Place, output: Place | None, format: str | None, choice: Choice
) -> Iterator[list[tuple[str, str]]]:
    found = walk_images(source, "input") if isinstance(source, Path) else source.walk()
    below = None
    if isinstance(source, Store) and isinstance(output, Store) and source.kinds == output.kinds:
        if source.root == output.root:
            raise UserError(
                f"Argument `output` must be another folder than the photos' ({source})."
            )
        if output.root.startswith(f"{source.root}/"):
            below = f"{output.root.removeprefix(f'{source.root}/')}/"
    some = False
    for names in found:
        own = [name for name in names if below is None or not name.startswith(below)]
        some = some or bool(own)
        pairs = result_names(own, format)
        yield pairs if choice.all else [pair for pair in pairs if _posix(pair[0]) in choice]
    if not some:
        raise UserError(f"Argument `input`: {source} holds only results, in {output}.")


def one_of_a_store(url: str, argument: str = "input") -> tuple[Store, str] | None:
    """The store and the name of a single photo."""
    folder, name = posixpath.split(url)
    if "::" in url or posixpath.splitext(name)[1].lower() not in SUFFIXES:
        return None
    store = Store(folder, argument)
    return (store, name) if store.fs.isfile(store.path(name)) else None


def _packed(
    source: str, output: str, format: str | None, choice: Choice, overwrite: bool
) -> Iterator[Work]:
    """Photos into one tar or zip file; of several shards each has its own."""
    given = place_of(source, "input")
    if isinstance(given, Path) and not given.is_dir():
        raise UserError(f"`input` must be a folder for `output={output}`, but got {given}.")
    if choice.shard.count > 1:
        stem, kind = os.path.splitext(output)
        output = f"{stem}-{choice.shard.number}-of-{choice.shard.count}{kind}"

    def fill(container: Container) -> tuple[Iterable[Task], Callable[[], int], Callable[[], None]]:
        def task(names: tuple[str, str]) -> Task:
            name = container.name(_posix(names[1]))
            photo = given / names[0] if isinstance(given, Path) else Stored(given, names[0])
            return Task(photo, Slot(container, name), _posix(names[0]), name)

        todo = Ahead(_batches(given, None, format, choice), task)
        return todo, lambda: todo.found, todo.close

    yield from into(output, overwrite, fill)


def _tars(
    source: str, output: str, format: str | None, choice: Choice, overwrite: bool
) -> Iterator[Work]:
    """Each tar file into one of its name."""

    def task_of(container: Container, sample: Sample, tar: str) -> Iterator[Task]:
        result = result_name(str(sample.photo), format)
        slot = Slot(container, result, sample.others)
        yield Task(sample, slot, f"{tar}/{sample.photo}", f"{tar}/{result}")

    return each_tar(source, output, choice, overwrite, task_of)


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


Fill = Callable[[Container], tuple[Iterable[Task], Callable[[], int], Callable[[], None]]]


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


def _posix(name: str) -> str:
    return name.replace(os.sep, "/")
