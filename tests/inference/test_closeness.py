"""Half precision is chosen for each photo, by what it costs on that photo's own patches."""

import numpy as np
import pytest
import torch
from torch import nn

from wildsr.inference import closeness, device
from wildsr.inference.closeness import BOUND, SIDE, patches, places, psnr_to
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.prepare import prepare
from wildsr.inference.strips import together, upscale_image
from wildsr.photo.image import read_image
from wildsr.photo.rows import Still
from wildsr.photo.stream import Photo

CPU = torch.device("cpu")
EIGHT, SIXTEEN = np.dtype(np.uint8), np.dtype(np.uint16)


class Lifted(nn.Module):
    """Pixels plus ``lift``, minus it again: dark pixels lose their last bits in half precision."""

    def __init__(self, lift):
        super().__init__()
        self.lift = nn.Parameter(torch.tensor(lift))
        self.work = nn.Conv2d(3, 3, 1)

    def forward(self, lr):
        self.work(lr)
        lifted = (lr + self.lift * (lr < 0.25)) - self.lift * (lr < 0.25)
        return lifted.repeat_interleave(2, -1).repeat_interleave(2, -2)


@pytest.fixture
def chosen(monkeypatch):
    """An upscaler whose half precision shows on dark pixels only, on a CPU that is fast in it."""
    monkeypatch.setattr(device, "supported", lambda dtype, place: True)
    monkeypatch.setattr(device, "quicker", lambda *which: True)
    monkeypatch.setattr(device, "WORK", {"cpu": 1})
    made = prepare(Lifted(4.0), 2, "it", CPU, precision="auto")
    assert made.dtype == torch.bfloat16
    return made


@pytest.fixture
def bright(noise):
    return noise(60, 70, 3) // 2 + 127


@pytest.fixture
def dark(noise):
    return noise(60, 70, 3) // 5


# Patches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (24, 24), (481, 321), (4000, 6000)])
def test_patches_lie_within_and_all_over_the_photo(size):
    found = places(*size)
    assert found == places(*size)
    assert closeness.FEWEST <= len(found) <= closeness.MOST
    assert all(0 <= top <= max(size[0] - SIDE, 0) for top, _ in found)
    assert all(0 <= left <= max(size[1] - SIDE, 0) for _, left in found)
    if size == (4000, 6000):
        quarters = {(top > 2000, left > 3000) for top, left in found}
        assert len(quarters) == 4
        assert len(found) * SIDE**2 * closeness.SHARE <= 4000 * 6000


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(3, 5), (40, 300), (300, 40)])
def test_patches_are_pixels_of_the_photo(noise, monkeypatch, channels, size):
    monkeypatch.setattr(closeness, "CHUNK", 700)  # patches across what is read at once
    image = noise(*size, channels)
    found = patches(Still(image))
    assert found.shape[1:] == (3, min(SIDE, size[0]), min(SIDE, size[1]))
    for patch, (top, left) in zip(found, places(*size), strict=True):
        pixels = image[top : top + SIDE, left : left + SIDE, : 3 if channels > 2 else 1] / 255
        expected = np.broadcast_to(pixels, (*pixels.shape[:2], 3)).transpose(2, 0, 1)
        np.testing.assert_allclose(patch.numpy(), expected, atol=1e-6)


def test_psnr_by_hand():
    class Plus(nn.Module):
        def __init__(self, more):
            super().__init__()
            self.more = more

        def forward(self, lr):
            return lr + self.more

    lr = torch.full((2, 3, 8, 8), 0.5)
    same = torch.empty(0)
    assert psnr_to(Plus(0), Plus(0.1), lr, same) == pytest.approx(20, abs=1e-4)
    assert psnr_to(Plus(0), Plus(0), lr, same) == float("inf")
    assert psnr_to(Plus(7), Plus(9), lr, same) == float("inf")  # both white
    assert psnr_to(Plus(0), Plus(float("nan")), lr, same) == -float("inf")


# The choice ------------------------------------------------------------------------------------


def test_each_photo_gets_the_format_that_it_bears(chosen, bright, dark):
    single = chosen.single()
    assert chosen.suited(Still(bright), EIGHT) is chosen
    assert chosen.suited(Still(dark), EIGHT).dtype == torch.float32
    assert np.array_equal(upscale_image(chosen, dark), upscale_image(single, dark))
    place = torch.empty(0, dtype=torch.bfloat16)
    lr = patches(Still(dark))
    assert psnr_to(chosen.reference, chosen.network, lr, place) < BOUND


def test_photos_together_each_get_their_own(chosen, bright, dark):
    found = together(chosen, [bright, dark, bright], EIGHT)
    assert np.array_equal(found[1], upscale_image(chosen.single(), dark))
    assert np.array_equal(found[0], upscale_image(chosen, bright))
    assert np.array_equal(found[0], found[2])


@pytest.mark.parametrize("depth", [np.uint16, np.float32])
def test_more_than_8_bits_are_never_of_half_precision(chosen, bright, depth):
    suited = chosen.suited(Still(bright), np.dtype(depth))
    assert suited.dtype == torch.float32
    assert suited is chosen.suited(Still(bright), np.dtype(depth))


def test_half_precision_that_was_asked_for_stays(chosen, dark):
    asked = prepare(Lifted(4.0), 2, "it", CPU, precision="bf16")
    assert asked.suited(Still(dark), EIGHT) is asked


def test_a_file_is_decided_by_the_bits_that_it_gets(chosen, bright, tmp_path, monkeypatch):
    """A result that is resized passes through 16 bits on its way to 8."""
    from PIL import Image

    source = tmp_path / "photo.png"
    Image.fromarray(bright).save(source)
    asked = []
    monkeypatch.setattr(
        type(chosen), "suited", lambda self, rows, depth: asked.append(depth) or self
    )
    upscale_file(chosen, source, tmp_path / "small.png", Settings(outscale=1.5))
    upscale_file(chosen, source, tmp_path / "deep.png", Settings(depth=16))
    assert asked == [EIGHT, SIXTEEN]


def test_a_photo_is_read_anew_for_its_patches(chosen, bright, tmp_path):
    from PIL import Image

    for name in ("photo.png", "photo.bmp"):
        Image.fromarray(bright).save(tmp_path / name)
        photo = Photo(tmp_path / name)
        photo.read(20)
        assert torch.equal(patches(photo.again()), patches(Still(bright)))
        assert np.array_equal(photo.read(40), bright[20:])
        upscale_file(chosen, tmp_path / name, tmp_path / "out.png")
        assert np.array_equal(read_image(tmp_path / "out.png"), upscale_image(chosen, bright))
