"""One look at the real photos, for what a user would want to know before training."""

from __future__ import annotations

import statistics

import torch
from omegaconf import DictConfig

from wildsr.data.packed import PackedStore
from wildsr.metric.statistic.jpeg_grid import BLOCK, jpeg_grid
from wildsr.report.card.entry.jpeg import NONE

CAMERA = "wildsr.network.degrader.camera.Camera"
LOOKED_AT = 8  # photos


def jpeg_hint(config: DictConfig, photos: PackedStore) -> str | None:
    """A line where the photos went through JPEG and the camera that is to be learned has none.

    Args:
        config: of the run.
        photos: the real LR photos.
    """
    degrader = config.method.networks.get("degrade")
    if degrader is None or degrader.get("_target_") != CAMERA or degrader.get("jpeg") is not None:
        return None
    grids = []
    for index in range(min(LOOKED_AT, len(photos))):
        photo = torch.from_numpy(photos.image(index).copy()).permute(2, 0, 1)
        if min(photo.shape[1:]) >= 2 * BLOCK:
            grids.append(float(jpeg_grid(photo)))
    if not grids or (grid := statistics.median(grids)) <= NONE:
        return None
    return (
        f"data.lr shows the blocks of JPEG (grid {grid:.0%}), which this camera does not make; "
        "network/degrader=camera_jpeg does."
    )
