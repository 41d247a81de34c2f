"""Upscale a folder of photos: list the tasks, carry them out, report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from wildsr.atomic import LONGEST, refusal
from wildsr.error import UserError, first_line, unknown
from wildsr.inference.file import Settings, Upscaling
from wildsr.inference.samples import by_samples, upscale_samples
from wildsr.inference.strips import strips, together
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.encode import FORMATS
from wildsr.photo.folder import without_results
from wildsr.photo.image import UnreadableImage, list_images
from wildsr.photo.rows import Array
from wildsr.photo.stream import Photo, size_of

ROOM = 1 << 20  # bytes that must find room, or no photo will


@dataclass(frozen=True)
class Task:
    """One photo and its target file; its size where its header can be read."""

    source: Path
    target: Path
    size: tuple[int, int] | None

    @property
    def pixels(self) -> int:
        """The number of pixels of the photo."""
        return self.size[0] * self.size[1] if self.size else 0


@dataclass
class Outcome:
    """The result of a job."""

    done: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)
    pixels: int = 0  # of the network's output
    seconds: float = 0.0


def tasks(source: Path, output: Path, format: str | None) -> list[Task]:
    """List every photo below ``source`` with its target, the same path below ``output``.

    Two photos that would make the same file (``a.jpg`` and ``a.png`` as PNG) keep their suffix
    (``a.jpg.png``). Photos below ``output`` are left out: they are results.

    Args:
        source: a folder, or one photo; then ``output`` may be a file.
        output: a folder, made when it is needed.
        format: of the results; None keeps the photos' own (BMP becomes PNG).

    Raises:
        UserError: no photos, or an output that would replace them.
    """
    photos = list_images(source, "input")
    single = source.is_file()
    _check_name(output, single)
    if single and FORMATS.get(output.suffix.lower().removeprefix(".")) and not output.is_dir():
        targets = [output]
    else:
        inside = output.resolve()
        photos = photos if single else without_results(photos, output)
        root = source.parent if single else source
        if inside == root.resolve():
            raise UserError(f"Argument `output` must be another folder than the photos' ({root}).")
        if not photos:
            raise UserError(f"Argument `input`: {source} holds only results, in {output}.")
        targets = _targets([path.relative_to(root) for path in photos], output, format)
    for path, target in zip(photos, targets, strict=True):
        if path.resolve() == target.resolve():
            raise UserError(f"Argument `output` must be another file than the photo ({path}).")
    return [Task(p, t, size_of(p)) for p, t in zip(photos, targets, strict=True)]


def _check_name(output: Path, single: bool) -> None:
    """Refuse a new folder that is called like a file: it was meant as one.

    Raises:
        UserError: naming the formats that there are.
    """
    suffix = output.suffix.lower()
    if output.is_dir() or suffix not in Image.registered_extensions():
        return
    if not single:
        raise UserError(f"Argument `output` must be a folder for several photos, but got {output}.")
    if suffix.removeprefix(".") not in FORMATS:
        raise unknown("Argument `output`: the suffix", suffix.removeprefix("."), FORMATS)


def _targets(names: list[Path], output: Path, format: str | None) -> list[Path]:
    def plain(name: Path) -> Path:
        kept = name.suffix.lower().removeprefix(".") in FORMATS and format is None
        suffix = name.suffix if kept else f".{format or 'png'}"
        stem = name.stem
        while len(os.fsencode(stem + suffix)) > LONGEST:  # .png that becomes .webp
            stem = stem[:-1]
        return name.with_name(stem + suffix)

    wanted = [plain(name) for name in names]
    taken: dict[str, int] = {}
    for name in wanted:
        taken[str(name).lower()] = taken.get(str(name).lower(), 0) + 1
    return [
        output
        / (want if taken[str(want).lower()] == 1 else name.with_name(name.name + want.suffix))
        for name, want in zip(names, wanted, strict=True)
    ]


def carry_out(
    upscaler: Upscaler,
    todo: list[Task],
    settings: Settings,
    overwrite: bool = False,
    progress: Callable[[int], None] = lambda pixels: None,
    say: Callable[[str], None] = lambda line: None,
) -> Outcome:
    """Upscale all photos; one that fails is noted and the others go on.

    The file of one photo is encoded while the next is computed, and that after it is read.

    Args:
        upscaler: the network.
        todo: of :func:`tasks`.
        settings: how results are written.
        overwrite: replace files that exist, instead of skipping their photos.
        progress: called with the pixels of photos that are done since the last call.
        say: called with a line for each failure.
    """
    outcome, begun = Outcome(), time.perf_counter()
    waiting: list[tuple[Task, Upscaling]] = []
    opened: list[tuple[Task, Upscaling]] = []

    def failed(task: Task, error: Exception) -> None:
        reason = error.reason if isinstance(error, UnreadableImage) else first_line(error)
        outcome.failed.append((task.source, reason))
        say(f"{task.source}: {reason}")
        folder = task.target.parent
        if not isinstance(error, UnreadableImage) and (why := refusal(folder, ROOM)) is not None:
            raise UserError(
                f"Nothing more can be written into {folder}: {why}. {len(outcome.done)} upscaled "
                f"photos are there and whole; the same command makes the other "
                f"{len(todo) - len(outcome.done) - len(outcome.skipped)}."
            ) from error

    def finish() -> None:
        for task, upscaling in waiting:
            try:
                upscaling.finish()
            except Exception as error:  # whatever a photo raises costs that photo only
                failed(task, error)
                continue
            outcome.done.append(task.target)
            outcome.pixels += upscaling.size[0] * upscaling.size[1]
        waiting.clear()

    try:
        for group in _groups(todo, upscaler):
            opened = []
            for task in group:
                if task.target.exists() and not overwrite:
                    outcome.skipped.append(task.target)
                    progress(task.pixels)
                    continue
                try:
                    if by_samples(upscaler, task.source, settings.limit):
                        place = upscaler, task.source, task.target
                        width, height = upscale_samples(*place, *settings.of_samples)
                        outcome.done.append(task.target)
                        outcome.pixels += width * height
                        progress(task.pixels)
                        continue
                    photo = Photo(task.source, settings.limit)
                    opened.append((task, Upscaling(photo, task.target, upscaler.scale, settings)))
                except Exception as error:
                    failed(task, error)
                    progress(task.pixels)
            for some in _alike(opened):
                computed: list[tuple[Task, Upscaling]] = []
                some, images = _together(some, failed, progress)
                try:
                    _compute(upscaler, some, images, progress)
                    computed = some
                except Exception as error:
                    for task, upscaling in some:
                        upscaling.abandon()
                        failed(task, error)
                finish()  # of those before, which were encoded meanwhile
                waiting.extend(computed)
        finish()
    except BaseException:
        for _, upscaling in [*waiting, *opened]:
            upscaling.abandon()
        raise
    outcome.seconds = time.perf_counter() - begun
    return outcome


def _groups(todo: list[Task], upscaler: Upscaler) -> Iterator[list[Task]]:
    """One photo after the other; small ones of one size together, where tiles are computed so."""
    if upscaler.together == 1:
        yield from ([task] for task in todo)
        return
    groups: dict[object, list[Task]] = {}
    for number, task in enumerate(todo):
        small = task.size is not None and max(task.size) <= upscaler.side
        groups.setdefault(task.size if small else number, []).append(task)
    for group in groups.values():
        for start in range(0, len(group), upscaler.together):
            yield group[start : start + upscaler.together]


def _alike(opened: list[tuple[Task, Upscaling]]) -> list[list[tuple[Task, Upscaling]]]:
    """Those of one kind (gray, colour, alpha, 8 or 16 bits in and out) together."""
    kinds: dict[object, list[tuple[Task, Upscaling]]] = {}
    for task, upscaling in opened:
        rows = upscaling.rows
        size = (rows.height, rows.width, rows.channels)
        kind = (*size, rows.dtype, upscaling.between, upscaling.planned.dtype)
        kinds.setdefault(kind, []).append((task, upscaling))
    return list(kinds.values())


def _together(
    some: list[tuple[Task, Upscaling]],
    failed: Callable[[Task, Exception], None],
    progress: Callable[[int], None],
) -> tuple[list[tuple[Task, Upscaling]], list[Array]]:
    """Those of several photos that can be read, and their pixels; of one, nothing is read yet."""
    if len(some) == 1:
        return some, []
    sound, images = [], []
    for task, upscaling in some:
        try:
            images.append(upscaling.rows.read(upscaling.rows.height))
            sound.append((task, upscaling))
        except Exception as error:  # its own, and none of the others'
            upscaling.abandon()
            failed(task, error)
            progress(task.pixels)
    return sound, images


def _compute(
    upscaler: Upscaler,
    some: list[tuple[Task, Upscaling]],
    images: list[Array],
    progress: Callable[[int], None],
) -> None:
    if not images and some:
        before = 0

        def advance(done: int, _: int) -> None:
            nonlocal before
            progress(done // upscaler.scale**2 - before)
            before = done // upscaler.scale**2

        one = some[0][1]
        depth = one.planned.dtype
        one.compute(lambda rows, dtype: strips(upscaler, rows, dtype, advance, depth))
        return
    if not some:
        return
    first = some[0][1]
    results = together(upscaler, images, first.between, first.planned.dtype)
    for (task, upscaling), result in zip(some, results, strict=True):
        upscaling.compute(lambda rows, dtype, result=result: [result])  # type: ignore[misc]
        progress(task.pixels)
