"""Network interpolation: blend the weights of two networks of one architecture."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wildsr.error import UserError


def interpolated(
    faithful: Mapping[str, Tensor], finished: Mapping[str, Tensor], strength: float
) -> dict[str, Tensor]:
    r"""``(1 - strength) faithful + strength finished``, weight by weight.

    Network interpolation of ESRGAN (Wang et al. 2018, arXiv:1809.00219, section 3.4). It gives a
    smooth transition if one network was fine-tuned from the other. Integer entries (counters) are
    taken from ``faithful``.

    Args:
        faithful: a state dict; tensors of any shape.
        finished: a state dict with the same names and shapes.
        strength: in [0, 1].

    Raises:
        UserError: a strength outside [0, 1], or weights of two architectures.
    """
    check_strength("Argument `strength`", strength)
    shapes = ({k: tuple(v.shape) for k, v in weights.items()} for weights in (faithful, finished))
    one, other = shapes
    if one != other:
        raise UserError("Two networks can be interpolated only if they are of one architecture.")
    return {
        key: torch.lerp(value, finished[key].to(value), strength)
        if value.is_floating_point()
        else value.clone()
        for key, value in faithful.items()
    }


def check_strength(named: str, value: object) -> None:
    """Refuse a finish strength that is not a number from 0 to 1.

    Args:
        named: what the user calls it, as the sentence begins.
        value: what was given.

    Raises:
        UserError: it is not a number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(
            f"{named} must be a number from 0 (faithful) to 1 (finished), but got {value!r}."
        )
