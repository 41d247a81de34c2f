"""Fill networks from the LR photos before the first iteration: pools, a measured camera."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch

from wildsr.calibration.measure import take_over
from wildsr.data.measure import measure
from wildsr.data.module import Folders
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.protocol import Harvests
from wildsr.photo.sensor import RGB
from wildsr.report.degradation.pools import harvested, pools_sheet
from wildsr.run.profile import profile, write_profile
from wildsr.training.copied import copied
from wildsr.training.kernel_estimate import estimate_kernel
from wildsr.training.module import Training

CPU = torch.device("cpu")


class Harvest(lightning.Callback):
    """Fills networks from the photos in the first process, and sends them to the others.

    So they are computed once and are the same in all processes.

    Args:
        data: real LR photos and sharp ones.
        folder: of the run.
        say: prints a line about what was found.
    """

    def __init__(self, data: Folders, folder: Path, say: Callable[[str], None]) -> None:
        self.data, self.folder, self.say = data, folder, say

    def setup(
        self, trainer: lightning.Trainer, training: lightning.LightningModule, stage: str
    ) -> None:
        """Called when the processes are connected, before the networks are on their devices."""
        assert isinstance(training, Training)
        found: Any = None
        if trainer.is_global_zero:
            for line in harvest(training, self.data, self.folder):
                self.say(line)
            if trainer.world_size > 1:
                found = {name: copied(n.state_dict(), CPU) for name, n in _filled(training).items()}
        found = trainer.strategy.broadcast(found, src=0)
        if not trainer.is_global_zero:
            for name, network in _filled(training).items():
                network.load_state_dict(found[name])


def _filled(training: Training) -> dict[str, torch.nn.Module]:
    """What is taken from the photos: the networks, and their averages."""
    networks = dict(training.networks.items())
    made = {n: one for n, one in networks.items() if isinstance(one, MeasuredCamera | Harvests)}
    averages = {f"average {n}": one for n, one in training.ema.networks.items() if n in made}
    return made | averages


def harvest(training: Training, data: Folders, folder: Path | None) -> list[str]:
    """Measure cameras and fill pools from the photos; write what was found into ``folder``.

    Args:
        training: before its first iteration.
        data: real LR photos and sharp ones.
        folder: the run's, which gets ``pools.png`` and ``camera.json``; None: nothing is written.

    Returns:
        Lines about what was found; warnings begin with "warning:".
    """
    lines = []
    for name, network in training.networks.items():
        if isinstance(network, MeasuredCamera):
            measured = measure(data, training.seed, network.blur_of is not None)
            take_over(network, measured, training.seed)
            lines.append(f"camera: {measured.sentence(training.scale)}")
            if folder is not None:
                write_profile(folder, profile(network, measured, data.sensor or RGB))
            if name in training.ema.networks:
                training.ema.networks[name].load_state_dict(network.state_dict())
        if isinstance(network, Harvests):
            generator = torch.Generator().manual_seed(training.seed)
            flat = network.harvest(data.lr_store, generator, estimate_kernel)
            found = harvested(network, flat)
            lines += found
            if folder is not None:
                path = folder / "pools.png"
                pools_sheet(network, flat, path, "\n".join(found))
                lines.append(f"picture: {path}")
    return lines
