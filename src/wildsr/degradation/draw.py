"""Random numbers for batches that do not depend on how samples are batched.

Where an operator takes ``generators``, these are B CPU generators, one for each sample, in the
samples' order. None means torch's global generator of the image's device, with one draw for the
whole batch: a sample's numbers then depend on the samples before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wildsr.error import UserError


def normal(
    shape: Sequence[int], generators: Sequence[torch.Generator] | None, like: Tensor
) -> Tensor:
    """Draw standard normal numbers, float32 at least, on the device of ``like``.

    Args:
        shape: (B, ...).
        generators: see the module.
        like: whose device and precision the numbers have.

    Raises:
        UserError: other than B generators, or one that is not of the CPU.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    if generators is None:
        return torch.randn(*shape, device=like.device, dtype=dtype)
    check_generators(generators, shape[0])
    numbers = torch.empty(*shape, dtype=dtype)
    for sample, generator in zip(numbers, generators, strict=True):
        sample.normal_(generator=generator)
    return numbers.to(like.device)


def draws_for(
    image: Tensor, draws: Tensor | None, generators: Sequence[torch.Generator] | None
) -> Tensor:
    """Return the given ``draws`` (B, C, H, W), checked, or draw standard normal ones.

    Raises:
        UserError: both are given; draws of another shape than ``image``; generators that do not
            fit.
    """
    if draws is None:
        return normal(image.shape, generators, image)
    if generators is not None:
        raise UserError("Argument `draws` or `generators` must be left out, but got both.")
    if draws.shape != image.shape:
        raise UserError(
            f"Argument `draws` must have the shape of the image, {tuple(image.shape)}, "
            f"but got {tuple(draws.shape)}."
        )
    return draws.to(image)


def check_generators(generators: Sequence[torch.Generator] | None, count: int) -> None:
    """Refuse anything but None or one CPU generator for each of ``count`` samples.

    Raises:
        UserError: another number or another kind of generators.
    """
    if generators is None:
        return
    if not isinstance(generators, Sequence) or len(generators) != count:
        got = len(generators) if isinstance(generators, Sequence) else type(generators).__name__
        raise UserError(
            f"Argument `generators` must be {count} generators, one for each sample, or None, "
            f"but got {got}."
        )
    for generator in generators:
        if not isinstance(generator, torch.Generator) or generator.device.type != "cpu":
            raise UserError(
                f"Argument `generators` must hold generators of the CPU, but got {generator!r}."
            )
