"""Unsharp masking beside its dense definition by SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data
from torch.autograd import gradcheck

from wildsr.degradation import sharpen
from wildsr.degradation.sharpen import usm
from wildsr.error import UserError


def photo(height, width, channels=3):
    pixels = data.chelsea()[50 : 50 + height, 60 : 60 + width, :channels].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].double() / 255


def dense(image, weight, taps, threshold):
    """The authors' steps with one 2-D kernel; SciPy's "mirror" does not repeat the edge."""
    sigma = 0.3 * ((taps - 1) * 0.5 - 1) + 0.8
    line = np.array([math.exp(-((i - taps // 2) ** 2) / (2 * sigma**2)) for i in range(taps)])
    kernel = np.outer(line, line) / line.sum() ** 2
    out = np.empty(image.shape)
    for b, sample in enumerate(image.numpy()):
        for c, plane in enumerate(sample):
            residual = plane - ndimage.correlate(plane, kernel, mode="mirror")
            mask = (np.abs(residual) * 255 > threshold).astype(float)
            mask = ndimage.correlate(mask, kernel, mode="mirror")
            sharp = np.clip(plane + weight * residual, 0, 1)
            out[b, c] = mask * sharp + (1 - mask) * plane
    return torch.from_numpy(out)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("size", "radius", "taps"),
    [((60, 83), 50, 51), ((40, 33), 9, 9), ((9, 14), 50, 51), ((1, 7), 4, 5), ((1, 1), 50, 51)],
)
def test_equals_the_dense_definition(size, radius, taps):
    image = photo(*size)
    for weight, threshold in ((0.5, 10), (1.5, 3)):
        expected = dense(image, weight, taps, threshold)
        made = usm(image, weight, radius, threshold)
        torch.testing.assert_close(made, expected, atol=1e-9, rtol=0)
        single = usm(image.float(), weight, radius, threshold)
        assert (single - expected).abs().median() < 1e-6  # single ties of the mask aside
    assert (usm(image, 0.5) - dense(image, 0.5, 51, 10)).abs().max() < 1e-9, "the defaults"


def test_larger_images_go_another_way_to_the_same(monkeypatch):
    image = photo(60, 83)
    made = usm(image)
    monkeypatch.setattr(sharpen, "_MATRIX_SIDE", 0)
    torch.testing.assert_close(usm(image), made, atol=1e-9, rtol=0)
    assert sharpen._matrix(7, 5, torch.device("cpu"), torch.float64).sum(1).tolist() == (
        pytest.approx([1] * 7)
    )


def test_sharpens_edges_and_leaves_the_rest():
    step = torch.zeros(1, 3, 8, 120)
    step[..., 60:] = 0.5
    made = usm(step + 0.25)
    assert made[0, 0, 4, 60] > 0.78
    assert made[0, 0, 4, 59] < 0.22
    assert (made[..., :5] - 0.25).abs().max() < 1e-3
    faint = 0.25 + step / 25  # the residual is below 10 / 255
    assert torch.equal(usm(faint), faint)
    assert not torch.equal(usm(faint, threshold=1), faint)
    torch.testing.assert_close(usm(step, radius=0), step)


def test_each_image_has_its_weight_and_threshold():
    images = torch.cat([photo(30, 40), photo(30, 40).flip(-1)])
    weights, thresholds = torch.tensor([0.3, 2.0]), torch.tensor([20.0, 4.0])
    made = usm(images, weights, 20, thresholds)
    for image, weight, threshold, one in zip(images, weights, thresholds, made, strict=True):
        alone = usm(image[None], weight.item(), 20, threshold.item())[0]
        torch.testing.assert_close(one, alone, atol=1e-7, rtol=0)
    gray = usm(images[:, :1], weights, 20, thresholds)
    torch.testing.assert_close(gray, made[:, :1])


def test_gradients():
    image = (0.2 + 0.6 * photo(6, 9, 2)[:, :1]).requires_grad_()
    weight = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, w: usm(x, w, 5, 3.0), (image, weight))
    sharpen._matrix.cache_clear()
    with torch.inference_mode():
        usm(image, weight, 5)
    usm(image, weight, 5).sum().backward()  # the matrices were made in inference mode
    assert weight.grad is not None


def test_ignores_autocast_and_raises_precision():
    image = photo(20, 24).float()
    plain = usm(image)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(usm(image), plain)
    assert usm(image.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"radius": -1}, "`radius` must be an integer of at least 0, but got -1"),
        ({"radius": 2.5}, "`radius` must be an integer"),
        ({"weight": torch.ones(2)}, r"`weight` must be one number or \(1,\)"),
        ({"threshold": torch.ones(1, 1)}, "`threshold` must be one number"),
        ({"image": torch.rand(3, 8, 8)}, "`image` must be"),
    ],
)
def test_mistakes_are_named(options, message):
    with pytest.raises(UserError, match=message):
        usm(**{"image": torch.rand(1, 3, 8, 8), **options})
