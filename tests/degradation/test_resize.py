"""Resizing against Pillow, MATLAB's files and torch; a scale of its own for each sample."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.autograd import gradcheck
from torch.nn import functional as F

from wildsr.degradation.resize import KINDS, resize
from wildsr.error import UserError
from wildsr.metric.fidelity import psnr
from wildsr.pixels import round8

PILLOW = {
    "nearest": Image.Resampling.NEAREST,
    "area": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = [  # of the picture, of the result
    ((1, 1), (1, 1)),
    ((1, 1), (4, 3)),
    ((1, 7), (3, 2)),
    ((12, 9), (12, 5)),
    ((12, 9), (1, 1)),
    ((20, 14), (6, 35)),  # r = 10/3: positions that fall on a border of pixels
    ((41, 33), (20, 17)),
    ((40, 64), (10, 16)),
    ((7, 5), (21, 10)),
    ((33, 27), (70, 90)),
    ((64, 64), (300, 299)),  # the most that torch's float32 positions are good for
    ((230, 5), (301, 5)),  # above
    ((600, 7), (11, 7)),
]


def photos(size, batch=2, channels=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(size[0] * 1000 + size[1])
    return torch.rand(batch, channels, *size, generator=generator, dtype=dtype)


def pillow(image, size, kind):
    planes = [
        np.asarray(Image.fromarray(plane.numpy()).resize(size[::-1], PILLOW[kind]))
        for plane in image.flatten(0, 1)
    ]
    return torch.tensor(np.stack(planes)).unflatten(0, image.shape[:2])


@pytest.mark.parametrize(("own", "target"), SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_pillow(kind, own, target):
    image = photos(own)
    expected = pillow(image, target, kind)
    torch.testing.assert_close(resize(image, target, kind), expected, atol=1e-5, rtol=0)
    with_gradient = resize(image.requires_grad_(), target, kind).detach()
    torch.testing.assert_close(with_gradient, expected, atol=1e-5, rtol=0)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(KINDS), st.lists(st.integers(1, 60), min_size=4, max_size=4))
def test_equals_pillow_at_any_size(kind, sides):
    image, target = photos(sides[:2], 1, 1), tuple(sides[2:])
    resized = resize(image, target, kind)
    torch.testing.assert_close(resized, pillow(image, target, kind), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_each_sample_has_a_scale_of_its_own(kind):
    valid = torch.tensor([[24, 30], [1, 1], [17, 30], [24, 5], [10, 10]])
    filled = torch.tensor([[12, 15], [4, 6], [5, 20], [18, 1], [10, 10]])
    image = photos((24, 30), 5)
    together = resize(image, (18, 20), kind, valid, filled)
    assert together.shape == (5, 3, 18, 20)
    for i, ((height, width), (rows, columns)) in enumerate(
        zip(valid.tolist(), filled.tolist(), strict=True)
    ):
        picture = pillow(image[i : i + 1, :, :height, :width], (rows, columns), kind)
        surrounded = F.pad(picture, (0, 20 - columns, 0, 18 - rows), mode="replicate")
        torch.testing.assert_close(together[i : i + 1], surrounded, atol=1e-5, rtol=0)
        alone = resize(image[i : i + 1], (18, 20), kind, valid[i : i + 1], filled[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_sizes_are_those_of_each_sample(kind):
    image = photos((20, 26), 3)
    valid, filled = torch.tensor([[19, 21]] * 3), torch.tensor([[9, 30]] * 3)
    shared = resize(image, (12, 31), kind, valid, filled)
    valid, filled = torch.cat([valid, valid.new_ones(1, 2)]), torch.cat([filled, filled[:1] - 1])
    each = resize(torch.cat([image, image[:1]]), (12, 31), kind, valid, filled)[:3]
    torch.testing.assert_close(shared, each, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_large_pictures_are_as_exact_as_small_ones(kind):
    image = photos((2, 1500), 1)
    expected = pillow(image, (2, 1111), kind)
    torch.testing.assert_close(resize(image, (2, 1111), kind), expected, atol=1e-5, rtol=0)
    by_torch = F.interpolate(image, (2, 1111), mode=kind, antialias=True)
    assert (by_torch - expected).abs().max() > 2e-5, "why torch is not left to do it"


@pytest.mark.parametrize(("own", "target"), [((8, 130), (5, 140)), ((150, 8), (71, 12))])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_the_gradient_of_large_pictures_is_torchs(kind, own, target):
    image = photos(own, dtype=torch.float64).requires_grad_()
    weight = photos(target, dtype=torch.float64)
    by_torch = F.interpolate(image, target, mode=kind, antialias=True)
    one, other = (
        torch.autograd.grad((result * weight).sum(), image)[0]
        for result in (resize(image, target, kind), by_torch)
    )
    torch.testing.assert_close(one, other, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_any_memory_layout(kind):
    wide = photos((14, 40))
    expected = resize(wide[..., 3:25].contiguous(), (9, 8), kind)
    for image in (wide[..., 3:25], wide[..., 3:25].to(memory_format=torch.channels_last)):
        torch.testing.assert_close(resize(image, (9, 8), kind), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_constants_stay_in_any_number_of_channels(kind, channels):
    image = torch.full((2, channels, 13, 7), 0.3)
    filled = torch.tensor([[5, 9], [20, 3]])
    resized = resize(image, (20, 9), kind, filled=filled)
    torch.testing.assert_close(resized, torch.full((2, channels, 20, 9), 0.3))


@pytest.mark.parametrize("target", [(4, 3), (8, 2), (11, 13)])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind, target):
    image = photos((8, 6), 2, 1, torch.float64).requires_grad_()
    assert gradcheck(lambda x: resize(x, target, kind), (image,), fast_mode=True)
    sizes = torch.tensor([[7, 4], [5, 6]]), torch.tensor([[2, 2], list(target)])
    assert gradcheck(lambda x: resize(x, target, kind, *sizes), (image,), fast_mode=True)


def test_what_lies_beyond_the_picture_has_no_effect_and_no_gradient():
    image = photos((8, 9), 2).requires_grad_()
    valid = torch.tensor([[8, 5], [3, 9]])
    resize(image, (4, 4), "bicubic", valid).sum().backward()
    assert (image.grad[0, :, :, 5:] == 0).all()
    assert (image.grad[1, :, 3:] == 0).all()
    assert (image.grad[0, :, :, :5] != 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_ignores_autocast_and_raises_precision(kind):
    image, filled = photos((16, 16)), torch.tensor([[7, 8], [8, 5]])
    for sizes in (None, filled):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            inside = resize(image, (8, 8), kind, None, sizes)
        assert torch.equal(inside, resize(image, (8, 8), kind, None, sizes))
        rough = resize(image.bfloat16(), (8, 8), kind, None, sizes)
        assert rough.dtype == torch.float32
        torch.testing.assert_close(rough, inside, atol=0.03, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image": torch.rand(3, 8, 8)}, r"`image` must be \(B, C, H, W\)"),
        ({"image": torch.ones(2, 3, 8, 8).byte()}, "but got .* of torch.uint8"),
        ({"size": (4, 0)}, r"`size` must be .* but got \(4, 0\)"),
        ({"size": (4.0, 4)}, "`size` must be"),
        ({"size": 4}, "`size` must be"),
        ({"kind": "bicubik"}, "`kind` must be one of .* Did you mean 'bicubic'"),
        ({"valid": torch.ones(2, 2)}, r"`valid` must be \(2, 2\) integers"),
        ({"valid": torch.ones(3, 2).long()}, r"`valid` must be \(2, 2\) integers"),
        ({"valid": torch.tensor([[8, 8], [9, 8]])}, r"`valid` must hold heights from 1 to 8"),
        ({"filled": torch.tensor([[4, 4], [4, 0]])}, "`filled` must hold .* widths from 1 to 4"),
    ],
)
def test_mistakes(change, message):
    arguments = {"image": torch.rand(2, 3, 8, 8), "size": (4, 4), **change}
    with pytest.raises(UserError, match=message):
        resize(**arguments)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["set5", "set14"])
def test_matlabs_small_images(name, scale):
    """Equal but for borders (MATLAB reflects, Pillow cuts the kernel) and ties of rounding."""
    shared = os.environ.get("WILDSR_SHARED")
    folder = Path(shared or "", "data", name, f"x{scale}")
    if not shared or not folder.is_dir():
        pytest.skip(f"WILDSR_SHARED names no folder with data/{name}")
    between, upscaled = [], []
    for path in sorted((folder / "hr").iterdir()):
        hr, matlab = (read(folder / kind / path.name) for kind in ("hr", "lr"))
        hr = hr[..., : matlab.shape[2] * scale, : matlab.shape[3] * scale]
        lr = (round8(resize(hr, matlab.shape[2:])) / 255).float()
        between.append(psnr(lr, matlab, 0, "rgb").item())
        ours, theirs = (
            psnr(resize(small, hr.shape[2:]).clamp(0, 1), hr, scale, "y").item()
            for small in (lr, matlab)
        )
        upscaled.append(ours - theirs)
    print(f"{name} x{scale}: {np.mean(between):.2f} dB, {np.mean(upscaled):+.4f} dB")
    assert min(between) > 45, between
    assert max(map(abs, upscaled)) < 0.02, upscaled


def read(path):
    pixels = np.array(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
