import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.color import rgb2ycbcr
from torch.autograd import gradcheck

from wildsr.error import UserError
from wildsr.loss.consistency import Colour, LowFrequency, LowPass, LRConsistency
from wildsr.network.front.front import Haar

BLURRED = [LowFrequency(1.5), Colour(1.5)]
LOSSES = [LRConsistency(), *BLURRED]


def image(*shape, seed=0, dtype=torch.float64):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def shrunk(picture, scale):
    """Antialiased bicubic of (C, H, W) by Pillow, in floats."""
    size = (picture.shape[2] // scale, picture.shape[1] // scale)
    planes = [Image.fromarray(plane.astype(np.float32)) for plane in picture]
    return np.stack([np.asarray(plane.resize(size, Image.Resampling.BICUBIC)) for plane in planes])


def blurred(picture, sigma):
    """Gaussian of (C, H, W) by SciPy, cut at 3 sigma, borders reflected."""
    radius = int(np.ceil(3 * sigma))
    return gaussian_filter(picture, (0, sigma, sigma), mode="mirror", radius=(0, radius, radius))


def test_flat_images_by_hand():
    sr, lr = torch.full((1, 3, 8, 12), 0.75), torch.full((1, 3, 4, 6), 0.5)
    assert LRConsistency()(sr, lr).item() == pytest.approx(0.25)
    assert LowFrequency()(sr, lr).item() == pytest.approx(0.25)
    assert LowFrequency()(sr, 1 - sr).item() == pytest.approx(0.5)
    red, black = torch.zeros(2, 1, 3, 4, 4)
    red[:, 0] = 1  # Y = 0.299: Cb = -0.564 * 0.299, Cr = 0.713 * 0.701
    expected = (0.564 * 0.299 + 0.713 * 0.701) / 2
    assert Colour()(red, black).item() == pytest.approx(expected, rel=1e-5)


def test_low_pass_by_hand():
    prediction = torch.zeros(1, 1, 3, 4)
    prediction[..., 1, 1] = 1  # in boxes of 2, step 1: in 2 x 2 of 2 x 3 places, 1/4 each
    zero = torch.zeros_like(prediction)
    assert LowPass(2)(prediction, zero).item() == pytest.approx(4 / 6 / 4)
    assert LowPass(2, stride=2)(prediction, zero).item() == pytest.approx(1 / 2 / 4)
    assert LowPass(1)(prediction, zero).item() == pytest.approx(1 / 12)
    checkerboard = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(2, 2)[None, None]
    assert LowPass(2)(checkerboard, torch.zeros(1, 1, 4, 4)) == 0, "details are free"


def test_low_pass_is_half_of_the_ll_band():
    x, y = image(1, 3, 6, 8), image(1, 3, 6, 8, seed=1)
    band = Haar(["ll"])
    expected = (band(x) / 2 - band(y) / 2).abs().mean()
    torch.testing.assert_close(LowPass(2, 2)(x, y), expected)


def test_low_pass_gradients_and_mistakes():
    pair = (image(1, 2, 5, 6).requires_grad_(), image(1, 2, 5, 6, seed=1).requires_grad_())
    assert gradcheck(LowPass(3), pair)
    with pytest.raises(UserError, match=r"sides of at least 5, the `size` of the box.*4, 6\)"):
        LowPass()(image(1, 3, 4, 6), image(1, 3, 4, 6))
    with pytest.raises(UserError, match="must have the same shape"):
        LowPass()(image(1, 3, 4, 6), image(1, 3, 6, 6))
    with pytest.raises(UserError, match=r"`stride` must be an integer of at least 1, but got 0"):
        LowPass(stride=0)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_lr_consistency_against_pillow(scale):
    sr, lr = image(1, 3, 5 * scale, 6 * scale), image(1, 3, 5, 6, seed=1)
    expected = np.abs(shrunk(sr[0].numpy(), scale) - lr[0].numpy()).mean()
    assert LRConsistency()(sr=sr, lr=lr).item() == pytest.approx(expected, abs=1e-6)
    consistent = torch.from_numpy(shrunk(sr[0].numpy(), scale))[None]
    assert LRConsistency()(sr, consistent).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("sigma", [0.5, 1.3, 3.0])
def test_low_frequency_against_scipy(sigma):
    prediction, target = image(1, 3, 9, 14), image(1, 3, 9, 14, seed=1)
    expected = np.abs(blurred(prediction[0].numpy(), sigma) - blurred(target[0].numpy(), sigma))
    ours = LowFrequency(sigma)(prediction, target)
    assert ours.item() == pytest.approx(expected.mean(), rel=1e-9)


def test_two_sizes_against_pillow_and_scipy():
    large, small = image(1, 3, 16, 12), image(1, 3, 4, 3, seed=1)
    expected = np.abs(blurred(shrunk(large[0].numpy(), 4), 1.5) - blurred(small[0].numpy(), 1.5))
    for pair in ((large, small), (small, large)):
        assert LowFrequency(1.5)(*pair).item() == pytest.approx(expected.mean(), abs=1e-6)
    assert Colour(1.5)(large, small) == Colour(1.5)(small, large) > 0


def test_colour_against_skimage():
    prediction, target = image(1, 3, 9, 14), image(1, 3, 9, 14, seed=1)
    chroma = [
        rgb2ycbcr(blurred(x[0].numpy(), 1.5), channel_axis=0)[1:] / 224  # 8-bit studio swing
        for x in (prediction, target)
    ]
    expected = np.abs(chroma[0] - chroma[1]).mean()  # its factors have more digits than BT.601's
    assert Colour(1.5)(prediction, target).item() == pytest.approx(expected, rel=1e-3)


def test_what_is_free():
    target = image(1, 3, 12, 12)
    row = torch.arange(12)
    detail = 0.2 * (1 - 2 * ((row[:, None] + row) % 2))
    assert LowFrequency(1.5)(target + detail, target) < 1e-3 * detail.abs().mean()
    assert Colour(1.5)(target + 0.3, target).item() == pytest.approx(0, abs=1e-12)
    assert Colour(1.5)(target * torch.tensor([1, 1, 0.5]).view(3, 1, 1), target) > 0.05


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from([1, 3]), st.integers(1, 5), st.integers(1, 5))
def test_any_size_gray_or_colour(seed, channels, height, width):
    sr, lr = image(2, channels, 2 * height, 2 * width, seed=seed), image(2, channels, height, width)
    assert LRConsistency()(sr, lr) > 0
    for loss in (LowFrequency(4.0), Colour(4.0)):
        value = loss(sr, lr)
        assert value > 0 if channels == 3 or isinstance(loss, LowFrequency) else value == 0
        assert loss(sr, sr) == 0
    assert LRConsistency()(lr, lr) == 0


