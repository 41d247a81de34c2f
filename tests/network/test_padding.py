import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wildsr.error import UserError
from wildsr.network.padding import pad_to


def test_last_row_and_column_are_repeated():
    image = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).view(1, 1, 2, 3)
    expected = [[1, 2, 3, 3], [4, 5, 6, 6], [4, 5, 6, 6], [4, 5, 6, 6]]
    assert pad_to(image, 4)[0, 0].tolist() == expected


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 9), st.integers(1, 30))
def test_smallest_multiple_of_at_least_the_minimum(height, width, multiple, minimum):
    image = torch.rand(1, 2, height, width)
    padded = pad_to(image, multiple, minimum)
    for side, before in zip(padded.shape[-2:], (height, width), strict=True):
        allowed = [n for n in range(multiple, 100, multiple) if n >= before and n >= minimum]
        assert side == allowed[0]
    torch.testing.assert_close(padded[..., :height, :width], image, rtol=0, atol=0)
    assert (padded[..., height:, :width] == image[..., -1:, :]).all()
    assert (padded[..., width:] == padded[..., width - 1 : width]).all()


def test_what_fits_is_not_copied():
    image = torch.rand(1, 3, 8, 4)
    assert pad_to(image, 4) is image


def test_gradient_of_a_repeated_pixel_is_counted_as_often():
    image = torch.rand(1, 1, 1, 2, dtype=torch.float64, requires_grad=True)
    pad_to(image, 3).sum().backward()
    assert image.grad.flatten().tolist() == [3, 6]


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`multiple`"):
        pad_to(torch.rand(1, 3, 4, 4), 0)
    with pytest.raises(UserError, match="`minimum`"):
        pad_to(torch.rand(1, 3, 4, 4), 2, minimum=-1)
