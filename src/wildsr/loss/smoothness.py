"""Losses on differences of neighbouring pixels."""

from __future__ import annotations

from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.loss.pixel import comparable
from wildsr.pixels import at_least_float32


def total_variation(image: Tensor, power: int = 1) -> Tensor:
    """Total variation of ``image`` (B, C, H, W); see :class:`TotalVariation`.

    Raises:
        UserError: another number of dimensions, or a power other than 1 or 2.
    """
    _check_power(power)
    if image.ndim != 4:
        raise UserError(f"Argument `image` must be (B, C, H, W), but got {tuple(image.shape)}.")
    steps = [at_least_float32(image).diff(dim=dim) for dim in (3, 2)]
    # A side of one pixel has no differences; a mean over none would be NaN.
    across, down = (step.abs().pow(power).sum() / max(step.numel(), 1) for step in steps)
    return across + down


class TotalVariation(nn.Module):
    """Anisotropic total variation, ``mean |dx|^power + mean |dy|^power`` (Rudin et al. 1992).

    Each mean is over its own differences, W - 1 in a row and H - 1 in a column, the channels and
    the batch; ``kornia.losses.total_variation`` with reduction "mean" is the same before its mean
    over images and channels, and with "sum" counts each difference once without dividing. 0 for
    flat images and for a single pixel; the direction along a side of one pixel adds 0. At most 2
    in [0, 1].

    Args:
        power: 1; or 2, which penalises edges more than noise (Yuan et al. 2018, CinCGAN).

    Raises:
        UserError: another power.
    """

    def __init__(self, power: int = 1) -> None:
        super().__init__()
        _check_power(power)
        self.power = power

    def forward(self, image: Tensor) -> Tensor:
        """A scalar, from (B, C, H, W) in [0, 1].

        Raises:
            UserError: another number of dimensions.
        """
        return total_variation(image, self.power)


def _check_power(power: int) -> None:
    if power not in (1, 2):
        raise UserError(f"Argument `power` must be 1 or 2, but got {power!r}.")


class GradientDifference(nn.Module):
    """Total variation of the difference, ``mean |dx(p - t)| + mean |dy(p - t)|``.

    Compares the image gradients; the overall level is free. It is the "TV" loss of SRResCGAN (Umer
    et al. 2020, arXiv:2005.00953). Means as in :class:`TotalVariation`; 0 for images that differ
    by a constant.
    """

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, from two images (B, C, H, W) of one shape in [0, 1].

        Raises:
            UserError: two shapes; another number of dimensions.
        """
        x, y = comparable(prediction, target)
        return total_variation(x - y)
