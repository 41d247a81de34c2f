"""Upscale many photos on a Ray cluster: actors with an upscaler each, fed by Ray Data."""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from wildsr.archive.manifest import Entry, Notes, digest
from wildsr.error import UserError
from wildsr.inference.file import Settings
from wildsr.inference.job import SAID, Outcome, carry_out
from wildsr.inference.tasks import Task
from wildsr.inference.upscaler import Upscaler

WAVE = 100_000  # photos in one Ray data set: at most so many names are in memory
BLOCK = 32  # photos that an actor gets at once; finished ones are not repeated if it dies
STARTS = 3  # attempts at a data set that Ray gives up, as it may when nodes come and go
ATTEMPTS = 3  # at a photo during which its process dies


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and how many upscalers to run on it.

    Args:
        address: "ray": the cluster that this process is part of (``RAY_ADDRESS``), or else a new
            one on this machine; "ray://host:port": a running one.
        opened: opens the network; called in each actor, so it must be picklable.
        workers: largest number of upscalers; None: as many as there are GPUs, or cores / ``cores``.
        cores: of each upscaler.
    """

    address: str
    opened: Callable[[], Upscaler]
    workers: int | None = None
    cores: int = 1


def carry_out_on(
    cluster: Cluster,
    check: Callable[[], None],
    todo: Iterable[Task],
    settings: Settings,
    overwrite: bool,
    progress: Callable[[float, int], None],
    say: Callable[[str], None],
    manifest: Notes | None,
) -> Outcome:
    """Upscale all photos on a cluster, as :func:`~wildsr.inference.job.carry_out` does locally.

    Photos and results must be accessible from every node: on a shared disk, or in a store. A photo
    that fails is noted. If a node or a process dies, its unfinished photos are done by another one;
    a photo during which three processes died is given up.

    Args:
        cluster: which.
        check: called when the first photo without a result is found.
        todo: photos; those with a result are skipped.
        settings: how results are written.
        overwrite: replace existing results.
        progress: see :func:`~wildsr.inference.job.carry_out`, as for the others.
        say: called with a line for each failure.
        manifest: written by this process only.

    Raises:
        UserError: Ray is not installed, the cluster does not answer, or nothing can be written.
    """
    outcome, begun, since = Outcome(), time.perf_counter(), time.time()
    missing = _missing(todo, overwrite, outcome, progress, manifest)
    first = next(missing, None)
    if first is None:
        return outcome
    check()
    missing = itertools.chain([first], missing)
    ray = _connected(cluster)
    try:
        attempts = _attempts(ray)
        maker = _Maker(cluster.opened, settings, overwrite, since, cluster.cores)
        while wave := list(itertools.islice(_blocks(ray, missing), WAVE // BLOCK)):
            for row in _all_rows(ray, cluster, wave, maker, attempts):
                _note(row, outcome, progress, say, manifest)
    except ray.exceptions.RayError as error:
        raise _sentence(error) from error
    outcome.seconds = time.perf_counter() - begun
    return outcome


def _connected(cluster: Cluster) -> Any:
    """Ray, connected."""
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise UserError(
            f"`cluster={cluster.address}` needs the package ray: pip install 'wildsr[ray]'."
        ) from error
    if not ray.is_initialized():
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        given = {} if cluster.address == "ray" else {"address": cluster.address}
        quiet = {} if given else {"include_dashboard": False}
        try:
            ray.init(**given, **quiet, log_to_driver=False, logging_level=logging.ERROR)
        except Exception as error:  # ConnectionError, RuntimeError, errors of gRPC
            said = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise UserError(f"`cluster={cluster.address}` does not answer: {said}") from error
    return ray


def _missing(
    todo: Iterable[Task],
    overwrite: bool,
    outcome: Outcome,
    progress: Callable[[float, int], None],
    manifest: Notes | None,
) -> Iterator[Task]:
    for task in todo:
        if overwrite or not task.target.exists():
            yield task
            continue
        outcome.skipped += 1
        if manifest is not None:
            manifest.found(task.input, task.output)
        progress(1.0, 0)


def _blocks(ray: Any, todo: Iterator[Task]) -> Iterator[dict[str, bytes]]:
    while block := list(itertools.islice(todo, BLOCK)):
        yield {"tasks": ray.cloudpickle.dumps(block)}


def _all_rows(
    ray: Any, cluster: Cluster, blocks: list[dict[str, bytes]], maker: _Maker, attempts: Any
) -> Iterator[dict[str, Any]]:
    """What became of each photo, once; where Ray gives a data set up, the rest is begun anew."""
    seen: set[str] = set()
    for left in reversed(range(STARTS)):
        try:
            for row in _rows(ray, cluster, blocks, maker, attempts):
                if row["output"] not in seen:
                    seen.add(str(row["output"]))
                    yield row
            return
        except ray.exceptions.RayError as error:
            if not left or _of_a_user(error) is not None:
                raise


def _rows(
    ray: Any, cluster: Cluster, blocks: list[dict[str, bytes]], maker: _Maker, attempts: Any
) -> Iterator[dict[str, Any]]:
    """What became of each photo, as it becomes known."""
    if cluster.address.startswith("ray://"):
        yield from _from_afar(ray, cluster, blocks, maker, attempts)
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    gpus = 1 if ray.cluster_resources().get("GPU", 0) >= 1 else 0
    strategy = ray.data.ActorPoolStrategy(min_size=1, max_size=cluster.workers)
    data = ray.data.from_items(blocks, override_num_blocks=len(blocks)).map_batches(
        _Actor,
        fn_constructor_args=(maker, attempts),
        batch_size=1,
        batch_format="numpy",
        compute=strategy,
        num_cpus=cluster.cores,
        num_gpus=gpus,
    )  # actors that die are started again, and what they had in hand is done again: Ray's default
    yield from data.iter_rows()


def _from_afar(
    ray: Any, cluster: Cluster, blocks: list[dict[str, bytes]], maker: _Maker, attempts: Any
) -> Iterator[dict[str, Any]]:
    """The same by an actor of the cluster: Ray Data is not to be run through Ray's client."""
    there = ray.remote(num_cpus=0)(_Driver).remote(
        replace(cluster, address="ray"), blocks, maker, attempts
    )
    while rows := ray.get(there.some.remote(BLOCK)):
        yield from rows
    ray.kill(there)


