"""Begin a pair of a photo file, of whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wildsr.archive.place import Pair, PairPaths, Scratch
from wildsr.inference.degrading import FileDegrader, PairSettings
from wildsr.inference.file import open_source
from wildsr.inference.photo_pair import PhotoPair
from wildsr.inference.raster_pair import RasterPair
from wildsr.inference.tasks import Task
from wildsr.photo.raster.base import Raster


class _Planned:
    """What :mod:`wildsr.inference.job` asks of everything: the type that decides precision."""

    dtype = np.dtype(np.float32)


class PairMaking:
    """A pair in progress: computed, then given its names.

    Args:
        degrader: the degradation.
        source: the sharp photo.
        targets: the two files.
        settings: how they are written.
        seed: of what is drawn; None goes on with torch's generator.

    Attributes:
        planned, between, rows, alike, size, target: as those of
            :class:`wildsr.inference.file.Upscaling`.

    Raises:
        UnreadableImage: no photo, a damaged one, or one that is too small.
        UserError: what else cannot be.
    """

    planned, between = _Planned, _Planned.dtype
    rows: Any = None

    def __init__(
        self,
        degrader: FileDegrader,
        source: Path,
        targets: PairPaths,
        settings: PairSettings,
        seed: int | None,
    ) -> None:
        opened = open_source(source, degrader.sensor, settings.files.limit, "hr")
        made = RasterPair if isinstance(opened, Raster) else PhotoPair
        self._pair: RasterPair | PhotoPair = made(opened, targets, degrader, settings)  # type: ignore[arg-type]
        self.size, self.target, self.seed = self._pair.size, self._pair.target, seed

    @property
    def alike(self) -> object:
        """What pairs have in common that can be made at once: nothing."""
        return id(self)

    def compute(self, strips_of: Callable[..., Any] | None = None) -> None:
        """Degrade, and write both files under other names."""
        if self.seed is not None:
            torch.manual_seed(self.seed)
        self._pair.compute()

    def finish(self) -> None:
        """Give both their names."""
        self._pair.finish()

    def abandon(self) -> None:
        """Remove what was written."""
        self._pair.abandon()


def begin_pair(
    degrader: FileDegrader, source: Path, task: Task, scratch: Scratch, settings: PairSettings
) -> PairMaking:
    """Begin the pair of a task, whose target is a :class:`~wildsr.archive.place.Pair`.

    Raises:
        UserError: see :class:`PairMaking`.
    """
    assert isinstance(task.target, Pair)
    paths = task.target.paths(scratch)
    return PairMaking(degrader, source, paths, settings, task.seed)
