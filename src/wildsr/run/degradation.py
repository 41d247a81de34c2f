"""The degradation that a run has learned, for use in other runs and by ``wildsr degrade``.

This is the only degradation that reads a run folder; all others work on tensors alone.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.run.load import load_degrader


class Learned(nn.Module):
    """The degradation of a run, frozen: its parameters are buffers here, so nothing trains them.

    Args:
        run: the folder of the run.
        scale: HR size / LR size, s; the run's.
        tile: side in HR pixels from which images are degraded in tiles; None: never.
        trust: allow the run's configuration to name and run code outside of wildsr.

    Raises:
        UserError: the folder is not a run, its method has no degrader, or it has another scale.
    """

    def __init__(self, run: str, scale: int, tile: int | None = None, trust: bool = False) -> None:
        super().__init__()
        self.degrader = load_degrader(Path(run).expanduser(), tile, trust)
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
        """(B, 3, sH, sW) in [0, 1] -> multiples of 1/255 in [0, 1], (B, 3, H, W)."""
        lr: Tensor = self.degrader(hr)
        return lr
