"""Keep account of a job: how many photos are done, skipped and failed, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wildsr.archive.manifest import Entry, Notes
from wildsr.archive.place import ROOM
from wildsr.atomic import refusal
from wildsr.error import UserError, first_line
from wildsr.inference.tasks import Task
from wildsr.photo.image import UnreadableImage

SAID = 1000  # failures that are kept, to be said at the end; the manifest has all


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

    @property
    def tried(self) -> int:
        """The number of all photos."""
        return self.done + self.skipped + self.failed

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


def left_as_they_are(files: list[str]) -> str:
    """What is said of tar and zip files that exist."""
    if len(files) == 1:
        return f"{files[0]} exists; overwrite=true makes it again"
    return f"{len(files)} tar or zip files exist; overwrite=true makes them again"


@dataclass
class Ready:
    """A photo whose file is here, and the share of its work that has been shown."""

    task: Task
    path: Path
    shown: float = 0.0


class Account:
    """Counts what became of photos, shows it, says it, and notes it in a manifest.

    Args:
        called: what results are called in messages.
        progress: see :func:`~wildsr.inference.job.carry_out`, as for the others.
        say: called with a line for each failure.
        manifest: where it is written; None writes nothing.
    """

    def __init__(
        self,
        called: str,
        progress: Callable[[float, int], None],
        say: Callable[[str], None],
        manifest: Notes | None,
    ) -> None:
        self.called, self.progress, self.say, self.manifest = called, progress, say, manifest
        self.outcome = Outcome()

    @property
    def noting(self) -> bool:
        """Whether there is a manifest."""
        return self.manifest is not None

    def skipped(self, task: Task) -> None:
        """Note a photo whose result exists."""
        self.outcome.skipped += 1
        if self.manifest is not None:
            self.manifest.found(task.input, task.output)
        self.progress(1.0, 0)

    def done(self, ready: Ready, entry: Entry) -> None:
        """Note a photo whose result is in its place."""
        self.outcome.done += 1
        self.show(ready, 1.0)
        if self.manifest is not None:
            self.manifest.add(entry)

    def failed(self, ready: Ready, error: Exception) -> None:
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
        self.show(ready, 1.0)
        place = task.target.parent if isinstance(task.target, Path) else task.target
        if not isinstance(error, UnreadableImage):
            why = refusal(place, ROOM) if isinstance(place, Path) else place.refusal()
            if why is not None:
                raise UserError(
                    f"Nothing more can be written into {place}: {why}. {self.outcome.done} "
                    f"{self.called} are there and whole; the same command makes the others."
                ) from error
        if self.manifest is not None:
            self.manifest.add(Entry(task.input, task.output, error=reason))

    def show(self, ready: Ready, share: float, pixels: int = 0) -> None:
        """Show that a photo has come so far."""
        self.progress(share - ready.shown, pixels)
        ready.shown = share
