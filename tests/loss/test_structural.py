import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.metrics import ssim as kornia_ssim
from scipy.signal import convolve2d
from skimage.metrics import structural_similarity
from torch.autograd import gradcheck
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from wildsr.error import UserError
from wildsr.loss.structural import BETAS, MSSSIM, SSIM
from wildsr.metric.fidelity import ssim as metric

LOSSES = [SSIM(), MSSSIM(2)]
C1, C2 = 1e-4, 9e-4


def noisy(*shape, seed=0, level=0.2, dtype=torch.float64):
    """A pair of images alike enough that no scale's mean is negative."""
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(*shape, generator=generator, dtype=dtype)
    return target + level * torch.randn(*shape, generator=generator, dtype=dtype), target


def checkerboard(side):
    row = torch.arange(side)
    return (1 - 2 * ((row[:, None] + row) % 2)).double()[None, None]


def test_flat_images_by_hand():
    half, white = torch.full((1, 1, 22, 22), 0.5), torch.ones(1, 1, 22, 22)
    luminance = (2 * 0.5 + C1) / (0.25 + 1 + C1)
    assert SSIM()(half, white).item() == pytest.approx(1 - luminance, abs=1e-6)
    power = 0.2856 / (0.0448 + 0.2856)
    assert MSSSIM(2)(half, white).item() == pytest.approx(1 - luminance**power, abs=1e-6)


def test_contrast_by_hand():
    board = checkerboard(13)  # averages to 0 under the window, within 1e-4
    expected = 1 - (2 * 0.1 * 0.3 + C2) / (0.1**2 + 0.3**2 + C2)
    result = SSIM()(0.5 + 0.1 * board, 0.5 + 0.3 * board)
    assert result.item() == pytest.approx(expected, abs=1e-4)


def test_ssim_against_others():
    prediction, target = noisy(2, 3, 20, 17)
    ours = SSIM()(prediction, target)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    skimage = np.mean(
        [
            structural_similarity(*pair, data_range=1.0, channel_axis=0, **options)
            for pair in zip(prediction.numpy(), target.numpy(), strict=True)
        ]
    )
    assert ours.item() == pytest.approx(1 - skimage, abs=1e-12)
    kornia = 1 - kornia_ssim(prediction, target, 11, 1.0, eps=0.0, padding="valid").mean()
    torch.testing.assert_close(ours, kornia)
    levels = (prediction.clamp(0, 1) * 255).round() / 255, (target * 255).round() / 255
    torch.testing.assert_close(SSIM()(*levels), 1 - metric(*levels, 0, "rgb").mean())


def reference(x, y, scales):
    """MS-SSIM of two gray images by two-dimensional sums, written out."""
    taps = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    window = np.outer(taps, taps) / taps.sum() ** 2

    def blur(image):
        return convolve2d(image, window, mode="valid")

    def halve(image):  # Wang's code: a 2 x 2 box on mirrored borders, then every second pixel
        padded = np.pad(image, ((0, 1), (0, 1)), mode="symmetric")
        return convolve2d(padded, np.full((2, 2), 0.25), mode="valid")[::2, ::2]

    betas = np.array(BETAS[:scales]) / (1 if scales == 5 else sum(BETAS[:scales]))
    result = 1.0
    for scale, beta in enumerate(betas, 1):
        a, b = blur(x), blur(y)
        contrast = (2 * (blur(x * y) - a * b) + C2) / (
            blur(x * x) - a * a + blur(y * y) - b * b + C2
        )
        luminance = (2 * a * b + C1) / (a * a + b * b + C1)
        result *= (luminance * contrast if scale == scales else contrast).mean() ** beta
        x, y = halve(x), halve(y)
    return result


@pytest.mark.parametrize(("scales", "size"), [(2, (21, 30)), (3, (41, 44)), (5, (161, 170))])
def test_ms_ssim_against_the_formula(scales, size):
    prediction, target = noisy(1, 3, *size)
    pairs = zip(prediction[0].numpy(), target[0].numpy(), strict=True)
    expected = 1 - np.mean([reference(x, y, scales) for x, y in pairs])
    assert MSSSIM(scales)(prediction, target).item() == pytest.approx(expected, abs=1e-12)
    assert expected > 0.01


