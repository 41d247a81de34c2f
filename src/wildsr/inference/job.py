"""Upscale, or degrade, many photos; one that fails costs itself only."""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from wildsr.archive.manifest import Entry, Notes, digest
from wildsr.archive.place import Pair, Scratch, Target, file_of
from wildsr.error import UserError
from wildsr.inference.account import Account, Outcome, Ready
from wildsr.inference.degrading import FileDegrader, PairSettings
from wildsr.inference.file import begin
from wildsr.inference.grouping import Making, Opened, alike, groups
from wildsr.inference.pair import PairMaking
from wildsr.inference.settings import Settings
from wildsr.inference.strips import strips, together
from wildsr.inference.tasks import Task
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.rows import Array

ALMOST = 0.99  # of a photo's work is done when its file is still being encoded
AT_ONCE = 8  # photos that are fetched, or delivered, at the same time


Worker = Upscaler | FileDegrader
Begin = Callable[[Any, Path, Task, Scratch, Any], Making]


def begin_upscaling(
    upscaler: Upscaler, source: Path, task: Task, scratch: Scratch, settings: Settings
) -> Making:
    """Begin the upscaling of a task's photo; see :func:`wildsr.inference.file.begin`."""
    return begin(upscaler, source, scratch.target(task.target), settings)


def carry_out(
    worker: Worker | Callable[[], Worker],
    todo: Iterable[Task],
    settings: Settings | PairSettings,
    overwrite: bool = False,
    progress: Callable[[float, int], None] = lambda photos, pixels: None,
    say: Callable[[str], None] = lambda line: None,
    manifest: Notes | None = None,
    begin: Begin = begin_upscaling,
) -> Outcome:
    """Upscale all photos; one that fails is noted and the others go on.

    While one photo is computed, the file of the previous one is encoded and the next one is read.
    Remote photos are fetched, and results delivered, meanwhile, eight at the same time.

    Args:
        worker: the upscaler, or another network; or what opens it, called when the first photo
            without a result is found.
        todo: of :func:`~wildsr.inference.tasks.tasks`; asked for the next when its turn comes.
        settings: how results are written.
        overwrite: replace existing files instead of skipping their photos.
        progress: called with what was done since the last call: photos (also fractions; failed and
            skipped ones count) and pixels of the network's output.
        say: called with a line for each failure.
        manifest: where it is written what became of each; None writes nothing.
        begin: begins a photo; :func:`wildsr.inference.pair.begin_pair` degrades it.
    """
    job = _Job(settings, overwrite, progress, say, manifest, begin)
    begun = time.perf_counter()
    try:
        job.work(worker, todo)
    finally:
        job.close()
    job.account.outcome.seconds = time.perf_counter() - begun
    return job.account.outcome


