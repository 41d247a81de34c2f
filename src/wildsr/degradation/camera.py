"""Degrade by a camera with known parameters: blur, sampling, sensor noise, JPEG."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.degradation.blur import blur_and_sample, centred_grid, gaussian_kernel
from wildsr.degradation.depth import stored
from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.error import UserError


class KnownCamera(nn.Module):
    """Simulates a camera of given parameters: blur, sampling, noise, JPEG; no gradient.

    ``lr = jpeg(round(sample(blur(hr)) + noise))``.

    Args:
        scale: HR pixels for each LR pixel and direction.
        blur_major: standard deviation along the blur's long axis, in HR pixels.
        blur_minor: along the short one.
        blur_angle: of the long axis, in degrees from x towards y (downwards).
        read: standard deviation of the noise at black, in 1/255.
        shot: additional standard deviation at white, in 1/255 (variances add).
        jpeg_quality: of Pillow, 1 to 100; None leaves JPEG out.
        kernel_size: of the blur, in HR pixels; odd.

    Raises:
        UserError: a quality, width, noise level or kernel size out of its range.
    """

    offsets: Tensor
    deep = False  # see :func:`wildsr.degradation.depth.deepen`

    def __init__(
        self,
        scale: int,
        blur_major: float = 2.4,
        blur_minor: float = 1.4,
        blur_angle: float = 30.0,
        read: float = 3.0,
        shot: float = 6.0,
        jpeg_quality: int | None = 95,
        kernel_size: int = 21,
    ) -> None:
        super().__init__()
        check_counts(scale=scale, kernel_size=kernel_size)
        if jpeg_quality is not None and not 1 <= jpeg_quality <= 100:
            raise UserError(
                f"Argument `jpeg_quality` must be null or 1 to 100, but got {jpeg_quality}."
            )
        if min(blur_major, blur_minor) <= 0 or min(read, shot) < 0:
            raise UserError(
                "Arguments `blur_major` and `blur_minor` must be above 0, `read` and "
                f"`shot` 0 or more, but got {blur_major}, {blur_minor}, {read} and {shot}."
            )
        self.scale, self.read, self.shot, self.jpeg_quality = scale, read, shot, jpeg_quality
        self.blur = (blur_major, blur_minor, blur_angle)
        self.register_buffer("offsets", centred_grid(kernel_size, scale), persistent=False)

    def kernel(self) -> Tensor:
        """The blur kernel, (1, k, k), summing to 1."""
        major, minor, angle = self.blur
        cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        xx, yy = (major * cos) ** 2 + (minor * sin) ** 2, (major * sin) ** 2 + (minor * cos) ** 2
        xy = (major**2 - minor**2) * sin * cos
        a = math.sqrt(xx)
        factors = (a, xy / a, math.sqrt(yy - (xy / a) ** 2))
        x, shear, y = map(torch.tensor, factors)
        return gaussian_kernel(x, shear, y, self.offsets)[None]

    def noise_std(self, brightness: Tensor) -> Tensor:
        """Standard deviation of the noise at ``brightness``, both in [0, 1] units; same shape."""
        return ((self.read / 255) ** 2 + (self.shot / 255) ** 2 * brightness.clamp(0, 1)).sqrt()

    def physical(self) -> dict[str, float]:
        """The parameters by name, as :meth:`wildsr.network.degrader.camera.Camera.physical`."""
        major, minor, angle = self.blur
        return {
            "blur_major": major,
            "blur_minor": minor,
            "blur_angle": angle,
            "noise_read": self.read,
            "noise_shot": self.shot,
        }

    @torch.no_grad()
    def forward(self, hr: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> 8-bit values (B, 3, H / s, W / s) in [0, 1]."""
        clean = blur_and_sample(hr, self.kernel().to(hr), self.scale)
        noisy = clean + torch.randn_like(clean) * self.noise_std(clean)
        lr = stored(noisy, self.deep and self.jpeg_quality is None)
        return lr if self.jpeg_quality is None else jpeg(lr, self.jpeg_quality)


def jpeg(images: Tensor, quality: int) -> Tensor:
    """Encode and decode (B, 3, H, W) in [0, 1] by Pillow, without chroma subsampling."""
    return libjpeg(images, quality, "4:4:4")
