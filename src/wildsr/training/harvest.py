"""Fill noise and kernel pools from the LR photos, before the first iteration."""

from __future__ import annotations

from pathlib import Path

import torch

from wildsr.degradation.flat import Photos
from wildsr.network.protocol import Harvests
from wildsr.report.degradation.pools import harvested, pools_sheet
from wildsr.training.kernel_estimate import estimate_kernel
from wildsr.training.module import Training


def harvest(training: Training, photos: Photos, folder: Path | None) -> list[str]:
    """Fill the pools of each network that has a ``harvest``, and draw them in ``folder``.

    Every process of a run finds the same, from the run's seed alone.

    Args:
        training: before its first iteration; a run that goes on has its pools already.
        photos: the real LR photos, uint8 (H, W, 3).
        folder: the run's, which gets ``pools.png``; None in all processes but the first.

    Returns:
        Lines that say what was found, warnings marked as such.
    """
    lines = []
    for network in training.networks.values():
        if isinstance(network, Harvests):
            generator = torch.Generator().manual_seed(training.seed)
            flat = network.harvest(photos, generator, estimate_kernel)
            found = harvested(network, flat)
            lines += found
            if folder is not None:
                path = folder / "pools.png"
                pools_sheet(network, flat, path, "\n".join(found))
                lines.append(f"picture: {path}")
    return lines
