"""Inputs and outputs of many photos: folders, object stores, tar and zip files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wildsr.archive.address import Place, local, place_of, split_place
from wildsr.archive.ahead import Ahead
from wildsr.archive.container import Container, Sample, Slot, distinct
from wildsr.archive.manifest import failed
from wildsr.archive.shard import Shard
from wildsr.archive.store import Store, Stored
from wildsr.atomic import check_output
from wildsr.error import UserError
from wildsr.inference.packed import container_kind, each_tar, into, part_name
from wildsr.inference.tasks import Choice, Task, result_name, result_names, tasks
from wildsr.inference.work import Work
from wildsr.photo.folder import SUFFIXES, walk_images
from wildsr.photo.own_results import contains


def unzipped(output: str) -> str:
    """The file meant by ``zip://::FILE.zip``, and the path by the URL of a local one."""
    zipped = output.lower().endswith(".zip")
    return local(output.removeprefix("zip://::") if zipped else output)


def manifests_of(output: str) -> Place:
    """Where the manifests of an output are: in it, or beside it if it is a file."""
    output = unzipped(output)
    if container_kind(output) is None:
        return place_of(output, "output")
    folder, _ = split_place(output)
    return place_of(folder, "output")


def failed_of(source: str, output: str, shard: Shard) -> frozenset[str]:
    """The photos whose latest attempt at this output failed; of a tar or zip file, at this one.

    Raises:
        UserError: no manifest names any of its photos.
    """
    file, output = None, unzipped(output)
    if container_kind(output) is not None:
        own = output if source.lower().endswith(".tar") else part_name(output, shard)
        file = split_place(own)[1]
    return failed(manifests_of(output), file)


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
    below = results_below(source, output, "input")
    some = False
    for names in found:
        own = [name for name in names if below is None or not name.startswith(below)]
        some = some or bool(own)
        pairs = result_names(own, format)
        yield pairs if choice.all else [pair for pair in pairs if _posix(pair[0]) in choice]
    if not some:
        raise UserError(f"Argument `input`: {source} holds only results, in {output}.")


def results_below(photos: Place, output: Place | None, argument: str) -> str | None:
    """The path below a store of photos where their results go; None where that is elsewhere.

    Args:
        photos: the store.
        output: where the results go.
        argument: the user's name for the photos.

    Raises:
        UserError: they go to the photos, or to a folder that contains them.
    """
    if not (isinstance(photos, Store) and isinstance(output, Store)):
        return None
    if photos.kinds != output.kinds:
        return None
    if photos.root == output.root:
        raise UserError(f"Argument `output` must be another folder than the photos' ({photos}).")
    root, wanted = (f"{store.root.rstrip('/')}/" for store in (photos, output))
    if root.startswith(wanted):
        raise contains(output, argument)
    return wanted.removeprefix(root) if wanted.startswith(root) else None


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
    output = part_name(output, choice.shard)
    file = split_place(output)[1]

    def fill(container: Container) -> tuple[Iterable[Task], Callable[[], int], Callable[[], None]]:
        wanted = Choice(only=choice.only if container.again else None)

        def named() -> Iterator[list[tuple[str, str]]]:
            """The photos, with names that do not depend on which of them are wanted."""
            for pairs in _batches(given, None, format, Choice(choice.shard)):
                names = [(photo, container.name(_posix(result))) for photo, result in pairs]
                yield [pair for pair in names if _posix(pair[0]) in wanted]

        def task(names: tuple[str, str]) -> Task:
            photo = given / names[0] if isinstance(given, Path) else Stored(given, names[0])
            slot = Slot(container, names[1])
            return Task(photo, slot, _posix(names[0]), f"{file}/{names[1]}")

        todo = Ahead(named(), task)
        return todo, lambda: todo.found, todo.close

    yield from into(source, output, overwrite, fill, choice.only)


def _tars(
    source: str, output: str, format: str | None, choice: Choice, overwrite: bool
) -> Iterator[Work]:
    """Each tar file into one of its name."""

    def task_of(container: Container, sample: Sample) -> Iterator[Task]:
        photo = str(sample.photo)
        result = result_name(photo, format)
        if result != distinct(result, sample.others):
            result = distinct(photo + posixpath.splitext(result)[1], sample.others)
        key = container.key(sample.key, [result, *sample.others])
        result, *names = (key + name.removeprefix(sample.key) for name in (result, *sample.others))
        others = dict(zip(names, sample.others.values(), strict=True))
        yield Task(sample, Slot(container, result, others), photo, result)

    return each_tar(source, output, choice, overwrite, task_of)


def _posix(name: str) -> str:
    return name.replace(os.sep, "/")
