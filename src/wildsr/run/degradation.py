"""The degradation that a run has learned, for use in other runs and by ``wildsr degrade``.

This is the only degradation that reads a run folder; all others work on tensors alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.config.make import make, sensor_of
from wildsr.degradation.depth import deepen
from wildsr.error import UserError
from wildsr.inference.degrading import FileDegrader
from wildsr.photo.sensor import RGB, Sensor
from wildsr.run.folder import config_of
from wildsr.run.load import load_degrader
from wildsr.run.profile import Profile


class Learned(nn.Module):
    """The degradation of a run, frozen: its parameters are buffers here, so nothing trains them.

    Args:
        run: the folder of the run.
        scale: HR size / LR size, s; the run's.
        tile: side in HR pixels from which images are degraded in tiles; None: never.
        trust: allow the run's configuration to name and run code outside of wildsr.

    Attributes:
        sensor: the kind of photos that the run has learned from.

    Raises:
        UserError: the folder is not a run, its method has no degrader, or it has another scale.
    """

    def __init__(self, run: str, scale: int, tile: int | None = None, trust: bool = False) -> None:
        super().__init__()
        folder = Path(run).expanduser()
        self.sensor = sensor_of(config_of(folder, trust))
        self.degrader = load_degrader(folder, tile, trust)
        if self.degrader.scale != scale:
            raise UserError(
                f"Argument `scale` must be that of the run {run}, {self.degrader.scale}, "
                f"but got {scale!r}."
            )
        for module in self.degrader.modules():
            for name, parameter in list(module.named_parameters(recurse=False)):
                delattr(module, name)
                module.register_buffer(name, parameter.detach())

    def forward(self, hr: Tensor) -> Tensor:
        """(B, C, sH, sW) in [0, 1] -> (B, C, H, W) in [0, 1], of 8-bit photos in 255ths."""
        lr: Tensor = self.degrader(hr)
        return lr


def file_degrader(node: Any, scale: int, device: str | torch.device = "cpu") -> FileDegrader:
    """Make a degradation of files: the values between the levels of 8 bits are kept.

    Args:
        node: its configuration.
        scale: HR size / LR size.
        device: where it computes.

    Raises:
        UserError: it cannot be made.
    """
    module: nn.Module = make(node, "degradation", nn.Module).eval().to(device)
    sensor: Sensor = getattr(module, "sensor", RGB)
    name = f"degradation={node.get('run') or node.get('file') or type(module).__name__}"
    by_channel = isinstance(module, Profile) and module.camera.blur_of is not None
    gray = not isinstance(module, Learned) and not by_channel
    deep, where = deepen(module), torch.device(device)
    return FileDegrader(deep, scale, where, name, sensor.channels, gray, sensor)
