"""What runs on the nodes of a Ray cluster: actors with a network each, and a count of crashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from wildsr.archive.manifest import Entry, digest
from wildsr.archive.place import file_of
from wildsr.inference.degrading import PairSettings
from wildsr.inference.job import Begin, Worker, carry_out
from wildsr.inference.settings import Settings
from wildsr.inference.tasks import Task

ATTEMPTS = 3  # at a photo during which its process dies


@dataclass(frozen=True)
class Maker:
    """What an actor needs to know."""

    opened: Callable[[], Worker]
    begin: Begin
    settings: Settings | PairSettings
    overwrite: bool
    since: float
    cores: int

    def made(self, task: Task) -> bool:
        """Whether a result was made since this command began: by a process that then died."""
        if not task.target.exists():
            return False
        if not self.overwrite:
            return True  # what was there before has been left out
        file = file_of(task.target)
        return file is not None and file.stat().st_mtime >= self.since


class Actor:
    """Holds an upscaler; upscales blocks of photos."""

    def __init__(self, maker: Maker, attempts: Any) -> None:
        import ray
        import torch

        torch.set_num_threads(maker.cores)
        self.get, self.maker, self.attempts = ray.get, maker, attempts
        self.worker = maker.opened()

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[Any]]:
        """What became of the photos of a batch of Ray Data: a row for each."""
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
                file = file_of(task.target)
                noted = None if file is None else digest(file)
                collected.add(Entry(task.input, task.output, noted))
            elif count >= ATTEMPTS:
                reason = f"the process died {count} times while this photo was upscaled"
                collected.add(Entry(task.input, task.output, error=reason))
            else:
                (suspects if count else fresh).append(task)
        # Photos during which a process died are tried one by one, to find the one that crashes it.
        for some in (fresh, *([task] for task in suspects)):
            # One call for all: Ray keeps kilobytes about each, for as long as the cluster runs.
            self.attempts.start.remote([task.output for task in some])
            collected.pixels += self._made(some, collected)
        self.attempts.end.remote([task.output for task in todo])
        return collected.rows(todo)

    def _made(self, some: list[Task], collected: _Collected) -> int:
        if not some:
            return 0
        maker = self.maker
        return carry_out(
            self.worker,
            some,
            maker.settings,
            maker.overwrite,
            manifest=collected,
            begin=maker.begin,
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


def attempts(ray: Any) -> Any:
    """An actor that counts, for each photo in hand, the processes that died.

    If its own node dies, another one counts anew.
    """

    class Attempts:
        def __init__(self) -> None:
            self.counts: dict[str, int] = {}

        def begin(self, names: list[str]) -> list[int]:
            """How many processes have begun these and not come back."""
            return [self.counts.get(name, 0) for name in names]

        def start(self, names: list[str]) -> None:
            for name in names:
                self.counts[name] = self.counts.get(name, 0) + 1

        def end(self, names: list[str]) -> None:
            for name in names:
                self.counts.pop(name, None)

    return ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Attempts).remote()
