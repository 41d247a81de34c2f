"""Mosaics by hand, demosaicing beside Kornia's and SciPy's, with the published filters."""

import numpy as np
import pytest
import torch
from kornia.color import CFA, raw_to_rgb
from scipy import ndimage
from skimage import data
from torch.autograd import gradcheck

from wildsr.degradation.bayer import METHODS, PATTERNS, demosaic, mosaic
from wildsr.error import UserError

# Kornia's name is that of pixel (1, 1) and its neighbour.
NAMES = {"RGGB": CFA.BG, "GRBG": CFA.GB, "GBRG": CFA.GR, "BGGR": CFA.RG}


def photo(height=40, width=52):
    pixels = data.coffee()[100 : 100 + height, 200 : 200 + width].copy()
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].double() / 255


def where(colour, pattern, height, width):
    letters = np.array(list(pattern)).reshape(2, 2)
    rows, columns = np.indices((height, width))
    return letters[rows % 2, columns % 2] == colour


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 1)])
def test_mosaic_takes_the_named_channel(pattern, size):
    image = photo(*size)
    raw = mosaic(image, pattern)[0, 0].numpy()
    for channel, colour in enumerate("RGB"):
        there = where(colour, pattern, *size)
        assert np.array_equal(raw[there], image[0, channel].numpy()[there])


def test_mosaic_by_hand():
    image = torch.stack([torch.full((2, 2), value) for value in (0.1, 0.2, 0.3)])[None]
    assert mosaic(image, "GBRG").flatten().tolist() == pytest.approx([0.2, 0.3, 0.1, 0.2])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(12, 14), (7, 9), (2, 3)])
def test_keeps_what_was_measured_and_constants(method, pattern, size):
    image = photo(*size)
    raw = mosaic(image, pattern)
    made = demosaic(raw, pattern, method)
    assert made.shape == image.shape
    torch.testing.assert_close(mosaic(made, pattern), raw, atol=1e-12, rtol=0)
    gray = torch.full_like(image, 0.4)
    torch.testing.assert_close(demosaic(mosaic(gray, pattern), pattern, method), gray)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_bilinear_is_kornias(pattern):
    raw = mosaic(photo(), pattern)
    expected = raw_to_rgb(raw, NAMES[pattern])
    torch.testing.assert_close(demosaic(raw, pattern, "bilinear"), expected, atol=1e-12, rtol=0)


def malvar(raw, pattern):
    """Figure 2 of the paper, in eighths, filter by filter."""
    height, width = raw.shape
    g_at_rb = [
        [0, 0, -1, 0, 0],
        [0, 0, 2, 0, 0],
        [-1, 2, 4, 2, -1],
        [0, 0, 2, 0, 0],
        [0, 0, -1, 0, 0],
    ]
    in_row = [
        [0, 0, 0.5, 0, 0],
        [0, -1, 0, -1, 0],
        [-1, 4, 5, 4, -1],
        [0, -1, 0, -1, 0],
        [0, 0, 0.5, 0, 0],
    ]
    opposite = [
        [0, 0, -1.5, 0, 0],
        [0, 2, 0, 2, 0],
        [-1.5, 0, 6, 0, -1.5],
        [0, 2, 0, 2, 0],
        [0, 0, -1.5, 0, 0],
    ]
    filtered = {
        name: ndimage.correlate(raw, np.array(kernel) / 8, mode="mirror")
        for name, kernel in {
            "green": g_at_rb,
            "row": in_row,
            "column": np.array(in_row).T,
            "opposite": opposite,
        }.items()
    }
    masks = {colour: where(colour, pattern, height, width) for colour in "RGB"}
    out = np.stack([raw] * 3)
    out[1][~masks["G"]] = filtered["green"][~masks["G"]]
    for channel, colour, other in ((0, "R", "B"), (2, "B", "R")):
        in_its_rows = masks[colour].any(axis=1)[:, None] & masks["G"]
        in_its_columns = masks[colour].any(axis=0)[None, :] & masks["G"]
        out[channel][in_its_rows] = filtered["row"][in_its_rows]
        out[channel][in_its_columns] = filtered["column"][in_its_columns]
        out[channel][masks[other]] = filtered["opposite"][masks[other]]
    return torch.from_numpy(out)[None]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("size", [(40, 52), (9, 13)])
def test_malvar_has_the_published_filters(pattern, size):
    raw = mosaic(photo(*size), pattern)
    expected = malvar(raw[0, 0].numpy(), pattern)
    torch.testing.assert_close(demosaic(raw, pattern), expected, atol=1e-12, rtol=0)


def test_malvar_is_the_better_guess():
    image = photo(160, 200)
    raw = mosaic(image)
    errors = {
        m: (demosaic(raw, "RGGB", m) - image)[..., 4:-4, 4:-4].square().mean() for m in METHODS
    }
    assert errors["bilinear"] > 1.5 * errors["malvar"]


@pytest.mark.parametrize("method", METHODS)
def test_gradients_and_precision(method):
    raw = torch.rand(2, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: demosaic(x, "GRBG", method), (raw,))
    image = torch.rand(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: mosaic(x, "BGGR"), (image,))
    single = raw.detach().float()
    plain = demosaic(single, "GRBG", method)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(demosaic(single, "GRBG", method), plain)
    assert demosaic(single.bfloat16(), "GRBG", method).dtype == torch.float32


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"`pattern` must be one of .* Did you mean 'RGGB'"):
        mosaic(photo(), "RGB")
    with pytest.raises(UserError, match="`pattern` must be one of"):
        demosaic(mosaic(photo()), "rggb")
    with pytest.raises(UserError, match="`method` must be one of"):
        demosaic(mosaic(photo()), method="ahd")
    with pytest.raises(UserError, match=r"`raw` must be \(B, 1, H, W\)"):
        demosaic(photo())
    with pytest.raises(UserError, match="two rows and two columns at least"):
        demosaic(torch.rand(1, 1, 1, 8))
    with pytest.raises(UserError, match=r"`image` must be \(B, 3, H, W\)"):
        mosaic(torch.rand(1, 1, 8, 8))
