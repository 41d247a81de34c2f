"""The default strength: the stated rule on measured figures."""

import pytest
import torch

from wildsr.inference.tile import interpolate
from wildsr.training.strength import STRENGTHS, choose, turn_discrepancy

FLAT = {
    "psnr": 25.0,
    "lr_discrepancy": 1.0,
    "colour_drift": 0.5,
    "checkerboard": 0.4,
    "ringing": 1.0,
    "turn_discrepancy": 2.0,
}


def along(bicubic=None, **changes):
    """Strengths that are alike but for what ``changes`` says: metric=values at each."""
    made = {f"{s:g}": dict(FLAT) for s in STRENGTHS}
    for metric, values in changes.items():
        for row, value in zip(made.values(), values, strict=True):
            row[metric] = value
    return {"bicubic": FLAT | (bicubic or {}), **made}


@pytest.mark.parametrize(
    ("measured", "strength"),
    [
        (along(), 1.0),
        (along(psnr=(25, 24.9, 24.8, 24.6, 24)), 0.5),
        (along(psnr=(25, 24.9, 24.8, 24.75, 24.71)), 1.0),
        (along(turn_discrepancy=(2, 1.8, 2.1, 2.4, 2.8)), 0.5),
        (along(psnr=(25, 24.6, 24.8, 24.9, 25)), 0.0),  # all smaller ones hold, too
        (along(lr_discrepancy=(1, 1.2, 1.4, 1.6, 1.8)), 0.5),
        (along({"lr_discrepancy": 2}, lr_discrepancy=(1, 1.2, 1.4, 2.4, 2.6)), 0.75),
        (along(colour_drift=(0.5, 1.4, 1.6, 2, 2)), 0.25),
        (along(checkerboard=(0.4, 0.8, 0.95, 3, 3)), 0.25),
        (along(ringing=(1, 2, 3, 4, 9)), 0.75),
        (along(ringing=(None,) * 5, psnr=(None,) * 5), 1.0),
    ],
)
def test_the_largest_that_keeps_to_every_limit(measured, strength):
    assert choose(measured) == strength


def hatched(lr):
    """Bicubic with lines of one direction, 4 levels high, that know the corner of each LR pixel."""
    made = interpolate(lr, 4, "bicubic")
    rows, columns = (torch.arange(side) for side in made.shape[-2:])
    lines = torch.where((rows[:, None] + columns) % 4 < 2, 1.0, -1.0)
    return made + 4 / 255 * lines


def test_what_follows_the_photo_turns_with_it_and_hatching_does_not():
    lr = 0.25 + 0.5 * torch.rand(1, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    assert turn_discrepancy(lambda x: interpolate(x, 4, "bicubic"), lr) < 0.5  # Pillow rounds
    # Mirrored or upside down the lines run the other way: half of the pixels differ by 8 levels.
    expected = (2 / 3 * 64 / 2) ** 0.5
    assert turn_discrepancy(hatched, lr) == pytest.approx(expected, rel=0.02)
