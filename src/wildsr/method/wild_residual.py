"""The default method, and a network for what no measured camera explains."""

from __future__ import annotations

from torch import Tensor

from wildsr.method.part import tensor
from wildsr.method.wild import Wild


class WildResidual(Wild):
    """As :class:`~wildsr.method.wild.Wild`, with a residual network for what its camera lacks.

    A first stage trains a small stochastic network between the camera's sensor and its coding until
    local features of generated LR have the moments of real LR's. A two-sample test keeps it or
    switches it off (:mod:`wildsr.training.residual_test`); then the upscaler is trained through it.
    """

    @tensor
    def plain_lr(self) -> Tensor:
        """(B, 3, H, W) the HR crop degraded by the camera alone, with the same random numbers."""
        return self.rounded(self.degrade.plain(self.hr, self.draws))