def test_gray_has_no_colour_and_still_a_gradient():
    gray = image(1, 1, 8, 8).requires_grad_()
    loss = Colour()(gray, image(1, 1, 8, 8, seed=1))
    assert loss == 0
    loss.backward()
    assert torch.equal(gray.grad, torch.zeros_like(gray))
    same = image(1, 1, 8, 8).expand(1, 3, 8, 8)
    assert Colour()(same, same.flip(2)).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(loss):
    sr, lr = image(1, 3, 4, 6).requires_grad_(), image(1, 3, 2, 3, seed=1).requires_grad_()
    assert gradcheck(loss, (sr, lr))


@pytest.mark.parametrize("loss", LOSSES)
def test_precision(loss):
    sr, lr = image(1, 3, 8, 8).float(), image(1, 3, 4, 4, seed=1).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        under = loss(sr, lr)
    assert torch.equal(under, loss(sr, lr))
    low = sr.bfloat16(), lr.bfloat16()
    assert torch.equal(loss(*low), loss(*(x.float() for x in low)))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(
    "shapes",
    [
        ((1, 3, 8, 8), (1, 3, 3, 4)),
        ((1, 3, 9, 9), (1, 3, 4, 4)),
        ((1, 3, 8, 4), (1, 3, 4, 4)),
        ((1, 3, 8, 8), (1, 1, 4, 4)),
        ((2, 3, 8, 8), (1, 3, 4, 4)),
        ((3, 8, 8), (3, 4, 4)),
    ],
)
def test_shapes_are_refused(loss, shapes):
    with pytest.raises(UserError, match=r"must be \(B, C, sH, sW\)"):
        loss(*(torch.rand(shape) for shape in shapes))


def test_an_lr_larger_than_its_sr_is_refused():
    with pytest.raises(UserError, match=r"`sr` .* got \(1, 3, 4, 4\) and \(1, 3, 8, 8\)"):
        LRConsistency()(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 8, 8))


def test_options_and_channels():
    for kind in (LowFrequency, Colour):
        for sigma in (0, -1, float("nan"), float("inf")):
            with pytest.raises(UserError, match="`sigma` must be a positive number, but got"):
                kind(sigma)
    assert Colour()(*torch.rand(2, 1, 4, 8, 8)) > 0
