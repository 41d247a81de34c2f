import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.loss.frequency import Amplitude, FocalFrequency

LOSSES = [FocalFrequency(), FocalFrequency(0.5, 2), Amplitude()]


def pair(*shape, seed=0, dtype=torch.float64):
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_focal_frequency_by_hand():
    target = torch.zeros(1, 1, 2, 2)
    spike = torch.tensor([1.0, 0, 0, 0]).view(1, 1, 2, 2)  # every |F| is 1/2, every weight 1
    assert FocalFrequency()(spike, target).item() == 0.25
    # |F| = 5/2, 1/2, 1/2, 1/2: weights 1, 1/5, 1/5, 1/5
    assert FocalFrequency()(spike + 1, target).item() == pytest.approx((25 + 3 / 5) / 16)
    assert FocalFrequency(alpha=2)(spike + 1, target).item() == pytest.approx((25 + 3 / 25) / 16)
    # Patches of a pixel: each one's spectrum is itself, with weight 1.
    assert FocalFrequency(patch_factor=2)(spike + 1, target).item() == (4 + 1 + 1 + 1) / 4


def test_amplitude_by_hand():
    # The transform of (3, 1) is (4, 2) / sqrt(2).
    row = torch.tensor([3.0, 1.0]).view(1, 1, 1, 2)
    assert Amplitude()(row, torch.zeros(1, 1, 1, 2)).item() == pytest.approx(3 / 2**0.5)
    assert Amplitude()(torch.zeros(1, 1, 1, 2), -row).item() == pytest.approx(3 / 2**0.5)


@pytest.mark.parametrize(("alpha", "patch_factor"), [(1.0, 1), (0.5, 2), (2.0, 3), (0.0, 1)])
def test_focal_frequency_against_numpy(alpha, patch_factor):
    prediction, target = pair(2, 3, 6, 12)
    prediction.requires_grad_()
    loss = FocalFrequency(alpha, patch_factor)(prediction, target)
    loss.backward()
    difference = (prediction.detach() - target).numpy()
    gradient, total = np.zeros_like(difference), 0.0
    height, width = 6 // patch_factor, 12 // patch_factor
    for image, channel, top, left in np.ndindex(2, 3, patch_factor, patch_factor):
        rows = slice(top * height, (top + 1) * height)
        columns = slice(left * width, (left + 1) * width)
        spectrum = np.fft.fft2(difference[image, channel, rows, columns], norm="ortho")
        weights = np.abs(spectrum) ** alpha / (np.abs(spectrum) ** alpha).max()
        total += (weights * np.abs(spectrum) ** 2).sum()
        # Of sum w |F|^2 with w constant and F unitary: 2 F^-1(w F).
        part = 2 * np.fft.ifft2(weights * spectrum, norm="ortho").real
        gradient[image, channel, rows, columns] = part
    assert loss.item() == pytest.approx(total / difference.size, rel=1e-12)
    np.testing.assert_allclose(prediction.grad.numpy(), gradient / difference.size, atol=1e-12)


@pytest.mark.parametrize("size", [(6, 7), (5, 8), (1, 3)])
def test_amplitude_against_numpy(size):
    prediction, target = pair(2, 3, *size)
    spectra = [np.abs(np.fft.fft2(x.numpy(), norm="ortho")) for x in (prediction, target)]
    kept = np.abs(spectra[0] - spectra[1])[..., : size[1] // 2 + 1]
    assert Amplitude()(prediction, target).item() == pytest.approx(kept.mean(), rel=1e-12)


def test_amplitude_leaves_the_place_free():
    image = pair(1, 3, 8, 8)[0]
    shifted = image.roll((3, -2), (2, 3))
    assert Amplitude()(shifted, image).item() == pytest.approx(0, abs=1e-12)
    assert FocalFrequency()(shifted, image) > 1e-3


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.floats(0, 4), st.sampled_from([1, 2, 4]))
def test_focal_frequency_is_below_the_mean_square(seed, alpha, patch_factor):
    prediction, target = pair(1, 3, 8, 8, seed=seed)
    square = F.mse_loss(prediction, target)
    assert 0 < FocalFrequency(alpha, patch_factor)(prediction, target) <= square * (1 + 1e-9)
    torch.testing.assert_close(FocalFrequency(0, patch_factor)(prediction, target), square)


@pytest.mark.parametrize("loss", LOSSES)
def test_equal_and_gray_images(loss):
    prediction, target = pair(2, 1, 8, 8, dtype=torch.float32)
    assert loss(target, target) == 0
    assert loss(prediction, target) == loss(target, prediction) > 0
    colour = [x.expand(-1, 3, -1, -1) for x in (prediction, target)]
    torch.testing.assert_close(loss(*colour), loss(prediction, target))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_gradient_where_spectra_are_zero(loss, level):
    image = torch.full((1, 1, 4, 4), level, requires_grad=True)
    loss(image, torch.full((1, 1, 4, 4), level)).backward()
    assert image.grad.isfinite().all()
    image.grad = None
    loss(image, torch.rand(1, 1, 4, 4)).backward()
    assert image.grad.isfinite().all()
    assert loss is LOSSES[2] or image.grad.abs().max() > 0


@pytest.mark.parametrize("loss", [FocalFrequency(0), FocalFrequency(0, 2), Amplitude()])
def test_gradients(loss):
    assert gradcheck(loss, tuple(x.requires_grad_() for x in pair(1, 2, 4, 4)))


@pytest.mark.parametrize("loss", LOSSES)
def test_precision(loss):
    images = pair(1, 3, 8, 8, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = loss(*images)
    assert torch.equal(under, loss(*images))
    low = images.bfloat16()
    assert torch.equal(loss(*low), loss(*low.float()))
    # The smallest differences that float32 holds are weighed as larger ones are.
    tiny = loss(1e-12 * images[0], 1e-12 * images[1])
    power = 1 if isinstance(loss, Amplitude) else 2
    assert tiny.item() == pytest.approx(1e-12**power * loss(*images).item(), rel=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_shapes_are_refused(loss):
    with pytest.raises(UserError, match=r"\(1, 3, 4, 4\) and \(1, 1, 4, 4\)"):
        loss(torch.rand(1, 3, 4, 4), torch.rand(1, 1, 4, 4))
    with pytest.raises(UserError, match=r"\(B, C, H, W\), but got \(4, 4\)"):
        loss(torch.rand(4, 4), torch.rand(4, 4))


def test_options():
    with pytest.raises(UserError, match=r"`patch_factor`=3, but got \(1, 1, 6, 8\)"):
        FocalFrequency(patch_factor=3)(*torch.rand(2, 1, 1, 6, 8))
    with pytest.raises(UserError, match=r"`alpha` must be at least 0, but got -1"):
        FocalFrequency(-1)
    for factor in (0, 1.5, True):
        with pytest.raises(UserError, match=r"`patch_factor` must be an integer of at least 1"):
            FocalFrequency(patch_factor=factor)
