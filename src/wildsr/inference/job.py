"""Upscale many photos; a failure costs only its photo, and every outcome is noted."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from wildsr.archive.manifest import Entry, Notes, digest
from wildsr.archive.place import Scratch, Target
from wildsr.atomic import refusal
from wildsr.error import UserError, first_line
from wildsr.inference.file import Upscaling, begin
from wildsr.inference.raster import RasterUpscaling
from wildsr.inference.settings import Settings
from wildsr.inference.strips import strips, together
from wildsr.inference.tasks import Task
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.image import UnreadableImage
from wildsr.photo.rows import Array
from wildsr.photo.stream import size_of

ROOM = 1 << 20  # bytes of disk space below which the job ends
SAID = 1000  # failures that are listed at the end; the manifest has all
LOOK = 16  # batches among whose photos those of one size are collected
ALMOST = 0.99  # progress of a photo that is computed but not yet encoded
AT_ONCE = 8  # photos that are fetched, or delivered, at the same time


@dataclass
class Outcome:
    """The result of a job: numbers of photos upscaled, skipped (done before), and failed.

    Attributes:
        reasons: (photo, reason) of the first failures.
        pixels: of the network's output.
        seconds: elapsed.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    reasons: list[tuple[str, str]] = field(default_factory=list)
    pixels: int = 0
    seconds: float = 0.0

    def __add__(self, other: Outcome) -> Outcome:
        """The outcome of both jobs together."""
        return Outcome(
            self.done + other.done,
            self.skipped + other.skipped,
            self.failed + other.failed,
            [*self.reasons, *other.reasons][:SAID],
            self.pixels + other.pixels,
            self.seconds + other.seconds,
        )


@dataclass
class _Ready:
    """A photo whose file is here, and the share of its work that has been shown."""

    task: Task
    path: Path
    shown: float = 0.0


_Opened = tuple[_Ready, Upscaling | RasterUpscaling, float]  # and when it was opened


def carry_out(
    upscaler: Upscaler | Callable[[], Upscaler],
    todo: Iterable[Task],
    settings: Settings,
    overwrite: bool = False,
    progress: Callable[[float, int], None] = lambda photos, pixels: None,
    say: Callable[[str], None] = lambda line: None,
    manifest: Notes | None = None,
) -> Outcome:
    """Upscale all photos; one that fails is noted and the others go on.

    While one photo is computed, the file of the previous one is encoded and the next one is read.
    Remote photos are fetched, and results delivered, meanwhile, eight at the same time.

    Args:
        upscaler: the network; or a function that opens it, called when the first photo without a
            result is found.
        todo: from :func:`~wildsr.inference.tasks.tasks`; asked for the next when its turn comes.
        settings: how results are written.
        overwrite: replace existing files instead of skipping their photos.
        progress: called with what was done since the last call: photos (also fractions; failed and
            skipped ones count) and pixels of the network's output.
        say: called with a line for each failure.
        manifest: records the outcome of each photo; None: no record.

    Raises:
        UserError: nothing more can be written.
    """
    job, begun = _Job(settings, overwrite, progress, say, manifest), time.perf_counter()
    try:
        job.work(upscaler, todo)
    finally:
        job.close()
    job.outcome.seconds = time.perf_counter() - begun
    return job.outcome


