"""Upscale or degrade many photos on a Ray cluster: actors with a network each, fed by Ray Data."""

from __future__ import annotations

import gc
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from wildsr.archive.manifest import Entry, Notes
from wildsr.inference.account import SAID, Outcome
from wildsr.inference.cluster_actor import Actor, Maker, attempts
from wildsr.inference.cluster_connection import connected, of_a_user, sentence
from wildsr.inference.degrading import PairSettings
from wildsr.inference.job import Begin, Worker, begin_upscaling
from wildsr.inference.settings import Settings
from wildsr.inference.tasks import Task

WAVE = 100_000  # photos in one Ray data set: at most so many names are in memory
BLOCK = 32  # photos that an actor gets at once; finished ones are not repeated if it dies
STARTS = 3  # attempts at a data set that Ray gives up, as it may when nodes come and go


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and how many upscalers to run on it.

    Args:
        address: "ray": the cluster that this process is part of (``RAY_ADDRESS``), or else a new
            one on this machine; "ray://host:port": a running one.
        opened: opens the network; called in each actor, so it must be picklable.
        workers: largest number of upscalers; None: as many as there are GPUs, or cores / ``cores``.
        cores: of each upscaler.
        begin: begins a photo; see :func:`~wildsr.inference.job.carry_out`.
    """

    address: str
    opened: Callable[[], Worker]
    workers: int | None = None
    cores: int = 1
    begin: Begin = begin_upscaling


def carry_out_on(
    cluster: Cluster,
    check: Callable[[], None],
    todo: Iterable[Task],
    settings: Settings | PairSettings,
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
    ray = connected(cluster.address)
    try:
        counter = attempts(ray)
        maker = Maker(cluster.opened, cluster.begin, settings, overwrite, since, cluster.cores)
        while wave := list(itertools.islice(_blocks(ray, missing), WAVE // BLOCK)):
            for row in _all_rows(ray, cluster, wave, maker, counter):
                _note(row, outcome, progress, say, manifest)
    except ray.exceptions.RayError as error:
        raise sentence(error) from error
    outcome.seconds = time.perf_counter() - begun
    return outcome


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
    ray: Any, cluster: Cluster, blocks: list[dict[str, bytes]], maker: Maker, attempts: Any
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
            if not left or of_a_user(error) is not None:
                raise
        gc.collect()  # what the error held: actors of the data set, and their cores, which it needs


def _rows(
    ray: Any, cluster: Cluster, blocks: list[dict[str, bytes]], maker: Maker, attempts: Any
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
        Actor,
        fn_constructor_args=(maker, attempts),
        batch_size=1,
        batch_format="numpy",
        compute=strategy,
        num_cpus=cluster.cores,
        num_gpus=gpus,
    )  # actors that die are started again, and what they had in hand is done again: Ray's default
    yield from data.iter_rows()


def _from_afar(
    ray: Any, cluster: Cluster, blocks: list[dict[str, bytes]], maker: Maker, attempts: Any
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
        self, cluster: Cluster, blocks: list[dict[str, bytes]], maker: Maker, attempts: Any
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
