import torch
from hypothesis import given
from hypothesis import strategies as st

from wildsr.method.dihedral import turn, turn_back


@given(st.integers(0, 7), st.integers(1, 4), st.integers(1, 4))
def test_laying_back_undoes_it(way, height, width):
    images = torch.rand(2, 3, height, width)
    turned = turn(images, way)
    assert torch.equal(turn_back(turned, way), images)
    assert turned.shape[-2:] == ((width, height) if way & 4 else (height, width))


def test_the_eight_ways_by_hand():
    image = torch.tensor([[1, 2], [3, 4]])[None, None]
    found = [turn(image, way).flatten().tolist() for way in range(8)]
    assert found[:4] == [[1, 2, 3, 4], [2, 1, 4, 3], [3, 4, 1, 2], [4, 3, 2, 1]]
    assert found[4:] == [[1, 3, 2, 4], [2, 4, 1, 3], [3, 1, 4, 2], [4, 2, 3, 1]]
