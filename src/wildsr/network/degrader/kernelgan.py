"""KernelGAN's generator, a deep linear network whose layers make one blur kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_counts, shuffle_factors
from wildsr.degradation.blur import blur_and_sample, pinned_softmax
from wildsr.degradation.kernel import cascaded
from wildsr.error import UserError

_CENTRE = 0.5  # right of and below the middle tap: between the two pixels of a block of 2 x 2
_CLEAR = 1e-6  # of the sum; what the cleaning leaves of a tap that it clears


class KernelGAN(nn.Module):
    """KernelGAN's generator (Bell-Kligler et al. 2019, arXiv:1909.06581, section 4.1).

    Convolutions without bias and without activation, one channel in and out, the last with stride
    2: together one 13 x 13 kernel, which :meth:`filter` computes as their response to a single
    white pixel. A deep linear network learns the kernel where a single layer would not (the
    paper's section 4.1). As it is linear, images are downscaled with that one kernel instead of
    layer by layer: the same numbers and the same gradients, at a fraction of the cost.

    Three forms of the kernel: :meth:`filter` as it is trained; :meth:`cleaned`, which is zero
    outside its centre, sums to 1 and is centred; :meth:`kernel` for the whole scale, the cleaned
    one applied once, twice or three times (as one kernel).

    Difference from the authors' code: the centre of mass is moved to its place by a tilt of the
    kernel (see :func:`~wildsr.degradation.blur.pinned_softmax`) instead of a spline shift.

    Args:
        scale: 2, 4 or 8, HR pixels for each LR pixel.
        features: channels between the layers.
        kernels: the sides of the layers' kernels, odd.
        keep: how the kernel is cleaned: 0.75 times the ``keep``-th largest tap is subtracted from
            all taps, and negative ones are set to 0.
        noise: standard deviation of the noise added to generated LR, in [0, 1] units; ZSSR uses
            0.0125 for real photos, whose own noise is averaged away by downscaling; 0 for none.

    Shapes:
        hr (B, 3, H, W), draws (B, 3, H / scale, W / scale) -> LR (B, 3, H / scale, W / scale).

    Raises:
        UserError: another scale, even kernels, a count or level that does not exist.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        kernels: Sequence[int] = (7, 5, 3, 1, 1, 1),
        keep: int = 40,
        noise: float = 0.0125,
    ) -> None:
        super().__init__()
        if scale not in (2, 4, 8):
            raise UserError(
                "Argument `scale` must be one of [2, 4, 8] for a kernel that halves (once, twice "
                f"or three times), but got {scale!r}."
            )
        check_counts(features=features, keep=keep)
        if len(kernels) < 2 or any(side % 2 == 0 for side in kernels):
            raise UserError(
                f"Argument `kernels` must be two odd numbers or more, but got {list(kernels)}."
            )
        if not noise >= 0:
            raise UserError(f"Argument `noise` must be 0 or more, but got {noise!r}.")
        self.size = sum(kernels) - len(kernels) + 1
        if keep > self.size**2:
            raise UserError(
                f"Argument `keep` must be at most the {self.size**2} taps of the kernel, "
                f"but got {keep}."
            )
        self.scale, self.keep, self.noise = scale, keep, float(noise)
        self.halvings = len(shuffle_factors(scale))
        widths = [1, *[features] * (len(kernels) - 1), 1]
        self.layers = nn.ParameterList(
            nn.init.xavier_normal_(torch.empty(outputs, inputs, side, side), gain=0.1)
            for inputs, outputs, side in zip(widths, widths[1:], kernels, strict=False)
        )

    def filter(self) -> Tensor:
        """The kernel that all layers together amount to, (1, k, k), as it is trained.

        The response of a correlation to a single white pixel is its kernel rotated by 180 degrees.
        """
        response = self.layers[0].new_ones(1, 1, 1, 1)
        with torch.autocast(response.device.type, enabled=False):
            for weight in self.layers:
                response = F.conv2d(response, weight, padding=weight.shape[-1] - 1)
        return response[0].flip(1, 2)

    def cleaned(self) -> Tensor:
        """The kernel to degrade with, (1, k, k): small taps removed, normalised and centred."""
        flat = self.filter().flatten(1)
        threshold = 0.75 * flat.topk(self.keep, dim=1).values[:, -1:]
        high = (flat - threshold).clamp_min(0)
        high = high / high.sum(1, keepdim=True).clamp_min(torch.finfo(high.dtype).tiny)
        return pinned_softmax((high + _CLEAR).log().view(-1, self.size, self.size), _CENTRE)

    def kernel(self) -> Tensor:
        """The kernel of the whole scale, (1, k, k): 13, 37 or 85 pixels for 2, 4 or 8."""
        return cascaded(self.cleaned(), self.halvings)

    def halve(self, image: Tensor, kernel: Tensor) -> Tensor:
        """Downscale ``image`` (B, C, H, W) by 2 with ``kernel`` (1, k, k), without padding.

        Returns:
            (B, C, (H - k) // 2 + 1, (W - k) // 2 + 1).

        Raises:
            UserError: an image smaller than the kernel.
        """
        size = kernel.shape[-1]
        if min(image.shape[-2:]) < size:
            raise UserError(
                f"Argument `image` must have at least {size} pixels a side, but got "
                f"{tuple(image.shape)}; raise `data.patch`."
            )
        with torch.autocast(image.device.type, enabled=False):
            channels = image.flatten(0, 1)[:, None].to(kernel.dtype)  # (BC, 1, H, W)
            shrunk = F.conv2d(channels, kernel[:, None], stride=2)
        return shrunk.view(*image.shape[:2], *shrunk.shape[-2:])

    def draws(self, hr: Tensor) -> Tensor:
        """Draw standard normal numbers for the noise on the LR of ``hr``: (B, 3, H / s, W / s)."""
        batch, channels, height, width = hr.shape
        size = batch, channels, height // self.scale, width // self.scale
        return torch.randn(size, device=hr.device, dtype=hr.dtype)

    def forward(self, hr: Tensor, draws: Tensor) -> Tensor:
        """Degrade ``hr`` (B, 3, H, W) in [0, 1] to LR (B, 3, H / s, W / s), not clamped."""
        small = blur_and_sample(hr, self.kernel().to(hr.dtype), self.scale, offset=0)
        return small + self.noise * draws

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at each brightness, both in [0, 1] units."""
        return torch.full_like(brightness, self.noise)
