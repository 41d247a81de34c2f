"""Pair photos with result files; the search goes on while the first photos are upscaled."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from PIL import Image

from wildsr.archive.ahead import Ahead
from wildsr.archive.place import Source, Target
from wildsr.archive.shard import Shard
from wildsr.atomic import LONGEST
from wildsr.error import UserError, unknown
from wildsr.photo.encode import BECOME, FORMATS
from wildsr.photo.folder import list_images, walk_images
from wildsr.photo.own_results import Results, contains, within


@dataclass(frozen=True)
class Task:
    """One photo and the file for its result.

    Args:
        source: a file, or what can be fetched.
        target: a file, or what can be delivered.
        input: the photo's path below the input, with ``/``.
        output: the result's path below the output.
        seed: of what is drawn for it, where anything is.
    """

    source: Path | Source
    target: Path | Target
    input: str
    output: str
    seed: int | None = None


@dataclass(frozen=True)
class Choice:
    """The subset of photos to upscale.

    Args:
        shard: the part of all photos that this process takes.
        only: paths relative to the input; None for all.
    """

    shard: Shard = field(default_factory=Shard)
    only: frozenset[str] | None = None

    @property
    def all(self) -> bool:
        """Whether every photo is taken."""
        return self.only is None and self.shard.count == 1

    def __contains__(self, name: str) -> bool:
        return (self.only is None or name in self.only) and name in self.shard


def tasks(
    source: Path, output: Path, format: str | None, choice: Choice | None = None
) -> Ahead[Task] | list[Task]:
    """Find every photo below ``source`` and its result's file, at the same path below ``output``.

    Two photos that would make the same file (``a.jpg`` and ``a.png`` as PNG) keep their suffix
    (``a.jpg.png``). Photos below ``output`` are results and are left out. No photo is opened.

    Args:
        source: a folder, or one photo; then ``output`` may be a file.
        output: a folder, made when it is needed.
        format: of the results; None keeps the photos' own (BMP becomes PNG).
        choice: which photos; None for all.

    Returns:
        The tasks, to be iterated once; for a folder an :class:`~wildsr.archive.ahead.Ahead`, whose
        thread goes on searching meanwhile. If there are no photos, asking for the first task
        raises.

    Raises:
        UserError: no photos, or an output that would replace them.
    """
    single, choice = source.is_file(), choice or Choice()
    _check_name(output, single)
    if single:
        return _one(source, output, format, choice)
    if output.resolve() == source.resolve():
        raise UserError(f"Argument `output` must be another folder than the photos' ({source}).")
    if within(os.path.realpath(source), os.path.realpath(output)):
        raise contains(output, "input")

    def task(names: tuple[str, str]) -> Task:
        return Task(source / names[0], output / names[1], _posix(names[0]), _posix(names[1]))

    return Ahead(_batches(source, output, format, choice), task)


def _one(photo: Path, output: Path, format: str | None, choice: Choice) -> list[Task]:
    (photo,) = list_images(photo, "input")
    if FORMATS.get(output.suffix.lower().removeprefix(".")) and not output.is_dir():
        target = output
    elif output.resolve() == photo.parent.resolve():
        raise UserError(
            f"Argument `output` must be another folder than the photos' ({photo.parent})."
        )
    else:
        ((_, name),) = result_names([photo.name], format)
        target = output / name
    if photo.resolve() == target.resolve():
        raise UserError(f"Argument `output` must be another file than the photo ({photo}).")
    return [Task(photo, target, photo.name, target.name)] if photo.name in choice else []


def result_names(names: list[str], format: str | None) -> list[tuple[str, str]]:
    """Pair each photo of a folder with the name of its result, unique even regardless of case.

    Args:
        names: names of all photos of a folder, or their paths.
        format: of the results; None keeps the photos' own.

    Returns:
        (name of the photo, name of the result), in the order of ``names``.
    """
    wanted = [_plain(name, format) for name in names]
    lowered = [whole.lower() for _, whole in wanted]
    if len(set(lowered)) == len(names):
        return [(name, whole) for name, (_, whole) in zip(names, wanted, strict=True)]
    taken = Counter(lowered)
    used = {whole for whole, count in taken.items() if count == 1}
    found = []
    for name, (suffix, whole) in zip(names, wanted, strict=True):
        if taken[whole.lower()] > 1:
            whole, number = name + suffix, 2
            while whole.lower() in used:  # a.png and a.PNG, or a photo that is called a.jpg.png
                whole, number = f"{name}-{number}{suffix}", number + 1
            used.add(whole.lower())
        found.append((name, whole))
    return found


def result_name(name: str, format: str | None) -> str:
    """Name of a photo's result, when no other photo could get the same name."""
    return _plain(name, format)[1]


def _plain(name: str, format: str | None) -> tuple[str, str]:
    """The suffix of a photo's result, and its path with it."""
    stem, dot, own = name.rpartition(".")
    named = dot and os.path.basename(stem) and os.sep not in own  # neither .hidden nor a.b/photo
    own = own.lower() if named else ""
    if own.isdigit() or not own:  # DICOM files may have numeric suffixes or none
        return f".{format or 'dcm'}", f"{name}.{format or 'dcm'}"
    if format is None and own in FORMATS:
        return name[len(stem) :], name
    suffix = f".{format or BECOME.get('.' + own, 'png')}"
    if len(stem) * 4 + len(suffix) > LONGEST:
        folder, file = os.path.split(stem)
        while len(os.fsencode(file + suffix)) > LONGEST:  # .png that becomes .webp
            file = file[:-1]
        stem = os.path.join(folder, file)
    return suffix, stem + suffix


def _batches(
    root: Path, output: Path, format: str | None, choice: Choice
) -> Iterator[list[tuple[str, str]]]:
    """The chosen photos of each folder, with the names of their results.

    Names are made unique among all photos of a folder, whichever shard they belong to.
    """
    results, some = Results(output), False
    look = results.between(root)
    for names in walk_images(root, "input"):
        own = [name for name in names if root / name not in results] if look else names
        some = some or bool(own)
        pairs = result_names(own, format)
        yield pairs if choice.all else [pair for pair in pairs if _posix(pair[0]) in choice]
    if not some:
        raise UserError(f"Argument `input`: {root} holds only results, in {output}.")


def _posix(name: str) -> str:
    return name if os.sep == "/" else PurePosixPath(*name.split(os.sep)).as_posix()


def _check_name(output: Path, single: bool) -> None:
    """Refuse a new output folder whose name looks like a file's: a file was meant.

    Raises:
        UserError: it lists the formats that can be written.
    """
    suffix = output.suffix.lower()
    if output.is_dir() or suffix not in Image.registered_extensions():
        return
    if not single:
        raise UserError(f"Argument `output` must be a folder for several photos, but got {output}.")
    if suffix.removeprefix(".") not in FORMATS:
        raise unknown("Argument `output`: the suffix", suffix.removeprefix("."), FORMATS)
