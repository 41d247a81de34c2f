"""Upscalers whose output is known, and files with everything a photo can carry."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import IFDRational
from torch import nn

from wildsr.inference.upscaler import Upscaler
from wildsr.inference.weights import save_weights
from wildsr.network.upscaler.compact import Compact
from wildsr.photo import folder as listing


class Pixels:
    """An array as rows; counts how far it was read, and refuses to be read twice."""

    def __init__(self, pixels):
        self.pixels, self.row = pixels, 0
        self.height, self.width, self.channels = pixels.shape
        self.dtype = pixels.dtype

    def read(self, count):
        assert self.row + count <= self.height
        self.row += count
        return self.pixels[self.row - count : self.row]


@pytest.fixture(scope="session")
def rows():
    """``rows(array)``: the array as an image that is read once."""
    return Pixels


@pytest.fixture
def nearest():
    """``nearest(scale, **options)``: an upscaler that repeats pixels."""

    def make(scale=2, **options):
        network = nn.Upsample(scale_factor=scale) if scale > 1 else nn.Identity()
        return Upscaler(network, network, scale, "nearest", **{"tile": 16, **options})

    return make


@pytest.fixture
def noise():
    """``noise(height, width, channels, dtype)``: random whole numbers."""

    def make(height, width, channels=3, dtype=np.uint8, seed=0):
        most = np.iinfo(dtype).max
        generator = np.random.default_rng(seed)
        return generator.integers(0, most + 1, (height, width, channels)).astype(dtype)

    return make


@pytest.fixture(scope="session")
def exif():
    """EXIF of every kind of value, of a photo that lies on its side."""
    found = Image.Exif()
    found[0x010F], found[0x0110] = "Maker", "Model"
    found[0x8298] = "© Jürgen".encode()
    found[0x0112], found[0x0132] = 6, "2020:01:02 03:04:05"
    inner = found.get_ifd(0x8769)
    inner[0x829A], inner[0x9003] = IFDRational(1, 250), "2020:01:02 03:04:05"
    inner[0x8827], inner[0xA434] = 400, "50mm f/1.8"
    inner[0xA002], inner[0xA003] = 40, 30
    inner[0x927C] = b"note\0\1\2of the maker"
    inner[0x9286] = b"ASCII\0\0\0a comment"
    place = found.get_ifd(0x8825)
    place[1], place[2] = "N", (IFDRational(48), IFDRational(8), IFDRational(3133, 100))
    return found


@pytest.fixture(scope="session")
def profile():
    """A colour profile that nobody would assume: sRGB, but for its name."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return srgb.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))


@pytest.fixture(scope="session")
def write_compact():
    """``write_compact(folder, features, convolutions)``: the weights of a small upscaler, x2."""

    def write(folder, features=4, convolutions=1):
        path = folder / "2x_it.safetensors"
        arguments = {"scale": 2, "features": features, "convolutions": convolutions}
        named = {"_target_": "wildsr.network.upscaler.compact.Compact", **arguments}
        torch.manual_seed(0)
        save_weights(Compact(**arguments), path, named, 2)
        return path

    return write


@pytest.fixture(scope="module")
def weights(write_compact, tmp_path_factory):
    """The smallest of them."""
    return write_compact(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def said(monkeypatch):
    """What is said of photos while a test runs, line by line."""
    lines = []
    listing.say_once.cache_clear()
    monkeypatch.setattr(listing.LOG, "warning", lambda text, *values: lines.append(text % values))
    return lines