class _Job:
    """A :func:`carry_out` in progress."""

    def __init__(
        self,
        settings: Settings,
        overwrite: bool,
        progress: Callable[[float, int], None],
        say: Callable[[str], None],
        manifest: Notes | None,
    ) -> None:
        self.settings, self.overwrite = settings, overwrite
        self.progress, self.say, self.manifest = progress, say, manifest
        self.outcome = Outcome()
        self.scratch = Scratch()
        self.pool = ThreadPoolExecutor(AT_ONCE)  # starts threads when it is given something
        self.encoding: list[_Opened] = []
        self.delivering: deque[tuple[_Ready, Entry, Future[None]]] = deque()  # in this order

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)
        self.scratch.close()

    def work(self, upscaler: Upscaler | Callable[[], Upscaler], todo: Iterable[Task]) -> None:
        arrivals = self._arrivals(todo)
        first = next(arrivals, None)
        if first is None:
            return
        self.upscaler = upscaler if isinstance(upscaler, Upscaler) else upscaler()
        opened: list[_Opened] = []
        try:
            for group in _groups(itertools.chain([first], arrivals), self.upscaler):
                opened = []
                for ready in group:
                    try:
                        target = self.scratch.target(ready.task.target)
                        upscaling = begin(self.upscaler, ready.path, target, self.settings)
                        opened.append((ready, upscaling, time.perf_counter()))
                    except Exception as error:
                        self._failed(ready, error)
                for some in _alike(opened):
                    computed = self._computed(some)
                    self._finish()  # those before, which were encoded meanwhile
                    self.encoding.extend(computed)
            self._finish()
            self._delivered(0)
        except BaseException:
            for _, upscaling, _ in [*self.encoding, *opened]:
                upscaling.abandon()
            raise

    def _arrivals(self, todo: Iterable[Task]) -> Iterator[_Ready]:
        """Photos without a result, when their files are here."""
        waiting: deque[tuple[Task, Future[Path | None]]] = deque()
        for task in todo:
            if isinstance(task.source, Path) and isinstance(task.target, Path):
                yield from self._arrived(task, self._arrive, task)
                continue
            waiting.append((task, self.pool.submit(self._arrive, task)))
            while len(waiting) >= AT_ONCE:
                first, future = waiting.popleft()
                yield from self._arrived(first, future.result)
        while waiting:
            first, future = waiting.popleft()
            yield from self._arrived(first, future.result)

    def _arrive(self, task: Task) -> Path | None:
        """The photo's file; None where its result exists.

        Raises:
            Exception: it cannot be fetched, or would be replaced by its own result.
        """
        if task.target.exists():
            if not self.overwrite:
                return None
            both = isinstance(task.source, Path) and isinstance(task.target, Path)
            if both and os.path.samefile(str(task.source), str(task.target)):
                raise UserError(f"`output`: its result, {task.target}, would replace it.")
        return self.scratch.source(task.source)

    def _arrived(
        self, task: Task, arrive: Callable[..., Path | None], *given: Task
    ) -> Iterator[_Ready]:
        try:
            path = arrive(*given)
        except Exception as error:
            self._failed(_Ready(task, Path()), error)
            return
        if path is not None:
            yield _Ready(task, path)
            return
        self.outcome.skipped += 1
        if self.manifest is not None:
            self.manifest.found(task.input, task.output)
        self.progress(1.0, 0)

    def _failed(self, ready: _Ready, error: Exception) -> None:
        """Note a photo that failed.

        Raises:
            UserError: no other one could be written either.
        """
        task = ready.task
        reason = error.reason if isinstance(error, UnreadableImage) else first_line(error)
        self.outcome.failed += 1
        if len(self.outcome.reasons) < SAID:
            self.outcome.reasons.append((str(task.source), reason))
        self.say(f"{task.source}: {reason}")
        self._show(ready, 1.0)
        if ready.path != Path():
            self.scratch.forget(ready.path, task.source)
        place = task.target.parent if isinstance(task.target, Path) else task.target
        if not isinstance(error, UnreadableImage):
            why = refusal(place, ROOM) if isinstance(place, Path) else place.refusal()
            if why is not None:
                raise UserError(
                    f"Nothing more can be written into {place}: {why}. {self.outcome.done} "
                    "upscaled photos are there and whole; the same command makes the others."
                ) from error
        if self.manifest is not None:
            self.manifest.add(Entry(task.input, task.output, error=reason))

    def _finish(self) -> None:
        """Wait for the encoders, and have what they made delivered."""
        encoding, self.encoding = self.encoding, []
        for place, (ready, upscaling, begun) in enumerate(encoding):
            try:
                upscaling.finish()
                task, size = ready.task, upscaling.size
                noted = None if self.manifest is None else digest(upscaling.target)
                seconds = time.perf_counter() - begun
                by = self.upscaler.means
                entry = Entry(task.input, task.output, noted, seconds, by=by)
            except Exception as error:  # any error concerns this photo only
                self.encoding = encoding[place + 1 :]
                self._failed(ready, error)
                continue
            self.outcome.pixels += size[0] * size[1]
            self.scratch.forget(ready.path, task.source)
            if isinstance(task.target, Path):
                self._done(ready, entry)
                continue
            future = self.pool.submit(self._deliver, task.target, upscaling.target)
            self.delivering.append((ready, entry, future))
            self._delivered(AT_ONCE if task.target.at_once else 0)
        self.encoding = []

    def _deliver(self, target: Target, made: Path) -> None:
        try:
            target.deliver(made)
        finally:
            self.scratch.forget(made, target)

    def _delivered(self, most: int) -> None:
        """Wait until at most so many results are on their way."""
        while len(self.delivering) > most:
            ready, entry, future = self.delivering.popleft()
            try:
                future.result()
            except Exception as error:
                self._failed(ready, error)
                continue
            self._done(ready, entry)

    def _done(self, ready: _Ready, entry: Entry) -> None:
        self.outcome.done += 1
        self._show(ready, 1.0)
        if self.manifest is not None:
            self.manifest.add(entry)

    def _show(self, ready: _Ready, share: float, pixels: int = 0) -> None:
        """Say that a photo has come so far."""
        self.progress(share - ready.shown, pixels)
        ready.shown = share

    def _computed(self, some: list[_Opened]) -> list[_Opened]:
        """Compute photos of one kind together; those that could be."""
        some, images = self._together(some)
        try:
            self._compute(some, images)
        except Exception as error:
            for ready, upscaling, _ in some:
                upscaling.abandon()
                self._failed(ready, error)
            return []
        return some

    def _together(self, some: list[_Opened]) -> tuple[list[_Opened], list[Array]]:
        """Those of several photos that can be read, and their pixels; of one, nothing is read."""
        if len(some) == 1:
            return some, []
        sound, images = [], []
        for opened in some:
            ready, upscaling, _ = opened
            try:
                images.append(upscaling.rows.read(upscaling.rows.height))
                sound.append(opened)
            except Exception as error:  # any error concerns this photo only
                upscaling.abandon()
                self._failed(ready, error)
        return sound, images

    def _compute(self, some: list[_Opened], images: list[Array]) -> None:
        if not images and some:
            ready, one, _ = some[0]
            before = 0

            def advance(done: int, all: int) -> None:
                nonlocal before
                before = 0 if done < before else before  # the next band or page of a file
                self._show(ready, max(ALMOST * done / all, ready.shown), done - before)
                before = done

            depth = one.planned.dtype
            one.compute(lambda rows, dtype: strips(self.upscaler, rows, dtype, advance, depth))
            return
        if not some:
            return
        first = some[0][1]
        results = together(self.upscaler, images, first.between, first.planned.dtype)
        for (ready, upscaling, _), result in zip(some, results, strict=True):
            upscaling.compute(lambda rows, dtype, result=result: [result])  # type: ignore[misc]
            self._show(ready, ALMOST, upscaling.size[0] * upscaling.size[1])


def _groups(arrivals: Iterator[_Ready], upscaler: Upscaler) -> Iterator[list[_Ready]]:
    """One photo after the other; small ones of one size together, where tiles are computed so."""
    if upscaler.together == 1:
        yield from ([ready] for ready in arrivals)
        return
    waiting: dict[tuple[int, int], list[_Ready]] = {}
    count = 0
    for ready in arrivals:
        size = size_of(ready.path)
        if size is None or max(size) > upscaler.side:
            yield [ready]
            continue
        waiting.setdefault(size, []).append(ready)
        count += 1
        if len(waiting[size]) == upscaler.together or count == LOOK * upscaler.together:
            fullest = max(waiting.values(), key=len)
            count -= len(fullest)
            yield waiting.pop(next(s for s, group in waiting.items() if group is fullest))
    yield from waiting.values()


def _alike(opened: list[_Opened]) -> list[list[_Opened]]:
    """Those of one kind (gray, colour, alpha, 8 or 16 bits in and out) together."""
    kinds: dict[object, list[_Opened]] = {}
    for one in opened:
        kinds.setdefault(one[1].alike, []).append(one)
    return list(kinds.values())
