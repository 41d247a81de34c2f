"""Supervised training on pairs shuffled across iterations by Real-ESRGAN's training pair pool."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import network, tensor
from wildsr.method.supervised import Supervised


class Pooled(Supervised):
    """Supervised training on pairs from a pool (Wang et al. 2021, arXiv:2107.10833, section 3).

    The pool mixes samples of different iterations, so that one batch holds more various
    degradations.
    """

    pool = network("(LR, HR) to as many pairs of this and of earlier batches; no parameters")

    @tensor
    def pair(self) -> tuple[Tensor, Tensor]:
        """LR (B, 3, H, W) and HR (B, 3, sH, sW) from the pool."""
        return self.pool(self.fake_lr, self.hr)

    @property
    def seen_lr(self) -> Tensor:
        """(B, 3, H, W) the LR of the pool's pairs."""
        return self.pair[0]

    @tensor
    def sharp(self) -> Tensor:
        """(B, 3, sH, sW) the HR of the pool's pairs."""
        return self.pair[1]
