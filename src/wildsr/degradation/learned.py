"""The degradation that a run has learned, or was given, for use in other runs and by ``degrade``.

The one degradation that knows what a run is; all others know tensors alone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from wildsr import build, checkpoint, run
from wildsr.error import UserError
from wildsr.inference.degrade import Degrader


def load_degrader(folder: Path, tile: int | None = None) -> Degrader:
    """The degrader of the newest checkpoint of a run, with the networks that it needs alone.

    Args:
        folder: of the run.
        tile: see :class:`~wildsr.inference.degrade.Degrader`.

    Raises:
        UserError: if the folder is no run, has no readable checkpoint, or its method makes no LR.
    """
    config = run.config_of(folder)
    state = checkpoint.newest(folder)["networks"]
    with torch.random.fork_rng():  # making networks seeds the generator
        method, networks = build.method_class(config), build.networks(config)
    side = 16 * config.scale
    needed = Degrader(method, networks, config.scale).eval().sources(torch.rand(2, 3, side, side))
    networks = {name: network for name, network in networks.items() if name in needed}
    for name, network in networks.items():
        checkpoint.fill(network, state.get(name, {}), f"The checkpoint's network `{name}`")
    return Degrader(method, networks, config.scale, tile).eval()


class Learned(nn.Module):
    """The degradation of a run, frozen: its parameters are buffers here, nothing trains them.

    Args:
        run: the folder of the run.
        scale: HR size / LR size, s; the run's.
        tile: side in HR pixels from which images are degraded in tiles; None never does.

    Raises:
        UserError: if the folder is no run, its method makes no LR, or it is of another scale.
    """

    def __init__(self, run: str, scale: int, tile: int | None = None) -> None:
        super().__init__()
        self.degrader = load_degrader(Path(run).expanduser(), tile)
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
