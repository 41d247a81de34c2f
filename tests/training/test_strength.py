"""The default strength: the stated rule on measured figures."""

import pytest

from wildsr.training.strength import STRENGTHS, choose

FLAT = {
    "psnr": 25.0,
    "lr_discrepancy": 1.0,
    "colour_drift": 0.5,
    "checkerboard": 0.4,
    "ringing": 1.0,
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
        (along(), 0.5),
        (along(psnr=(25, 24.9, 24.8, 24.6, 24)), 0.5),
        (along(psnr=(25, 24.6, 24.8, 24.9, 25)), 0.0),  # all smaller ones hold, too
        (along(lr_discrepancy=(1, 1.2, 1.4, 1.6, 1.8)), 0.5),
        (along({"lr_discrepancy": 2}, lr_discrepancy=(1, 1.2, 1.4, 2.4, 2.6)), 0.5),
        (along(colour_drift=(0.5, 1.4, 1.6, 2, 2)), 0.25),
        (along(checkerboard=(0.4, 0.8, 0.95, 3, 3)), 0.25),
        (along(ringing=(1, 2, 3, 4, 9)), 0.5),
        (along(ringing=(None,) * 5, psnr=(None,) * 5), 0.5),
    ],
)
def test_the_largest_that_keeps_to_every_limit(measured, strength):
    assert choose(measured) == strength
