"""Arrays, tensors and files through an upscaler: one result, whatever it is held in."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import wildsr
from wildsr.api.upscaler import Upscaler
from wildsr.inference import upscaler as inference


@pytest.fixture
def upscaler():
    """A network of a few pixels' reach, in tiles that are smaller than the photo."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 12, 5, padding=2), nn.PixelShuffle(2)).eval()
    network.requires_grad_(False)
    return Upscaler(inference.Upscaler(network, network, 2, "tiny", tile=16))


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (37, 50, 3)).astype(np.uint8)


def whole(upscaler, photo):
    """The network on the whole photo, (74, 100, 3) in [0, 1]."""
    lr = torch.from_numpy(photo / np.float32(255)).permute(2, 0, 1)[None]
    return upscaler._loaded.network(lr)[0].clamp(0, 1).permute(1, 2, 0).numpy()


def test_every_kind_has_the_networks_own_result(upscaler, photo):
    expected = whole(upscaler, photo)
    bytes_ = upscaler.upscale(photo)
    assert bytes_.dtype == np.uint8
    assert np.abs(bytes_ / 255 - expected).max() <= 0.51 / 255
    floats = upscaler.upscale(photo / 255)
    assert floats.dtype == np.float64
    assert np.allclose(floats, expected, atol=1e-5)
    tensor = torch.from_numpy(photo / np.float32(255)).permute(2, 0, 1)
    made = upscaler.upscale(tensor)
    assert made.shape == (3, 74, 100)
    assert np.allclose(made.permute(1, 2, 0), expected, atol=1e-5)
    both = upscaler.upscale(torch.stack([tensor, tensor.flip(-1)]))
    assert torch.allclose(both[0], made, atol=1e-6)
    assert both.shape == (2, 3, 74, 100)
    assert not both.requires_grad
    deep = upscaler.upscale(photo.astype(np.uint16) * 257)
    assert np.abs(deep / 65535 - expected).max() < 1e-4


def test_an_array_comes_out_as_the_file_does(upscaler, photo, tmp_path):
    alpha = np.dstack([photo, np.linspace(0, 255, 37 * 50).reshape(37, 50).astype(np.uint8)])
    for name, pixels in (("rgb", photo), ("gray", photo[..., 0]), ("alpha", alpha)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        target = upscaler.upscale_file(tmp_path / f"{name}.png", str(tmp_path / f"{name}2.png"))
        assert np.array_equal(np.asarray(Image.open(target)), upscaler.upscale(pixels)), name


def test_settings_of_a_file(upscaler, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "a.png")
    made = upscaler.upscale_file(tmp_path / "a.png", tmp_path / "b.webp", outscale=1.5)
    assert Image.open(made).size == (75, 56)
    with pytest.raises(wildsr.UserError, match="`quality` must be 1 to 100, but got 0"):
        upscaler.upscale_file(tmp_path / "a.png", tmp_path / "b.webp", quality=0)
    with pytest.raises(wildsr.UserError, match=r"nowhere\.png"):
        upscaler.upscale_file(tmp_path / "nowhere.png", tmp_path / "b.png")


def test_what_is_asked_for_wrongly(tmp_path):
    with pytest.raises(wildsr.UserError, match="One of `run`"):
        wildsr.load_upscaler()
    with pytest.raises(wildsr.UserError, match=r"none\.pth"):
        wildsr.load_upscaler(weights=tmp_path / "none.pth")
    with pytest.raises(wildsr.UserError, match=r"has no config\.yaml"):
        wildsr.load_upscaler(run=tmp_path)


def test_an_array_in_the_order_of_tensors_is_refused(upscaler):
    with pytest.raises(wildsr.UserError, match=r"must be \(H, W, C\) as an array, .*\(3, 40, 50\)"):
        upscaler.upscale(np.zeros((3, 40, 50), np.uint8))


def test_a_run_on_a_device_that_is_not_there(there):
    with pytest.raises(wildsr.UserError, match="`device` must be one of"):
        wildsr.load_upscaler(run="runs/first", device="tpu")
    assert wildsr.load_upscaler(run="runs/first", device="cpu", tile=32).scale == 4
