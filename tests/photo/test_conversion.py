"""Colours of TIFF files that are neither gray nor RGB: converted, or refused in a sentence."""

import io

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms
from skimage.color import lab2rgb
from torch import nn

from wildsr.inference.file import upscale_file
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.image import read_image
from wildsr.photo.stream import Photo
from wildsr.photo.unreadable import UnreadableImage

LAB = np.array([[[100, 0, 0], [0, 0, 0], [53, 40, 30], [60, -50, 20], [40, 10, -60]]], float)


def stored(kind, pixels, path, **options):
    tifffile.imwrite(path, pixels, photometric=kind, metadata=None, **options)
    return path


def name_of(profile):
    return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()


def as_stored(dtype):
    """Lab as TIFF 6.0, section 23, has it: signed a and b, in the upper bytes of 16 bits."""
    if dtype == np.float32:
        return LAB.astype(np.float32)
    light = np.rint(LAB[..., :1] * 655.35).astype(np.uint16)
    return np.concatenate([light, (LAB[..., 1:] * 256).astype(np.int16).view(np.uint16)], -1)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_lab_of_many_bits_becomes_srgb(dtype, tmp_path, profile):
    path = stored("cielab", as_stored(dtype), tmp_path / "a.tif", iccprofile=profile)
    expected = lab2rgb(LAB) * 255
    assert np.abs(read_image(path) - expected).max() <= 2
    if dtype == np.uint16:
        assert name_of(Photo(path).blobs["icc-profile-data"]) == "sRGB"  # not that of Lab


@pytest.mark.parametrize("kind", ["cielab", "icclab"])
def test_lab_of_8_bits_becomes_srgb_and_says_so(kind, tmp_path):
    pixels = np.rint(LAB * (2.55, 1, 1) + ((0, 128, 128) if kind == "icclab" else 0))
    path = stored(kind, (pixels.astype(int) % 256).astype(np.uint8), tmp_path / "a.tif")
    assert np.abs(read_image(path) - lab2rgb(LAB) * 255).max() <= 3
    assert name_of(Photo(path).blobs["icc-profile-data"]) == "sRGB"
    same = nn.Identity()
    upscale_file(Upscaler(same, same, 1, "same", torch.device("cpu")), path, tmp_path / "b.tif")
    with Image.open(tmp_path / "b.tif") as made:
        assert made.mode == "RGB"
        assert name_of(made.info["icc_profile"]) == "sRGB"


@pytest.mark.parametrize(
    ("kind", "dtype", "bands", "reason"),
    [
        ("separated", np.float32, 4, "floating-point pixels, only 8 and 16 bits are supported"),
        ("separated", np.float16, 4, "floating-point pixels, only 8 and 16 bits are supported"),
        ("separated", np.int8, 4, "pixels of type char, only 8 and 16 bits are supported"),
        ("separated", np.uint32, 4, "pixels of type uint, only 8 and 16 bits are supported"),
        ("separated", np.uint8, 6, "5 channels, at most 4 are supported"),
        ("icclab", np.uint16, 3, r"colours of a kind that is not read \(multiband\)"),
        ("itulab", np.uint8, 3, r"colours of a kind that is not read \(multiband\)"),
    ],
)
def test_what_would_be_guessed_is_refused(kind, dtype, bands, reason, tmp_path):
    """Such as Lab of other encodings, which programs show as if it were RGB."""
    path = stored(kind, np.full((8, 9, bands), 7, dtype), tmp_path / "a.tif")
    with pytest.raises(UnreadableImage, match=reason):
        read_image(path)
