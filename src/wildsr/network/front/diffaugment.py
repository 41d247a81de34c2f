"""Differentiable augmentation of the critic's input, against overfitting to few photos."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wildsr.error import UserError, unknown
from wildsr.network.front.front import Front

POLICIES = ("colour", "translation", "cutout")
GREY = 0.5  # fills empty regions; the paper's 0, the middle of its range [-1, 1]


class DiffAugment(Front):
    """Augments images differentiably (Zhao et al. 2020, arXiv:2006.10738), in training mode only.

    The critic sees real and fake images through random changes, drawn anew for every image and
    call, and the generator's gradient passes through them: if only real images were augmented, the
    generator would learn to produce the augmentation. Uniform draws, in this order:

    - brightness, saturation, contrast: ``x + b``; then ``g + s (x - g)`` with g the pixel's mean
      over the channels; then ``m + c (x - m)`` with m the image's mean;
    - translation: by whole pixels, each axis independently;
    - cutout: a rectangle of a fixed size at a random place is filled with gray.

    The paper works in [-1, 1], where brightness changes by up to 0.5 and empty regions are 0; in
    [0, 1] these are 0.25 and 0.5. The factors are the same in both. Put it before front-ends that
    do not return images.

    Args:
        policies: which of "colour", "translation" and "cutout", in the order of application.
        brightness: largest change of the level, where white is 1.
        saturation: the factor is within 1 -+ saturation.
        contrast: the factor is within 1 -+ contrast.
        translation: largest shift as a share of each side.
        cutout: sides of the filled rectangle as a share of those of the image.

    Shapes:
        (B, C, H, W) in [0, 1] -> the same, not clamped.

    Raises:
        UserError: an unknown policy; a negative number, or a share above 1.
    """

    def __init__(
        self,
        policies: Sequence[str] = POLICIES,
        brightness: float = 0.25,
        saturation: float = 1.0,
        contrast: float = 0.5,
        translation: float = 0.125,
        cutout: float = 0.5,
    ) -> None:
        super().__init__()
        self.policies = (policies,) if isinstance(policies, str) else tuple(policies)
        for policy in self.policies:
            if policy not in POLICIES:
                raise unknown("Each of `policies`", policy, POLICIES)
        for name, value in {"translation": translation, "cutout": cutout}.items():
            if not 0 <= value <= 1:
                raise UserError(f"Argument `{name}` must be within 0 and 1, but got {value!r}.")
        for name, value in {
            "brightness": brightness,
            "saturation": saturation,
            "contrast": contrast,
        }.items():
            if not value >= 0:
                raise UserError(f"Argument `{name}` must not be negative, but got {value!r}.")
        self.brightness, self.saturation, self.contrast = brightness, saturation, contrast
        self.translation, self.cutout = translation, cutout

    def forward(self, image: Tensor) -> Tensor:
        """Augment each image of ``image`` (B, C, H, W) at random."""
        if not self.training:
            return image
        steps = {"colour": self._colour, "translation": self._translate, "cutout": self._cut}
        for policy in self.policies:
            image = steps[policy](image)
        return image

    def _colour(self, image: Tensor) -> Tensor:
        shape = (3, len(image), 1, 1, 1)
        draws = torch.rand(shape, device=image.device, dtype=image.dtype) * 2 - 1
        image = image + self.brightness * draws[0]
        grey = image.mean(1, keepdim=True)
        image = grey + (1 + self.saturation * draws[1]) * (image - grey)
        mean = image.mean((1, 2, 3), keepdim=True)
        return mean + (1 + self.contrast * draws[2]) * (image - mean)

    def _translate(self, image: Tensor) -> Tensor:
        for axis in (2, 3):
            side = image.shape[axis]
            largest = int(side * self.translation + 0.5)
            source = _places(image, axis) - _integers(image, -largest, largest + 1)
            # Cyclic and then emptied: no pixel is read twice, so that the gradient, a scatter, has
            # the same sum in every run.
            image = image.gather(axis, (source % side).expand_as(image))
            image = torch.where((source >= 0) & (source < side), image, GREY)
        return image

    def _cut(self, image: Tensor) -> Tensor:
        emptied = torch.ones((), dtype=torch.bool, device=image.device)
        for axis in (2, 3):
            side = image.shape[axis]
            size = int(side * self.cutout + 0.5)
            # The centre is a pixel (odd sizes) or between two, or on the edge (even ones).
            first = _integers(image, 0, side + 1 - size % 2) - size // 2
            places = _places(image, axis)
            emptied = emptied & (places >= first) & (places < first + size)
        return torch.where(emptied, GREY, image)


def _places(image: Tensor, axis: int) -> Tensor:
    """0, 1, 2, ... along ``axis``, to be broadcast."""
    shape = [-1 if i == axis else 1 for i in range(4)]
    return torch.arange(image.shape[axis], device=image.device).view(shape)


def _integers(image: Tensor, low: int, high: int) -> Tensor:
    """(B, 1, 1, 1) integers, ``low`` <= n < ``high``."""
    return torch.randint(low, high, (len(image), 1, 1, 1), device=image.device)
