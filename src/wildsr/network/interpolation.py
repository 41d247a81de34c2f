"""Between two networks of one architecture: interpolation of their weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wildsr.error import UserError


def interpolated(
    faithful: Mapping[str, Tensor], finished: Mapping[str, Tensor], strength: float
) -> dict[str, Tensor]:
    r"""``(1 - strength) faithful + strength finished``, weight by weight.

    Network interpolation of ESRGAN (Wang et al. 2018, arXiv:1809.00219, section 3.4), which leads
    smoothly from one to the other where one began as the other. Integers, counters and the like,
    are those of the faithful one.

    Args:
        faithful: a state dict.
        finished: of the same architecture.
        strength: in [0, 1].

    Raises:
        UserError: another strength, or other weights.
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
    """Refuse what is no strength.

    Args:
        named: what the user calls it, as the sentence begins.
        value: what was given.

    Raises:
        UserError: it is no number from 0 to 1.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise UserError(
            f"{named} must be a number from 0 (faithful) to 1 (finished), but got {value!r}."
        )
