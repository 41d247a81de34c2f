"""JPEG beside libjpeg, beside Kornia's, and its gradients beside those of smooth references."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kornia.enhance import jpeg_codec_differentiable
from PIL import Image
from scipy import fft
from skimage import data
from torch.nn import functional as F

from wildsr.degradation.jpeg import jpeg as module
from wildsr.degradation.jpeg.chrominance import SUBSAMPLINGS
from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.degradation.jpeg.jpeg import CHROMINANCE, LUMINANCE, jpeg, quantisation_tables
from wildsr.error import UserError


def tensor(pixels):
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255


def coffee(height=64, width=64):
    return tensor(data.coffee()[100 : 100 + height, 200 : 200 + width])


def smooth(batch, channels, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(batch, channels, height // 4 + 2, width // 4 + 2, generator=generator)
    return F.interpolate(small, size=(height, width), mode="bicubic").clamp(0, 1)


def psnr(a, b):
    return -10 * (a - b).square().mean().clamp_min(1e-12).log10().item()


def kornia(image, quality):
    return jpeg_codec_differentiable(image, torch.tensor([float(quality)])).clamp(0, 1)


@pytest.mark.parametrize(
    ("quality", "luminance", "chrominance"),
    [  # the first entries of the first row, and the last of the last
        (50, [16, 11, 10, 16, 24, 40, 51, 61, 99], [17, 18, 24, 47, 99, 99, 99, 99, 99]),
        (90, [3, 2, 2, 3, 5, 8, 10, 12, 20], [3, 4, 5, 9, 20, 20, 20, 20, 20]),
        (10, [80, 55, 50, 80, 120, 200, 255, 255, 255], [85, 90, 120, 235, *[255] * 5]),
        (30, [27, 18, 17, 27, 40, 66, 85, 101, 164], [28, 30, 40, 78, *[164] * 5]),
        (100, [1] * 9, [1] * 9),
    ],
)
def test_tables_by_hand(quality, luminance, chrominance):
    tables = quantisation_tables(torch.tensor([float(quality)]))
    for table, expected in zip(tables, (luminance, chrominance), strict=True):
        assert [*table[0, 0].tolist(), table[0, 7, 7].item()] == expected
    assert quality != 50 or tables[0][0, 1, 0] == 12, "not transposed"


def test_tables_of_every_quality_are_those_in_a_file():
    for quality in range(1, 101):
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "JPEG", quality=quality)
        written = Image.open(file).quantization
        for index, table in enumerate(quantisation_tables(torch.tensor([float(quality)]))):
            assert table.flatten().int().tolist() == list(written[index]), quality


def test_qualities_between_and_outside():
    qualities = torch.tensor([-3.0, 1.0, 62.5, 100.0, 130.0])
    luminance, _ = quantisation_tables(qualities)
    assert torch.equal(luminance[0], luminance[1])
    assert torch.equal(luminance[3], luminance[4])
    assert luminance[2, 0, 0] == 12  # a scale of 75: floor(12.5)
    assert luminance[2, 7, 7] == 74  # floor(74.75)


@pytest.mark.parametrize("photo", ["astronaut", "coffee", "chelsea"])
@pytest.mark.parametrize("quality", [30, 60, 90])
def test_is_libjpegs_and_closer_than_kornias(photo, quality):
    image = tensor(getattr(data, photo)()[60:220, 90:290])
    real = libjpeg(image, quality)
    ours = psnr(jpeg(image, quality), real)
    assert ours > 52
    assert ours > psnr(kornia(image, quality), real) + 8


@pytest.mark.skipif("WILDSR_SHARED" not in os.environ, reason="needs WILDSR_SHARED")
@pytest.mark.parametrize("quality", [30, 60, 90])
def test_is_libjpegs_on_bsds500(quality):
    files = sorted(Path(os.environ["WILDSR_SHARED"], "data/bsds500/test").glob("*.jpg"))[::20]
    assert files
    for file in files:  # which were JPEG files before: coefficients on ties
        image = tensor(Image.open(file).convert("RGB"))
        real = libjpeg(image, quality)
        ours = psnr(jpeg(image, quality), real)
        assert ours > 46
        assert ours > psnr(kornia(image, quality), real) + 5


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [10, 50, 75, 100])
def test_single_colours_are_exact(subsampling, quality):
    generator = torch.Generator().manual_seed(quality)
    image = torch.randint(0, 256, (300, 3, 1, 1), generator=generator).expand(-1, -1, 8, 8) / 255
    assert torch.equal(jpeg(image, quality, subsampling), libjpeg(image, quality, subsampling))


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize(
    "size", [(1, 1), (1, 9), (2, 4), (9, 3), (8, 5), (15, 16), (17, 6), (18, 31), (33, 34)]
)
def test_any_size(subsampling, size):
    images = smooth(15, 3, *size)
    for quality in (40, 90):
        made, real = jpeg(images, quality, subsampling), libjpeg(images, quality, subsampling)
        assert made.shape == images.shape
        # The median: a single coefficient on the other side of a tie is seen in so few pixels.
        assert np.median([psnr(*pair) for pair in zip(made, real, strict=True)]) > 48


def test_the_kind_of_subsampling_matters():
    image = coffee()
    real = {kind: libjpeg(image, 75, kind) for kind in SUBSAMPLINGS}
    for kind in SUBSAMPLINGS:
        near = {other: psnr(jpeg(image, 75, kind), real[other]) for other in SUBSAMPLINGS}
        assert near.pop(kind) > max(near.values()) + 8


@pytest.mark.parametrize("size", [(1, 1), (20, 37), (64, 48)])
def test_gray(size):
    image = coffee(*size)[:, 1:2]
    for quality in (30, 90):
        made = jpeg(image, quality)
        assert made.shape == image.shape
        assert psnr(made, libjpeg(image, quality)) > 52
        for kind in SUBSAMPLINGS:
            assert torch.equal(jpeg(image, quality, kind), made)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.floats(1, 100), min_size=3, max_size=3),
    st.sampled_from(SUBSAMPLINGS),
    st.sampled_from([1, 3]),
)
def test_each_image_has_its_quality(qualities, subsampling, channels):
    images = smooth(3, channels, 19, 22)
    quality = torch.tensor(qualities)
    together = jpeg(images, quality, subsampling)
    for image, one, made in zip(images, quality, together, strict=True):
        assert torch.equal(jpeg(image[None], one, subsampling)[0], made)
    levels = together * 255
    assert (levels - levels.round()).abs().max() < 1e-4
    assert 0 <= levels.min() <= levels.max() <= 255


def test_rounds_and_clamps_its_input():
    image = coffee() + torch.linspace(-0.45, 0.45, 64) / 255
    assert torch.equal(jpeg(image, 60), jpeg((image * 255).round() / 255, 60))
    assert torch.equal(jpeg(2 * image - 0.5, 60), jpeg((2 * image - 0.5).clamp(0, 1), 60))


def test_precision():
    image = coffee()
    plain = jpeg(image, 60)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(jpeg(image, 60), plain)
    coarse = image.bfloat16()
    assert torch.equal(jpeg(coarse, 60), jpeg(coarse.float(), 60))
    assert jpeg(coarse, 60).dtype == torch.float32
    double = jpeg(image.double(), 60)
    assert double.dtype == torch.float64
    assert psnr(double, plain.double()) > 70


def linear(image, subsampling):
    """The transform without any rounding: block transforms cancel, chrominance is filtered."""
    to_ycc = torch.tensor(
        [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
    ).to(image)
    height, width = image.shape[2:]
    ycc = torch.einsum("ij,bjhw->bihw", to_ycc, image)
    if subsampling != "4:4:4":
        rows = 2 if subsampling == "4:2:0" else 1
        chroma = F.pad(ycc[:, 1:], (0, width % 2, 0, height % rows), "replicate")
        chroma = F.avg_pool2d(chroma, (rows, 2))
        chroma = F.interpolate(chroma, scale_factor=(rows, 2), mode="bilinear")
        ycc = torch.cat([ycc[:, :1], chroma[..., :height, :width]], 1)
    return torch.einsum("ij,bjhw->bihw", to_ycc.inverse(), ycc)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("size", [(32, 48), (19, 23)])
def test_the_gradient_of_the_image_is_that_without_rounding(subsampling, size):
    image = smooth(2, 3, *size).double()
    weight = torch.randn(image.shape, generator=torch.Generator().manual_seed(2)).double()
    gradients = []
    for made in (
        lambda x: jpeg(x, torch.tensor([30.0, 80.0]), subsampling),
        lambda x: linear(x, subsampling),
    ):
        x = image.clone().requires_grad_()
        (made(x) * weight).sum().backward()
        gradients.append(x.grad)
    assert gradients[0].abs().min() > 0
    torch.testing.assert_close(*gradients, atol=3e-4, rtol=0)  # libjpeg's integer matrices


def rounded(coefficients, table):
    """Integers of 1/8 divided by the table, ties away from 0, as libjpeg does."""
    eighths = (8 * coefficients).round()
    return np.sign(eighths) * np.floor(np.abs(eighths) / (8 * table) + 0.5)


def blocks(plane):
    return plane.reshape(2, 8, 3, 8).transpose(0, 2, 1, 3)  # of 16 x 24 pixels


def test_the_gradient_of_the_quality_is_that_of_the_equation():
    image = smooth(2, 1, 16, 24)
    weight = torch.randn(image.shape, generator=torch.Generator().manual_seed(3))
    quality = torch.tensor([30.0, 80.0], requires_grad=True)
    (jpeg(image, quality) * weight).sum().backward()
    slopes = [-5000 / 30**2, -2]  # of the scale
    for index in range(2):
        table = quantisation_tables(quality.detach())[0][index].numpy()
        levels = (image[index, 0].numpy() * 255).round() - 128
        coefficients = fft.dctn(blocks(levels), axes=(2, 3), norm="ortho")
        spectrum = fft.dctn(blocks(weight[index, 0].numpy()), axes=(2, 3), norm="ortho")
        residual = rounded(coefficients, table) - coefficients / table
        by_table = (spectrum * residual).sum((0, 1)) / 255
        expected = (by_table * np.array(LUMINANCE) / 100).sum() * slopes[index]
        assert quality.grad[index].item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("start", "target"), [(40.0, 80.0), (95.0, 60.0)])
def test_a_quality_can_be_learned_from_the_strength_of_its_artefacts(start, target):
    image = coffee()

    def strength(quality):
        return (jpeg(image, quality) - image).square().mean().log()

    quality = torch.tensor([start], requires_grad=True)
    optimizer = torch.optim.Adam([quality], lr=2)
    for _ in range(60):
        optimizer.zero_grad()
        (strength(quality) - strength(target)).square().backward()
        optimizer.step()
    assert quality.item() == pytest.approx(target, abs=6)


def cubic(plane, table):
    """Gray levels (16, 24) through blocks with [x] that has the slope of (x - [x])^3, by SciPy."""
    transform = torch.from_numpy(fft.dct(np.eye(8), axis=0, norm="ortho"))
    cells = plane.view(2, 8, 3, 8).transpose(1, 2)
    coefficients = transform @ cells @ transform.T
    ratio = coefficients / table
    whole = torch.from_numpy(rounded(coefficients.detach().numpy(), table.detach().numpy()))
    cube = (ratio - whole) ** 3
    decoded = transform.T @ ((whole + cube - cube.detach()) * table) @ transform
    return decoded.transpose(1, 2).reshape(16, 24)


def test_the_cubic_surrogate_has_the_values_of_jpeg_and_the_gradient_of_the_cube():
    image = smooth(1, 1, 16, 24).double()
    weight = torch.randn(16, 24, generator=torch.Generator().manual_seed(4)).double()
    quality = torch.tensor([70.0], dtype=torch.float64, requires_grad=True)
    x = image.clone().requires_grad_()
    made = jpeg(x, quality, surrogate="cubic")
    assert torch.equal(made, jpeg(image, 70))
    (made[0, 0] * weight).sum().backward()
    levels = ((image[0, 0] * 255).round() - 128).requires_grad_()
    table = quantisation_tables(quality.detach())[0][0].requires_grad_()
    (cubic(levels, table) * weight).sum().backward()
    torch.testing.assert_close(x.grad[0, 0], levels.grad, atol=1e-6, rtol=1e-6)
    slope = (table.grad * torch.tensor(LUMINANCE) / 100).sum() * -2 / 255
    assert quality.grad.item() == pytest.approx(slope.item(), rel=1e-5)


def test_the_cubic_surrogate_tells_what_jpeg_removes():
    noise = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(5))
    slopes = {}
    for surrogate in ("identity", "cubic"):
        flat = torch.full((1, 1, 32, 32), 0.5, requires_grad=True)
        (jpeg(flat, 20, surrogate=surrogate) * noise).sum().backward()
        slopes[surrogate] = flat.grad.norm().item()
    assert slopes["identity"] == pytest.approx(noise.norm().item(), rel=1e-5)
    assert slopes["cubic"] < 0.05 * slopes["identity"]


def test_gradients_of_gradients_are_right_or_refused():
    image = coffee(16, 16).requires_grad_()
    weight = torch.rand_like(image).requires_grad_()
    (slope,) = torch.autograd.grad((jpeg(image, 50) * weight).sum(), image, create_graph=True)
    slope.square().sum().backward()
    assert weight.grad.abs().min() > 0
    for surrogate, quality in (("cubic", 50.0), ("identity", torch.tensor(50.0).requires_grad_())):
        made = jpeg(image, quality, surrogate=surrogate)
        with pytest.raises(NotImplementedError, match="have no gradient"):
            torch.autograd.grad((made * weight).sum(), image, create_graph=True)


def test_constants_made_in_inference_mode_serve_training():
    module._cosines.cache_clear()
    module._base_table.cache_clear()
    with torch.inference_mode():
        jpeg(coffee(), 50)
    quality = torch.tensor([50.0], requires_grad=True)
    jpeg(coffee().requires_grad_(), quality).sum().backward()
    assert quality.grad.isfinite().all()


def test_the_tables_of_the_standard_are_symmetric_in_chrominance_only():
    luminance, chrominance = torch.tensor(LUMINANCE), torch.tensor(CHROMINANCE)
    assert torch.equal(chrominance, chrominance.T)
    assert luminance.sum() == 3688
    assert luminance[0].sum() == 229
    assert luminance[:, 0].sum() == 219


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (torch.rand(3, 8, 8), {}, "`image` must be"),
        (torch.rand(1, 2, 8, 8), {}, "`image` must be"),
        (torch.rand(1, 3, 0, 8), {}, "`image` must be"),
        (
            torch.zeros(1, 3, 8, 8, dtype=torch.uint8),
            {},
            "floating-point numbers, but got .* uint8",
        ),
        (torch.rand(2, 3, 8, 8), {"quality": torch.tensor([50.0] * 3)}, r"`quality` .* \(2,\)"),
        (torch.rand(2, 3, 8, 8), {"quality": torch.full((2, 1), 50.0)}, r"`quality` .* \(2,\)"),
        (torch.rand(1, 3, 8, 8), {"subsampling": "4:1:1"}, "`subsampling` must be one of"),
        (torch.rand(1, 3, 8, 8), {"surrogate": "soft"}, "`surrogate` must be one of"),
    ],
)
def test_mistakes_are_named(image, options, message):
    with pytest.raises(UserError, match=message):
        jpeg(image, **{"quality": 50, **options})
