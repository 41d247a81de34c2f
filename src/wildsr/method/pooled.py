"""Training on known pairs, mixed with those of earlier iterations as Real-ESRGAN does."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import network, tensor
from wildsr.method.supervised import Supervised


class Pooled(Supervised):
    """``Supervised`` on pairs from a pool (Wang et al. 2021, arXiv:2107.10833, section 3)."""

    pool = network("(LR, HR) to as many pairs of this and of earlier batches; no parameters")

    @tensor
    def pair(self) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) and (B, 3, sH, sW) from the pool."""
        return self.pool(self.fake_lr, self.hr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the LR of the pool's pairs."""
        return self.pair[0]

    @tensor
    def sharp(self) -> Tensor:
        """(B, 3, sH, sW) their truth."""
        return self.pair[1]
