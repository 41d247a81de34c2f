"""One number for a batch or one for each image, and nothing else."""

import pytest
import torch

from wildsr.degradation.argument import check_image, for_each
from wildsr.error import UserError
from wildsr.pixels import at_least_float32


def test_for_each():
    images = torch.rand(3, 1, 2, 2, dtype=torch.float64)
    for one in (2, 2.0, torch.tensor(2), torch.tensor([2.0])):
        made = for_each("x", one, images)
        assert made.dtype == torch.float64
        assert made.tolist() == [[[[2.0]]]] * 3
    values = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    made = for_each("x", values, images)
    assert made.flatten().tolist() == [1, 2, 3]
    made.sum().backward()
    assert values.grad.tolist() == [1, 1, 1]
    for wrong in (torch.ones(2), torch.ones(3, 1), torch.ones(1, 1)):
        with pytest.raises(
            UserError, match=r"`x` must be one number or \(3,\), .* but got the shape"
        ):
            for_each("x", wrong, images)


def test_check_image():
    check_image(torch.rand(1, 3, 1, 1))
    check_image(torch.rand(1, 1, 1, 1), (3, 1))
    with pytest.raises(
        UserError, match=r"`raw` must be \(B, 1, H, W\) .* \(1, 3, 1, 1\) of float32"
    ):
        check_image(torch.rand(1, 3, 1, 1), (1,), "raw")
    with pytest.raises(UserError, match=r"\(B, 3, H, W\) or \(B, 1, H, W\)"):
        check_image(torch.rand(0, 3, 1, 1), (3, 1))
    with pytest.raises(UserError, match="of int64"):
        check_image(torch.ones(1, 3, 1, 1, dtype=torch.int64))


def test_at_least_float32():
    for given, expected in (
        ("bfloat16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
    ):
        image = torch.rand(1, 3, 2, 2).to(getattr(torch, given))
        assert at_least_float32(image).dtype == getattr(torch, expected)