class _Driver:
    """Runs Ray Data within the cluster, and hands over rows when it is asked."""

    def __init__(
        self, cluster: Cluster, blocks: list[dict[str, bytes]], maker: _Maker, attempts: Any
    ) -> None:
        import ray
        import ray.data

        self.rows = _rows(ray, cluster, blocks, maker, attempts)

    def some(self, count: int) -> list[dict[str, Any]]:
        """The next rows; none at the end."""
        return list(itertools.islice(self.rows, count))


def _note(
    row: dict[str, Any],
    outcome: Outcome,
    progress: Callable[[float, int], None],
    say: Callable[[str], None],
    manifest: Notes | None,
) -> None:
    entry = Entry(
        str(row["input"]),
        str(row["output"]),
        str(row["hash"]) or None,
        None if row["seconds"] < 0 else float(row["seconds"]),
        str(row["error"]) or None,
        by=str(row["by"]) or None,
    )
    if entry.error is None:
        outcome.done += 1
        outcome.pixels += int(row["pixels"])
    else:
        outcome.failed += 1
        if len(outcome.reasons) < SAID:
            outcome.reasons.append((str(row["source"]), entry.error))
        say(f"{row['source']}: {entry.error}")
    if manifest is not None:
        manifest.add(entry)
    progress(1.0, int(row["pixels"]))


@dataclass(frozen=True)
class _Maker:
    """What an actor needs to know."""

    opened: Callable[[], Upscaler]
    settings: Settings
    overwrite: bool
    since: float
    cores: int

    def made(self, task: Task) -> bool:
        """Whether a result was made since this command began: by a process that then died."""
        if not task.target.exists():
            return False
        if not self.overwrite:
            return True  # what was there before has been left out
        return isinstance(task.target, Path) and task.target.stat().st_mtime >= self.since


