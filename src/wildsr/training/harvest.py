"""What networks take from the LR photos before the first iteration: pools, a measured camera."""

from __future__ import annotations

from pathlib import Path

import torch

from wildsr.calibration.measure import take_over
from wildsr.data.module import Folders
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.protocol import Harvests
from wildsr.report.degradation.pools import harvested, pools_sheet
from wildsr.run.profile import profile, write_profile
from wildsr.training.kernel_estimate import estimate_kernel
from wildsr.training.measure import measure
from wildsr.training.module import Training


def harvest(training: Training, data: Folders, folder: Path | None) -> list[str]:
    """Measure cameras and fill pools from the photos, and leave them in ``folder``.

    Every process of a run finds the same, from the run's seed alone.

    Args:
        training: before its first iteration; a run that goes on has all that already.
        data: real LR photos and sharp ones.
        folder: the run's, which gets ``pools.png`` and ``camera.json``; None in all processes but
            the first.

    Returns:
        Lines that say what was found, warnings marked as such.
    """
    lines = []
    for name, network in training.networks.items():
        if isinstance(network, MeasuredCamera):
            measured = measure(data, training.seed)
            take_over(network, measured, training.seed)
            lines.append(f"camera: {measured.sentence(training.scale)}")
            if folder is not None:
                write_profile(folder, profile(network, measured))
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
