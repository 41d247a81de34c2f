"""The callback that saves averaged weights during a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning

from wildsr.run.snapshot import save_snapshot
from wildsr.training.module import Training


class Snapshots(lightning.Callback):
    """Saves the averaged (EMA) weights at even intervals; see :mod:`wildsr.run.snapshot`.

    Args:
        folder: of the snapshots.
        every: iterations between them.
        keep: largest number of them; 0 for none.
    """

    def __init__(self, folder: Path, every: int, keep: int) -> None:
        self.folder, self.every, self.keep = folder, every, keep

    def on_train_batch_end(
        self, trainer: lightning.Trainer, training: lightning.LightningModule, *_: Any
    ) -> None:
        """Save a snapshot if one is due."""
        assert isinstance(training, Training)
        if trainer.is_global_zero:
            networks = dict(training.ema.networks.items())
            save_snapshot(self.folder, networks, training.iteration, self.every, self.keep)