class _Job:
    """A :func:`carry_out` in progress."""

    def __init__(
        self,
        settings: Settings | PairSettings,
        overwrite: bool,
        progress: Callable[[float, int], None],
        say: Callable[[str], None],
        manifest: Notes | None,
        begin: Begin,
    ) -> None:
        self.settings, self.overwrite, self.begin = settings, overwrite, begin
        called = "pairs" if isinstance(settings, PairSettings) else "upscaled photos"
        self.account = Account(called, progress, say, manifest)
        self.scratch = Scratch()
        self.pool = ThreadPoolExecutor(AT_ONCE)  # starts threads when it is given something
        self.encoding: list[Opened] = []
        self.delivering: deque[tuple[Ready, Entry, Future[None]]] = deque()  # in this order

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)
        self.scratch.close()

    def work(self, worker: Worker | Callable[[], Worker], todo: Iterable[Task]) -> None:
        arrivals = self._arrivals(todo)
        first = next(arrivals, None)
        if first is None:
            return
        self.worker = worker if isinstance(worker, Upscaler | FileDegrader) else worker()
        opened: list[Opened] = []
        try:
            for group in groups(itertools.chain([first], arrivals), self.worker):
                opened = []
                for ready in group:
                    try:
                        upscaling = self.begin(
                            self.worker, ready.path, ready.task, self.scratch, self.settings
                        )
                        opened.append((ready, upscaling, time.perf_counter()))
                    except Exception as error:
                        self._failed(ready, error)
                for some in alike(opened):
                    computed = self._computed(some)
                    self._finish()  # those before, which were encoded meanwhile
                    self.encoding.extend(computed)
            self._finish()
            self._delivered(0)
        except BaseException:
            for _, upscaling, _ in [*self.encoding, *opened]:
                upscaling.abandon()
            raise

    def _arrivals(self, todo: Iterable[Task]) -> Iterator[Ready]:
        """Photos without a result, when their files are here."""
        waiting: deque[tuple[Task, Future[Path | None]]] = deque()
        for task in todo:
            if isinstance(task.source, Path) and file_of(task.target) is not None:
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
        if not self.overwrite and task.target.exists():
            return None
        target = task.target
        for made in (target.hr, target.lr) if isinstance(target, Pair) else (target,):
            both = isinstance(task.source, Path) and isinstance(made, Path) and made.exists()
            if both and os.path.samefile(str(task.source), str(made)):
                raise UserError(f"`output`: its result, {made}, would replace it.")
        return self.scratch.source(task.source)

    def _arrived(
        self, task: Task, arrive: Callable[..., Path | None], *given: Task
    ) -> Iterator[Ready]:
        try:
            path = arrive(*given)
        except Exception as error:
            self._failed(Ready(task, Path()), error)
            return
        if path is not None:
            yield Ready(task, path)
            return
        self.account.skipped(task)

    def _failed(self, ready: Ready, error: Exception) -> None:
        if ready.path != Path():
            self.scratch.forget(ready.path, ready.task.source)
        self.account.failed(ready, error)

    def _finish(self) -> None:
        """Wait for the encoders, and have what they made delivered."""
        encoding, self.encoding = self.encoding, []
        for place, (ready, upscaling, begun) in enumerate(encoding):
            try:
                upscaling.finish()
                task, size = ready.task, upscaling.size
                noted = digest(upscaling.target) if self.account.noting else None
                seconds = time.perf_counter() - begun
                by = self.worker.means
                entry = Entry(task.input, task.output, noted, seconds, by=by)
            except Exception as error:  # any error concerns this photo only
                self.encoding = encoding[place + 1 :]
                self._failed(ready, error)
                continue
            self.account.outcome.pixels += size[0] * size[1]
            self.scratch.forget(ready.path, task.source)
            if isinstance(task.target, Path) or file_of(task.target) is not None:
                self.account.done(ready, entry)
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
            self.account.done(ready, entry)

    def _computed(self, some: list[Opened]) -> list[Opened]:
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

    def _together(self, some: list[Opened]) -> tuple[list[Opened], list[Array]]:
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

    def _compute(self, some: list[Opened], images: list[Array]) -> None:
        if not images and some:
            ready, one, _ = some[0]
            before = 0

            def advance(done: int, all: int) -> None:
                nonlocal before
                before = 0 if done < before else before  # the next band or page of a file
                self.account.show(ready, max(ALMOST * done / all, ready.shown), done - before)
                before = done

            worker, depth = self.worker, one.planned.dtype
            if isinstance(worker, Upscaler):
                one.compute(lambda rows, dtype: strips(worker, rows, dtype, advance, depth))
            elif isinstance(one, PairMaking):
                one.compute()
            return
        if not some or not isinstance(self.worker, Upscaler):
            return
        first = some[0][1]
        results = together(self.worker, images, first.between, first.planned.dtype)
        for (ready, upscaling, _), result in zip(some, results, strict=True):
            upscaling.compute(lambda rows, dtype, result=result: [result])  # type: ignore[misc]
            self.account.show(ready, ALMOST, upscaling.size[0] * upscaling.size[1])