def test_ms_ssim_against_torchmetrics():
    prediction, target = noisy(1, 1, 192, 176)
    theirs = multiscale_structural_similarity_index_measure(prediction, target, data_range=1.0)
    # Theirs counts reflected borders at the coarsest scale, which ours leaves out.
    assert MSSSIM()(prediction, target).item() == pytest.approx(1 - theirs.item(), abs=2e-3)


def test_one_scale_is_ssim():
    prediction, target = noisy(2, 1, 11, 15)
    per_image = torch.stack([SSIM()(*(x[i : i + 1] for x in (prediction, target))) for i in (0, 1)])
    torch.testing.assert_close(MSSSIM(1)(prediction, target), per_image.mean())


def test_negative_means_are_floored():
    target = noisy(1, 1, 24, 24)[1].requires_grad_()
    opposite = (1 - target.detach()).requires_grad_()
    loss = MSSSIM(2)(opposite, target)
    assert loss.item() == pytest.approx(1 - 1e-4, abs=1e-9)
    loss.backward()
    assert torch.equal(opposite.grad, torch.zeros_like(opposite))
    # Detail inverted, coarse scale equal: the finest mean is floored, the other is 1.
    slope = torch.linspace(0.3, 0.7, 24, dtype=torch.float64).expand(1, 1, 24, 24)
    board = 0.2 * checkerboard(24)
    prediction = (slope + 0.05 * slope.mT - board).requires_grad_()
    loss = MSSSIM(2)(prediction, slope + board)
    loss.backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad.abs().max() > 0
    loss = MSSSIM(2)(slope - board, slope + board)
    assert loss.item() == pytest.approx(1 - 1e-4 ** (0.0448 / (0.0448 + 0.2856)), abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(loss):
    pair = [x.requires_grad_() for x in noisy(1, 1, 21, 22)]
    assert gradcheck(loss, pair, fast_mode=True)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.sampled_from([1, 3]))
def test_equal_images_symmetry_and_range(seed, channels):
    prediction, target = noisy(1, channels, 22, 21, seed=seed, dtype=torch.float32)
    for loss in LOSSES:
        assert loss(target, target).item() == pytest.approx(0, abs=1e-6)
        both = loss(prediction, target), loss(target, prediction)
        torch.testing.assert_close(*both)
        assert 0 < both[0] < 1


@pytest.mark.parametrize("loss", LOSSES)
def test_precision(loss):
    pair = noisy(1, 3, 21, 21, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = loss(*pair)
    assert torch.equal(under, loss(*pair))
    low = [x.bfloat16() for x in pair]
    assert torch.equal(loss(*low), loss(*(x.float() for x in low)))


@pytest.mark.parametrize(
    ("loss", "side"), [(SSIM(), 11), *((MSSSIM(n + 1), 10 * 2**n + 1) for n in range(5))]
)
def test_smallest_side(loss, side):
    image = torch.rand(1, 1, side, side)
    assert loss(image, image.flip(-1)).isfinite()
    small = image[..., 1:]
    with pytest.raises(UserError, match=f"at least {side} pixels, but got .1, 1, {side}, "):
        loss(small, small)


@pytest.mark.parametrize("loss", LOSSES)
def test_shapes_are_refused(loss):
    with pytest.raises(UserError, match=r"\(1, 3, 24, 24\) and \(1, 1, 24, 24\)"):
        loss(torch.rand(1, 3, 24, 24), torch.rand(1, 1, 24, 24))
    with pytest.raises(UserError, match=r"\(B, C, H, W\).*got \(24, 24\)"):
        loss(torch.rand(24, 24), torch.rand(24, 24))


@pytest.mark.parametrize("scales", [0, 6, 2.5, True])
def test_scales(scales):
    with pytest.raises(UserError, match=r"`scales` must be one of \[1, 2, 3, 4, 5\], but got"):
        MSSSIM(scales)
