"""Antialiased bicubic as Pillow has it, and rounding that lets gradients pass."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from wildsr.degradation.bicubic import Bicubic, downscale
from wildsr.pixels import to_8_bit


def astronaut():
    return data.astronaut()[: 24 * 8, 100 : 100 + 24 * 10]


def levels(images):
    return images[0].permute(1, 2, 0).numpy() * 255


def tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_equals_pillow(scale):
    photo = astronaut()
    size = (photo.shape[1] // scale, photo.shape[0] // scale)
    channels = [Image.fromarray(photo[..., c].astype(np.float32)) for c in range(3)]
    expected = np.stack(
        [np.asarray(c.resize(size, Image.Resampling.BICUBIC)) for c in channels], -1
    )
    assert np.abs(levels(downscale(tensor(photo), scale)) - expected).max() < 1e-3
    rounded = levels(Bicubic(scale)(tensor(photo)))
    assert np.abs(rounded - expected.clip(0, 255)).max() <= 0.501
    plain = torch.nn.functional.interpolate(tensor(photo), scale_factor=1 / scale, mode="bicubic")
    assert np.abs(levels(plain) - expected).max() > 10, "antialiasing makes the difference"


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_equals_pillows_8_bits_to_a_level(scale):
    photo = (64 + astronaut() // 2).astype(np.uint8)  # Pillow clips between its two passes
    size = (photo.shape[1] // scale, photo.shape[0] // scale)
    expected = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))
    difference = np.abs(levels(Bicubic(scale)(tensor(photo))) - expected)
    assert difference.max() < 1.001
    assert difference.mean() < 0.2


def test_keeps_constants_and_flips():
    hr = torch.rand(2, 3, 24, 36)
    torch.testing.assert_close(
        downscale(torch.full_like(hr, 0.3), 4), torch.full((2, 3, 6, 9), 0.3)
    )
    torch.testing.assert_close(downscale(hr.flip(-1), 4), downscale(hr, 4).flip(-1))
    assert torch.equal(downscale(hr, 1), hr)


def test_rounds_to_8_bits_within_0_and_1():
    images = torch.tensor([-0.2, 0.0, 0.4 / 255, 0.6 / 255, 100.4 / 255, 1.0, 1.3])
    expected = torch.tensor([0, 0, 0, 1, 100, 255, 255]) / 255
    torch.testing.assert_close(to_8_bit(images), expected)


def test_rounding_has_the_gradient_of_the_identity():
    images = torch.tensor([-0.2, 0.3, 1.3], requires_grad=True)
    (to_8_bit(images) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert images.grad.tolist() == [1, 2, 3]


def test_bicubic_gives_8_bit_values():
    made = Bicubic(4)((torch.rand(1, 3, 32, 32) > 0.5).float()) * 255
    torch.testing.assert_close(made, made.round(), atol=1e-4, rtol=0)
    assert made.min() >= 0
    assert made.max() <= 255
    assert not list(Bicubic(4).parameters())


def test_one_column_is_right_too():
    hr = torch.rand(2, 3, 24, 7)
    wide = downscale(torch.cat([hr[..., :4], hr[..., :4].flip(3)], 3), 4)
    assert (wide[..., :1, 0] != wide[..., 1:, 0]).all()
    columns = downscale(hr, 4)
    assert columns.shape == (2, 3, 6, 1)
    picture = Image.fromarray(hr[0, 0].numpy()).resize((1, 6), Image.Resampling.BICUBIC)
    torch.testing.assert_close(columns[0, 0], torch.tensor(np.array(picture)), atol=1e-5, rtol=0)
