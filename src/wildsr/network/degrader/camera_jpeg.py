"""JPEG compression whose quality is learned, the last stage of a learned camera."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from wildsr.degradation.jpeg.jpeg import SUBSAMPLINGS, jpeg
from wildsr.error import UserError, unknown

UNIT = 16  # pixels that 4:2:0 codes together, in each direction
STEP = 10.0  # points of quality, to either side, over which its effect on an image is measured


class LearnedJPEG(nn.Module):
    """JPEG compression of normally distributed quality, whose mean and spread are learned.

    ``quality = 100 sigmoid(mean) + exp(spread) z``, z standard normal, one for each image; values
    outside 1 to 100 are clamped. Crops of real files cut the grid of 8 x 8 blocks anywhere, so
    the grid has a random phase here, too, one for each batch. Blocks that reach beyond the image
    are filled with its mirror image.

    The gradient with respect to the quality is a secant: a change of the quality changes the image
    by ``(jpeg(quality + STEP) - jpeg(quality - STEP)) / (2 STEP)``. The straight-through gradient
    of :func:`~wildsr.degradation.jpeg.jpeg.jpeg` ignores which coefficients are rounded to 0, which
    is most of what a critic sees; compared with how a critic's output really changes, it has the
    wrong sign.

    Args:
        quality: the mean at the start, above 0 and below 100.
        spread: the standard deviation at the start, in points of quality.
        subsampling: of the chrominance, one of "4:4:4", "4:2:2" and "4:2:0".

    Raises:
        UserError: a quality, spread or subsampling that does not exist.
    """

    def __init__(
        self, quality: float = 80.0, spread: float = 5.0, subsampling: str = "4:2:0"
    ) -> None:
        super().__init__()
        if not 0 < quality < 100:
            raise UserError(
                f"Argument `jpeg` must be null or above 0 and below 100, but got {quality}."
            )
        if spread <= 0:
            raise UserError(f"Argument `jpeg_spread` must be above 0, but got {spread}.")
        if subsampling not in SUBSAMPLINGS:
            raise unknown("Argument `subsampling`", subsampling, SUBSAMPLINGS)
        self.subsampling = subsampling
        self.mean = nn.Parameter(torch.tensor(math.log(quality / (100 - quality))))
        self.spread = nn.Parameter(torch.tensor(math.log(spread)))

    def draws(self, images: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Draw standard normal numbers (images,) and a phase (2,) of the block grid, y then x."""
        # The phase stays on the CPU: it decides on shapes.
        normal = torch.randn(images, device=like.device, dtype=like.dtype)
        return normal, torch.randint(0, UNIT, (2,))

    def quality(self, normal: Tensor) -> Tensor:
        """The quality of each image (B,), not yet clamped, from standard normal numbers (B,)."""
        return 100 * self.mean.sigmoid() + self.spread.exp() * normal

    def forward(self, image: Tensor, normal: Tensor, phase: Tensor) -> Tensor:
        """Compress (B, 3, H, W) in [0, 1]; the result is rounded to 1/255.

        Computed in float32 at least, and returned in the dtype of ``image``.

        Args:
            image: (B, 3, H, W).
            normal: (B,), from ``draws``.
            phase: (2,), from ``draws``.
        """
        height, width = image.shape[-2:]
        top, left = phase.tolist()
        whole = image.index_select(-2, _mirrored(height, top, image.device))
        whole = whole.index_select(-1, _mirrored(width, left, image.device))
        quality = self.quality(normal).float()
        coded = jpeg(whole, quality.detach(), self.subsampling)
        if quality.requires_grad:
            change = (quality - quality.detach())[:, None, None, None]
            coded = coded + change * self._secant(whole.detach(), quality.detach())
        return coded[..., top : top + height, left : left + width].to(image.dtype)

    def _secant(self, image: Tensor, quality: Tensor) -> Tensor:
        """How much ``image`` changes with each point of quality."""
        quality = quality.clamp(1, 100)  # beyond it both ends would be one
        ends = torch.cat([quality - STEP, quality + STEP]).clamp(1, 100)
        worse, better = jpeg(image.repeat(2, 1, 1, 1), ends, self.subsampling).chunk(2)
        return (better - worse) / (ends[len(image) :] - ends[: len(image)])[:, None, None, None]


def _mirrored(length: int, before: int, device: torch.device) -> Tensor:
    """Indices that mirror a side at its ends, ``before`` it and up to whole units after it."""
    after = -(before + length) % UNIT
    position = torch.arange(-before, length + after, device=device)
    position = position.remainder(max(2 * length - 2, 1))  # there and back again
    return torch.minimum(position, 2 * length - 2 - position)
