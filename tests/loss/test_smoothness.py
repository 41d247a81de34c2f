import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.losses import total_variation as kornia_total_variation
from torch.autograd import gradcheck
from torchmetrics.functional.image import total_variation as torchmetrics_total_variation

from wildsr.error import UserError
from wildsr.loss.smoothness import GradientDifference, TotalVariation


def image(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_by_hand():
    rows = torch.tensor([[0.0, 1.0], [2.0, 1.0], [2.0, 5.0]])[None, None]
    across, down = (1 + 1 + 3) / 3, (2 + 0 + 0 + 4) / 4
    assert TotalVariation()(image=rows).item() == pytest.approx(across + down)


def test_squares_by_hand():
    rows = torch.tensor([[0.0, 1.0], [2.0, 1.0], [2.0, 5.0]])[None, None]
    across, down = (1 + 1 + 9) / 3, (4 + 0 + 0 + 16) / 4
    assert TotalVariation(power=2)(image=rows).item() == pytest.approx(across + down)


def test_another_power_is_refused():
    with pytest.raises(UserError, match="`power` must be 1 or 2, but got 3"):
        TotalVariation(power=3)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 2), st.sampled_from([1, 3]), st.integers(2, 7), st.integers(2, 7))
def test_against_kornia_and_torchmetrics(batch, channels, height, width):
    x = image(batch, channels, height, width)
    kornia = kornia_total_variation(x, reduction="mean").mean()
    torch.testing.assert_close(TotalVariation()(x), kornia)
    # Theirs are sums; those of either direction alone come from images that vary in it alone.
    row = x[:, :, :1].expand_as(x)
    for total in (
        kornia_total_variation(row, reduction="sum").sum(),
        torchmetrics_total_variation(row),
    ):
        expected = total / (batch * channels * height * (width - 1))
        torch.testing.assert_close(TotalVariation()(row), expected)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 1, 5), (2, 3, 5, 1)])
def test_a_side_of_one_pixel_adds_nothing(shape):
    x = image(*shape).requires_grad_()
    loss = TotalVariation()(x)
    loss.backward()
    assert x.grad.isfinite().all()
    steps = [x.diff(dim=dim) for dim in (2, 3) if x.shape[dim] > 1]
    assert loss.item() == pytest.approx(sum(step.abs().mean().item() for step in steps))


def test_gradient_difference_by_hand():
    prediction = torch.tensor([[0.0, 1.0], [0.0, 3.0]])[None, None]
    target = torch.tensor([[5.0, 5.0], [5.0, 6.0]])[None, None]
    # Differences of -5, -4, -5, -3: steps of 1 and 2 across, of 0 and 1 down.
    assert GradientDifference()(prediction=prediction, target=target).item() == 3 / 2 + 1 / 2
    assert GradientDifference()(prediction, prediction + 7) == 0
    pair = (image(1, 2, 3, 4).requires_grad_(), image(1, 2, 3, 4, seed=1).requires_grad_())
    assert gradcheck(GradientDifference(), pair)
    with pytest.raises(UserError, match="must have the same shape"):
        GradientDifference()(prediction, target[..., :1])


def test_flat_images_and_range():
    assert TotalVariation()(torch.full((1, 3, 4, 4), 0.3)) == 0
    row = torch.arange(4)
    checkerboard = ((row[:, None] + row) % 2).float()[None, None]
    assert TotalVariation()(checkerboard) == 2
    assert TotalVariation()(checkerboard + 7) == 2


def test_gradients():
    assert gradcheck(TotalVariation(), (image(1, 2, 3, 4).requires_grad_(),))


def test_precision():
    x = image(1, 3, 8, 8, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = TotalVariation()(x)
    assert torch.equal(under, TotalVariation()(x))
    assert torch.equal(TotalVariation()(x.half()), TotalVariation()(x.half().float()))


def test_shapes_are_refused():
    with pytest.raises(UserError, match=r"`image` must be \(B, C, H, W\), but got \(4, 4\)"):
        TotalVariation()(torch.rand(4, 4))
