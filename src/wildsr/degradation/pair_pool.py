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
    many random ones of the pool. It holds images in buffers, so they are part of checkpoints: of 8
    bits, or, of deep photos, as they are. In evaluation mode pairs pass unchanged.

    Args:
        size: number of pairs that it holds.
        patch: side of an LR patch.
        scale: HR size / LR size.
        channels: of the images.
        deep: they have more than 8 bits.

    Raises:
        UserError: a count below 1; patches of another size, more of them than the pool holds.
    """

    lr: Tensor
    hr: Tensor
    count: Tensor

    def __init__(
        self, size: int, patch: int, scale: int, channels: int = 3, deep: bool = False
    ) -> None:
        super().__init__()
        check_counts(size=size, channels=channels)
        kind = torch.float32 if deep else torch.uint8
        for name, side in (("lr", patch), ("hr", patch * scale)):
            self.register_buffer(name, torch.zeros(size, channels, side, side, dtype=kind))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, lr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """Swap pairs (B, C, h, w) and (B, C, sh, sw) in [0, 1] with earlier ones.

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
        deep = self.lr.dtype != torch.uint8
        new = [given.float() if deep else rounded(given).byte() for given in (lr, hr)]
        if filled + batch <= size:
            self.lr[filled : filled + batch], self.hr[filled : filled + batch] = new
            self.count += batch
            return lr, hr
        slots = torch.randperm(filled)[:batch].to(lr.device)
        taken = self.lr[slots], self.hr[slots]
        old = [one.to(lr.dtype) if deep else unit(one, lr.dtype) for one in taken]
        self.lr[slots], self.hr[slots] = new
        return old[0], old[1]
