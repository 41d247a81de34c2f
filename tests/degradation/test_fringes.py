"""Displacements of channels: where they lead, and in words."""

import math

import torch

from wildsr.degradation.fringes import NONE, Fringes, places

RED_RIGHT = Fringes(((0.5, 0.0), (0.0, 0.0), (0.0, -0.25)), (0.0, 0.0, 1.0))


def test_a_channel_moves_by_its_place():
    where = torch.tensor([[0.0, 0.0], [0.6, -0.8]])
    expected = torch.tensor([[[0.5, 0.0], [0, 0], [0, -0.25]], [[0.5, 0.0], [0, 0], [0.6, -1.05]]])
    assert torch.allclose(RED_RIGHT.at(where), expected)


def test_in_words():
    assert str(NONE) == ""
    assert not NONE
    assert not Fringes(((0.0, 0.0),) * 2, (0.0, 0.0))
    assert RED_RIGHT
    assert str(RED_RIGHT) == (
        "red lies +0.50 px right and +0.00 px down, blue lies +0.00 px right and -0.25 px down, "
        "blue lies +1.00 px outwards in the corners"
    )
    assert str(Fringes(((0.0, 0.5), (0.0, 0.0)), (0.0, 0.0))).startswith("channel 1 lies")


def test_places_fill_a_photo_evenly():
    found = places(256)
    assert float(found.norm(dim=1).max()) <= 1
    assert math.hypot(*found.mean(0)) < 0.01
    quarters = (found[:, 0] > 0).long() * 2 + (found[:, 1] > 0).long()
    assert torch.bincount(quarters).sub(64).abs().max() <= 3
