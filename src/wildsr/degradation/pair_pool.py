"""Real-ESRGAN's training pair pool, which mixes pairs of many iterations into a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.error import UserError
from wildsr.pixels import rounded, unit


class PairPool(nn.Module):
    """Exchanges pairs (LR, HR) for earlier ones (training pair pool, Wang et al. 2021).

    Until it is full it stores the pairs that pass; then the pairs of each batch are swapped with as
    many random ones of the pool. It holds 8-bit images in buffers, so they are part of checkpoints.
    In evaluation mode pairs pass unchanged.

    Args:
        size: number of pairs that it holds.
        patch: side of an LR patch.
        scale: HR size / LR size.

    Raises:
        UserError: a size below 1; patches of another size, more of them than the pool holds.
    """

    lr: Tensor
    hr: Tensor
    count: Tensor

    def __init__(self, size: int, patch: int, scale: int) -> None:
        super().__init__()
        check_counts(size=size)
        for name, side in (("lr", patch), ("hr", patch * scale)):
            self.register_buffer(name, torch.zeros(size, 3, side, side, dtype=torch.uint8))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, lr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """Swap pairs (B, 3, h, w) and (B, 3, sh, sw) in [0, 1] with earlier ones.

        Raises:
            UserError: patches of another size, more of them than the pool holds.
        """
        if not self.training:
            return lr, hr
        for name, given, held in (("lr", lr, self.lr), ("hr", hr, self.hr)):
            if given.shape[1:] != held.shape[1:] or len(given) > len(held):
                raise UserError(
                    f"Argument `{name}` must be at most {len(held)} images of the shape "
                    f"{tuple(held.shape[1:])}, but got {tuple(given.shape)}."
                )
        size, batch, filled = len(self.lr), len(lr), int(self.count)
        new = [rounded(given).byte() for given in (lr, hr)]
        if filled + batch <= size:
            self.lr[filled : filled + batch], self.hr[filled : filled + batch] = new
            self.count += batch
            return lr, hr
        slots = torch.randperm(filled)[:batch].to(lr.device)
        old = [unit(held[slots], lr.dtype) for held in (self.lr, self.hr)]
        self.lr[slots], self.hr[slots] = new
        return old[0], old[1]