class _Actor:
    """Holds an upscaler; upscales blocks of photos."""

    def __init__(self, maker: _Maker, attempts: Any) -> None:
        import ray
        import torch

        torch.set_num_threads(maker.cores)
        self.get, self.maker, self.attempts = ray.get, maker, attempts
        self.upscaler = maker.opened()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        import ray

        rows: list[dict[str, Any]] = []
        for packed in batch["tasks"]:
            todo: list[Task] = ray.cloudpickle.loads(packed)
            rows += self._block(todo)
        names = ("input", "output", "source", "hash", "seconds", "error", "pixels", "by")
        return {name: [row[name] for row in rows] for name in names}

    def _block(self, todo: list[Task]) -> list[dict[str, Any]]:
        collected = _Collected()
        fresh: list[Task] = []
        suspects: list[Task] = []
        before = self.get(self.attempts.begin.remote([task.output for task in todo]))
        for task, count in zip(todo, before, strict=True):
            if self.maker.made(task):
                noted = digest(task.target) if isinstance(task.target, Path) else None
                collected.add(Entry(task.input, task.output, noted))
            elif count >= ATTEMPTS:
                reason = f"the process died {count} times while this photo was upscaled"
                collected.add(Entry(task.input, task.output, error=reason))
            else:
                (suspects if count else fresh).append(task)
        # Photos during which a process died are tried one by one, to find the one that crashes it.
        for some in (fresh, *([task] for task in suspects)):
            for task in some:
                self.attempts.start.remote(task.output)
            collected.pixels += self._made(some, collected)
        self.attempts.end.remote([task.output for task in todo])
        return collected.rows(todo)

    def _made(self, some: list[Task], collected: _Collected) -> int:
        if not some:
            return 0
        return carry_out(
            self.upscaler, some, self.maker.settings, self.maker.overwrite, manifest=collected
        ).pixels


class _Collected:
    """Collects the entries of a block; the driver process writes them to the manifest."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.pixels = 0

    def add(self, entry: Entry) -> None:
        """Take an entry."""
        self.entries[entry.output] = entry

    def found(self, input: str, output: str) -> None:
        """Take a result that another process has made in the meantime."""
        self.add(Entry(input, output))

    def rows(self, todo: list[Task]) -> list[dict[str, Any]]:
        """The entries as Ray takes them: no None, pixels with the first."""
        rows = []
        for place, task in enumerate(todo):
            entry = self.entries[task.output]
            row = asdict(entry) | {"source": str(task.source)}
            row |= {"hash": entry.hash or "", "error": entry.error or "", "by": entry.by or ""}
            row["seconds"] = -1.0 if entry.seconds is None else entry.seconds
            row["pixels"] = 0 if place else self.pixels
            rows.append(row)
        return rows


def _attempts(ray: Any) -> Any:
    """An actor that counts, for each photo in hand, the processes that died."""

    class Attempts:
        def __init__(self) -> None:
            self.counts: dict[str, int] = {}

        def begin(self, names: list[str]) -> list[int]:
            """How many processes have begun these and not come back."""
            return [self.counts.get(name, 0) for name in names]

        def start(self, name: str) -> None:
            self.counts[name] = self.counts.get(name, 0) + 1

        def end(self, names: list[str]) -> None:
            for name in names:
                self.counts.pop(name, None)

    return ray.remote(num_cpus=0)(Attempts).remote()


def _of_a_user(error: BaseException) -> UserError | None:
    """The UserError that caused an error of Ray; None if there is none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, UserError):
            return UserError(str(cause))
        cause = getattr(cause, "cause", None) or cause.__cause__
    return None


def _sentence(error: BaseException) -> UserError:
    """The UserError that caused an error of Ray, else one with the first line of Ray's text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = " ".join([type(error).__name__, *lines[:1], *lines[-1:]])
    return _of_a_user(error) or UserError(
        f"The cluster failed ({said}); what was made is there, and the same command makes the rest."
    )
