"""A camera whose physical parameters are learned: the degrader of ``method=wild``."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wildsr.degradation.blur import blur_and_sample, centred_grid, gaussian_kernel
from wildsr.error import UserError

FLOOR = 0.4  # HR pixels; a narrower Gaussian is one pixel and gives its width no gradient


class Camera(nn.Module):
    """``lr = sample(blur(hr)) + noise``, each stage differentiable in its parameters.

    - blur: an anisotropic Gaussian with covariance ``L L^T``, ``L = [[a, 0], [b, c]]`` (HR pixels).
      Its centre is pinned to the middle of an output pixel, between HR pixels for an even scale: a
      critic of patches cannot see a constant shift, so a free centre would drift and the SR with
      it.
    - noise: Gaussian, independent by pixel and channel, with variance ``read^2 + shot^2 *
      brightness`` (the signal-dependent noise of a linear sensor, Foi et al. 2008, eq. 2).

    Args:
        scale: HR pixels for each LR pixel and direction.
        kernel_size: of the blur, in HR pixels; odd.
        blur: the standard deviation at the start, in HR pixels, the same in all directions.
        read: the standard deviation of the noise in the dark at the start, in 1/255.
        shot: the additional standard deviation at full brightness at the start, in 1/255.
    """

    offsets: Tensor

    def __init__(
        self,
        scale: int,
        kernel_size: int = 21,
        blur: float = 1.6,
        read: float = 2.0,
        shot: float = 2.0,
    ) -> None:
        super().__init__()
        if blur <= FLOOR or read <= 0 or shot <= 0:
            raise UserError(
                f"Argument `blur` must be above {FLOOR}, `read` and `shot` above 0, "
                f"but got {blur}, {read} and {shot}."
            )
        self.scale = scale
        start = math.log(blur - FLOOR)
        self.spread = nn.Parameter(torch.tensor([start, start]))  # log(a - FLOOR), log(c - FLOOR)
        self.shear = nn.Parameter(torch.zeros(()))  # b
        self.noise = nn.Parameter(torch.tensor([math.log(read), math.log(shot)]))  # log of 1/255
        self.register_buffer("offsets", centred_grid(kernel_size, scale), persistent=False)

    def kernel(self) -> Tensor:
        """The blur kernel, (1, k, k), summing to 1."""
        a, c = self.spread.exp() + FLOOR
        return gaussian_kernel(a, self.shear, c, self.offsets)[None]

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at ``brightness``, both in [0, 1] units; same shape."""
        read, shot = self.noise.exp() / 255
        return (read**2 + shot**2 * brightness.clamp(0, 1)).sqrt()

    def draws(self, hr: Tensor) -> Tensor:
        """Standard normal numbers for ``forward``: (B, 3, H/s, W/s) for ``hr`` (B, 3, H, W)."""
        b, c, h, w = hr.shape
        return torch.randn(b, c, h // self.scale, w // self.scale, device=hr.device, dtype=hr.dtype)

    def forward(self, hr: Tensor, draws: Tensor) -> Tensor:
        """The LR picture (B, 3, H/s, W/s), not clamped, of ``hr`` (B, 3, H, W) in [0, 1]."""
        clean = blur_and_sample(hr, self.kernel().to(hr.dtype), self.scale)
        # The level follows the brightness; the blur is not to be learned through the noise.
        return clean + draws * self.noise_std(clean.detach()).to(clean.dtype)

    @torch.no_grad()
    def physical(self) -> dict[str, float]:
        """The parameters as a report prints them: pixels of HR, degrees, 1/255."""
        a, c = (self.spread.exp() + FLOOR).double().tolist()
        b = float(self.shear)
        covariance = torch.tensor([[a * a, a * b], [a * b, b * b + c * c]], dtype=torch.float64)
        variance, axes = torch.linalg.eigh(covariance)
        x, y = axes[:, 1].tolist()
        read, shot = self.noise.exp().tolist()
        return {
            "blur_major": math.sqrt(float(variance[1])),
            "blur_minor": math.sqrt(float(variance[0])),
            "blur_angle": math.degrees(math.atan2(y, x)) % 180,
            "noise_read": read,
            "noise_shot": shot,
        }
