"""The callback that keeps averaged weights of a run on its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning

from wildsr.run.snapshot import save_snapshot
from wildsr.training.module import Training


class Snapshots(lightning.Callback):
    """Saves the averaged weights at even intervals, see :func:`save`.

    Args:
        folder: of the snapshots.
        every: iterations.
        keep: at most so many; 0 for none.
    """

    def __init__(self, folder: Path, every: int, keep: int) -> None:
        self.folder, self.every, self.keep = folder, every, keep

    def on_train_batch_end(
        self, trainer: lightning.Trainer, training: lightning.LightningModule, *_: Any
    ) -> None:
        """Save when it is time."""
        assert isinstance(training, Training)
        if trainer.is_global_zero:
            networks = dict(training.ema.networks.items())
            save_snapshot(self.folder, networks, training.iteration, self.every, self.keep)
