"""Gradient penalties on a critic: R1, R2, WGAN-GP."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.pixels import at_least_float32


def members(logits: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The logits as a tuple with one entry a scale, in float32 at least.

    Args:
        logits: of any shape, (B, ...); a tuple of them from a multi-scale critic.
    """
    scales = (logits,) if isinstance(logits, Tensor) else logits
    return tuple(at_least_float32(scale) for scale in scales)


def gradients(critic: nn.Module, image: Tensor) -> list[Tensor]:
    """Gradient of the sum of an image's logits, for each scale: (B, CHW), differentiable."""
    leaf = at_least_float32(image.detach()).clone().requires_grad_()
    return [
        torch.autograd.grad(logits.sum(), leaf, create_graph=True)[0].flatten(1)
        for logits in members(critic(leaf))
    ]


def r1(critic: nn.Module, real: Tensor) -> Tensor:
    """Half the mean squared norm of the critic's gradient at ``real`` (B, C, H, W).

    See :class:`R1`.
    """
    scales = [gradient.square().sum(1).mean() / 2 for gradient in gradients(critic, real)]
    return torch.stack(scales).mean()


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Mean of (|grad D| - 1)^2 between ``real`` and ``fake``; see :class:`GradientPenalty`.

    Args:
        critic: maps images to logits.
        real: (B, C, H, W).
        fake: the same shape.

    Raises:
        UserError: shapes that differ.
    """
    if real.shape != fake.shape:
        raise UserError(
            "Arguments `real` and `fake` must have the same shape, but got "
            f"{tuple(real.shape)} and {tuple(fake.shape)}."
        )
    real, fake = at_least_float32(real), at_least_float32(fake)
    share = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    between = share * real + (1 - share) * fake
    # The derivative of vector_norm at 0 is 0; that of a square root would be NaN.
    slopes = [torch.linalg.vector_norm(g, dim=1) for g in gradients(critic, between)]
    return torch.stack([(slope - 1).square().mean() for slope in slopes]).mean()


class R1(nn.Module):
    """Gradient penalty at real images: E |grad D(real)|^2 / 2.

    Mescheder et al. 2018 (arXiv:1801.04406), eq. 9. D is the sum of an image's logits, the norm is
    over its pixels, the mean over the batch (and the scales of a multi-scale critic): a larger map
    of logits is penalised more. The paper's gamma is the weight of this loss.
    """

    def forward(self, critic: nn.Module, real: Tensor) -> Tensor:
        """A scalar, differentiable in the critic only; ``real`` (B, C, H, W)."""
        return r1(critic, real)


class R2(nn.Module):
    """Gradient penalty at generated images: E |grad D(fake)|^2 / 2.

    Mescheder et al. 2018 (arXiv:1801.04406), eq. 10; D and the means as in :class:`R1`. Together
    with R1 it makes relativistic GANs converge (Huang et al. 2024, arXiv:2501.05441).
    """

    def forward(self, critic: nn.Module, fake: Tensor) -> Tensor:
        """A scalar, differentiable in the critic alone; ``fake`` (B, C, H, W)."""
        return r1(critic, fake)


class GradientPenalty(nn.Module):
    """The penalty of WGAN-GP: E (|grad D(x)| - 1)^2, x = a real + (1 - a) fake.

    Gulrajani et al. 2017 (arXiv:1704.00028), eq. 3, where its weight is 10; a is uniform in [0, 1],
    one for each image. D is the sum of an image's logits, as in :class:`R1`. The critic must not
    have batch normalisation, which would mix the images of a batch.

    Raises:
        UserError: real and fake of two shapes.
    """

    def forward(self, critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        """A scalar, differentiable in the critic only; images (B, C, H, W)."""
        return gradient_penalty(critic, real, fake)
