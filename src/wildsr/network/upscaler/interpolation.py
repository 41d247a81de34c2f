"""Interpolation as an upscaler: nearest, bilinear, bicubic, Lanczos."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import shuffle_factors
from wildsr.degradation.interpolant import box, cubic, lanczos, triangle
from wildsr.error import unknown

_KERNELS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {  # the kernel, its radius in pixels
    "nearest": (box, 0),
    "bilinear": (triangle, 1),
    "bicubic": (cubic, 2),
    "lanczos": (lanczos, 3),
}


class Interpolation(nn.Module):
    """Classical interpolation by an integer factor, equal to Pillow's ``Image.resize``.

    Along each axis, with the kernel f cut off at the border and the rest divided by its sum::

        out[s q + p] = sum_k f(k - t_p) in[q + k] / sum_k f(k - t_p),  t_p = (p + 1/2) / s - 1/2

    over the k for which q + k is within the image. There are only s different rows of weights, the
    phases p, and a constant image stays constant up to its border. It is linear and differentiable,
    and uses only multiplications and additions: a convolution would be rounded to the 10 bits of
    TF32 on a GPU and to the 8 bits of bfloat16 under autocast.

    Args:
        scale: s: 1, 2, 3, 4 or 8.
        kind: "nearest", "bilinear", "bicubic" (a = -0.5) or "lanczos" (3 lobes).

    Shapes:
        image (B, C, H, W), floating point -> (B, C, scale H, scale W), not clamped (bicubic and
        lanczos leave the range of the input at edges).

    Raises:
        UserError: a scale or kind that does not exist.
    """

    weight: Tensor

    def __init__(self, scale: int, kind: str) -> None:
        super().__init__()
        shuffle_factors(scale)  # only the check
        if kind not in _KERNELS:
            raise unknown("Argument `kind`", kind, _KERNELS)
        kernel, self.radius = _KERNELS[kind]
        self.scale = scale
        phase = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
        taps = torch.arange(-self.radius, self.radius + 1, dtype=torch.float64)
        weight = kernel(taps[:, None] - phase).to(torch.get_default_dtype())
        # (2 radius + 1 taps, s phases); not in the state dict, where other tools expect nothing.
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Upscale ``image`` (B, C, H, W)."""
        if self.scale == 1:
            return image
        # Both axes are stretched as columns: phases in the innermost dimension would be slow.
        wide = self._stretch(image.transpose(-2, -1)).transpose(-2, -1)
        return self._stretch(wide)

    def _stretch(self, image: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, s H, W)."""
        ones = torch.ones_like(image[:1, :1, :, :1])
        return (self._sum(image) / self._sum(ones)).flatten(2, 3)

    def _sum(self, image: Tensor) -> Tensor:
        """The numerator: (B, C, H, W) -> (B, C, H, s, W), with zeros beyond the border."""
        height = image.shape[-2]
        padded = F.pad(image, (0, 0, self.radius, self.radius)).unsqueeze(-2)
        weight = self.weight.to(torch.promote_types(image.dtype, self.weight.dtype))[..., None]
        total = padded[:, :, :height] * weight[0]
        for tap in range(1, len(weight)):
            total = torch.addcmul(total, padded[:, :, tap : tap + height], weight[tap])
        return total
