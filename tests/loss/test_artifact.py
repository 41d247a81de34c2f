import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wildsr.error import UserError
from wildsr.loss.artifact import LDL, artifact_map


def images(count, *shape, seed=0, dtype=torch.float64):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_by_hand():
    # A spike of 1 in the middle of 3 x 3, window 3, borders mirrored: a corner's window holds 4
    # ones, an edge's 2, the middle's 1; k ones of 9 have the variance (k - k^2 / 9) / 8.
    target, prediction = torch.zeros(2, 1, 1, 3, 3)
    prediction[..., 1, 1] = 1
    corner, edge, middle = ((k - k * k / 9) / 8 for k in (4, 2, 1))
    whole = (1 / 9) ** 0.2
    rows = [[corner, edge, corner], [edge, middle, edge], [corner, edge, corner]]
    expected = whole * torch.tensor(rows)[None, None]
    torch.testing.assert_close(artifact_map(prediction, target, window=3), expected)
    loss = LDL(window=3)(prediction=prediction, target=target)
    assert loss.item() == pytest.approx(whole * middle / 9)


@pytest.mark.parametrize(("channels", "window"), [(3, 7), (1, 5), (3, 3)])
def test_against_numpy(channels, window):
    prediction, target, average = images(3, 2, channels, 6, 9)
    radius = window // 2
    residual, steady = (np.abs(target.numpy() - x.numpy()).sum(1) for x in (prediction, average))
    expected = np.zeros((2, 1, 6, 9))
    for image, row, column in np.ndindex(2, 6, 9):
        if residual[image, row, column] < steady[image, row, column]:
            continue
        padded = np.pad(residual[image], radius, mode="reflect")
        local = padded[row : row + window, column : column + window].var(ddof=1)
        expected[image, 0, row, column] = residual[image].var(ddof=1) ** 0.2 * local
    result = artifact_map(prediction, target, average, window)
    np.testing.assert_allclose(result.numpy(), expected, rtol=1e-10)
    assert 0.2 < (expected == 0).mean() < 0.8
    loss = LDL(window)(prediction, target, average)
    mean = (expected * np.abs((prediction - target).numpy())).mean()
    assert loss.item() == pytest.approx(mean, rel=1e-10)


def test_who_is_exempt():
    prediction, target = images(2, 1, 3, 8, 8)
    free = LDL()(prediction, target)
    assert free > 0
    assert LDL()(prediction, target, target) == free  # the average is right where it is wrong
    assert LDL()(prediction, target, prediction) == free  # no worse than the average is not better
    worse = target + 2 * (prediction - target)
    assert LDL()(prediction, target, worse) == 0  # on the way to true detail


def test_what_is_no_artifact():
    _, target = images(2, 1, 3, 8, 8)
    assert LDL()(target, target) == 0
    assert LDL()(target + 0.25, target).item() == pytest.approx(0, abs=1e-12)  # an even shift


def test_the_map_is_a_constant():
    prediction, target, average = (x.requires_grad_() for x in images(3, 2, 3, 8, 8).unbind())
    LDL()(prediction, target, average).backward()
    weights = artifact_map(prediction, target, average)
    expected = weights * (prediction - target).sign() / prediction.numel()
    torch.testing.assert_close(prediction.grad, expected.detach())
    torch.testing.assert_close(target.grad, -expected.detach())
    assert average.grad is None
    assert not weights.requires_grad


@pytest.mark.parametrize("start", ["equal", "shifted"])
def test_gradient_is_finite_where_nothing_varies(start):
    target = torch.full((1, 3, 8, 8), 0.5)
    prediction = (target + (start == "shifted") * 0.25).requires_grad_()
    LDL()(prediction, target).backward()
    assert prediction.grad.isfinite().all()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0.1, 1))
def test_scale_of_the_residual(seed, factor):
    prediction, target = images(2, 1, 3, 8, 8, seed=seed)
    # Both variances go with the square, one of them to the power 1/5; the difference itself once.
    expected = factor ** (2 / 5 + 2 + 1) * LDL()(prediction, target)
    torch.testing.assert_close(LDL()(target + factor * (prediction - target), target), expected)


def test_precision():
    x, y, average = images(3, 1, 3, 8, 8, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = LDL()(x, y, average)
    assert torch.equal(under, LDL()(x, y, average))
    low = [z.bfloat16() for z in (x, y, average)]
    assert torch.equal(LDL()(*low), LDL()(*(z.float() for z in low)))


def test_shapes_are_refused():
    x = torch.rand(1, 3, 8, 8)
    with pytest.raises(UserError, match=r"\(1, 3, 8, 8\) and \(1, 1, 8, 8\)"):
        LDL()(x, x[:, :1])
    with pytest.raises(UserError, match=r"`average` must .* \(1, 3, 8, 8\) .* got \(1, 1, 8, 8\)"):
        LDL()(x, x, x[:, :1])
    with pytest.raises(UserError, match=r"at least 4 pixels for `window`=7, but got \(1, 3, 3, 8"):
        LDL()(x[:, :, :3], x[:, :, :3])
    assert LDL()(x[:, :, :4], 1 - x[:, :, :4]) > 0
    for window in (1, 4, 7.0, True):
        with pytest.raises(UserError, match="`window` must be an odd integer of at least 3"):
            LDL(window)
