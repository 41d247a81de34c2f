"""Pairs of photo files: the HR untouched, the LR of the same kind, both read by other libraries."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn

from wildsr.archive.place import PairPaths
from wildsr.error import UserError
from wildsr.inference.degrading import FileDegrader, PairSettings
from wildsr.inference.pair import PairMaking
from wildsr.inference.settings import Settings
from wildsr.photo.sensor import Sensor
from wildsr.photo.unreadable import UnreadableImage
from wildsr.photo.vips import pyvips

DRAW = np.random.default_rng(0)


@pytest.fixture
def make(tmp_path):
    """``make(source, suffix, ...)``: the paths of a pair; each LR pixel is its block's mean."""

    def pair(source, suffix=None, lr=None, settings=None, seed=None, **options):
        module = options.pop("module", nn.AvgPool2d(2))
        suffix = suffix or source.suffix
        targets = tmp_path / "hr" / f"a{suffix}", tmp_path / "lr" / f"a{lr or suffix}"
        degrader = FileDegrader(module, 2, **options)
        paths = PairPaths(*targets)
        making = PairMaking(degrader, source, paths, settings or PairSettings(), seed)
        making.compute()
        making.finish()
        left = [path for path in tmp_path.rglob(".*") if path.suffix == ".part"]
        assert not left, "no half of a file"
        return targets

    return pair


def blocks(pixels):
    """(H, W, C) as the mean of each 2x2 block."""
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    whole = pixels[:height, :width].astype(np.float64)
    return whole.reshape(height // 2, 2, width // 2, 2, -1).mean((1, 3))


def vips(path):
    pyvips.cache_set_max(0)
    image = pyvips.Image.new_from_file(str(path))
    return image.numpy().reshape(image.height, image.width, image.bands)


def random(shape, dtype):
    most = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return (DRAW.random(shape) * most).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_every_kind_stays_what_it_is(channels, dtype, make, tmp_path):
    pixels = random((13, 19, channels), dtype)
    if channels in (2, 4):
        pixels[..., -1] = np.iinfo(dtype).max
        pixels[:2, :4, -1] = 0
    image = pyvips.Image.new_from_array(pixels)
    space = {(1, 1): "b-w", (1, 2): "grey16", (3, 1): "srgb", (3, 2): "rgb16"}
    colours = channels - (channels in (2, 4))
    image = image.copy(interpretation=space[colours, pixels.itemsize])
    image.pngsave(str(tmp_path / "a.png"))
    hr, lr = (vips(path) for path in make(tmp_path / "a.png"))
    assert hr.dtype == lr.dtype == dtype
    assert np.array_equal(hr, pixels[:12, :18])
    visible = np.ones(lr.shape[:2], bool) if colours == channels else lr[..., -1] > 0
    assert np.abs(lr - blocks(pixels))[visible].max() <= 0.5001
    if colours != channels:
        assert not lr[:1, :2, -1].any()
    if dtype == np.uint16:
        assert len(np.unique(lr % 257)) > 10, "more than the levels of 8 bits"


def test_a_photo_keeps_its_exif_and_profile_and_jpeg_becomes_png(make, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    profile = Image.new("RGB", (1, 1)).info.get("icc_profile") or _srgb()
    photo = Image.fromarray(random((16, 20, 3), np.uint8))
    photo.save(tmp_path / "a.jpg", exif=exif, icc_profile=profile)
    for path in make(tmp_path / "a.jpg", ".png"):
        with Image.open(path) as made:
            assert made.format == "PNG"
            assert made.getexif()[0x010F] == "Maker"
            assert made.info["icc_profile"] == profile
    _, lr = make(tmp_path / "a.jpg", ".png", lr=".jpg", settings=PairSettings(quality=50))
    with Image.open(lr) as made:
        assert (made.format, made.getexif()[0x010F]) == ("JPEG", "Maker")
        assert made.info["icc_profile"] == profile


def _srgb():
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_tiffs_of_measured_values_keep_type_and_bands(bands, dtype, make, tmp_path):
    pixels = (DRAW.random((11, 14, bands)) * 90 - 20 * (np.dtype(dtype).kind != "u")).astype(dtype)
    stored = pixels[..., 0] if bands == 1 else pixels
    more = {} if bands == 1 else {"planarconfig": "contig"}
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", metadata=None, **more)
    hr, lr = (tifffile.imread(path).reshape(-1, 7, bands) for path in make(tmp_path / "a.tif"))
    hr = hr.reshape(10, 14, bands)
    assert hr.dtype == lr.dtype == np.dtype(dtype)
    assert np.array_equal(hr, pixels[:10])
    room = 0.5001 if np.dtype(dtype).kind != "f" else 1e-4
    assert np.abs(lr - blocks(pixels)).max() <= room


def test_pages_stay_pages_and_values_outside_of_the_range_are_no_loss(make, tmp_path):
    pages = DRAW.random((3, 20, 24)).astype(np.float32)
    pages[1, 4:6, 4:6] = 1000  # far outside of the percentiles
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    hr, lr = (tifffile.imread(path) for path in make(tmp_path / "a.tif"))
    assert np.array_equal(hr, pages)
    assert lr.shape == (3, 10, 12)
    for number in range(3):
        assert np.allclose(lr[number], blocks(pages[number][..., None])[..., 0], rtol=1e-4)
    _, lr = make(tmp_path / "a.tif", settings=PairSettings(Settings(page=2)))
    assert np.array_equal(tifffile.imread(lr), np.float32(tifffile.imread(lr)))
    assert tifffile.imread(lr).shape == (10, 12)


def test_what_was_not_measured_is_no_part_of_any_pixel(make, tmp_path):
    pixels = DRAW.random((12, 16)).astype(np.float32)
    pixels[2:5, 6:9] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    hr, lr = (tifffile.imread(path) for path in make(tmp_path / "a.tif"))
    assert np.array_equal(hr, pixels, equal_nan=True)
    holes = np.isnan(blocks(pixels[..., None])[..., 0])
    assert np.array_equal(np.isnan(lr), holes)
    assert holes.sum() == 4
    assert np.allclose(lr[~holes], blocks(pixels[..., None])[..., 0][~holes], atol=1e-5)


def test_depth_and_format_are_a_choice(make, tmp_path):
    pixels = random((8, 8), np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    eight, floats = (PairSettings(Settings(depth=depth)) for depth in (8, "float"))
    hr, lr = make(tmp_path / "a.png", settings=eight)
    assert np.array(Image.open(hr)).dtype == np.uint8
    assert np.abs(np.array(Image.open(lr)) - blocks(pixels[..., None])[..., 0] / 257).max() < 0.51
    hr, lr = make(tmp_path / "a.png", ".tif", settings=floats)
    assert tifffile.imread(lr).dtype == np.float32
    assert np.allclose(tifffile.imread(hr), pixels / 65535, atol=1e-6)
    with pytest.raises(UserError, match="need format=tif"):
        make(tmp_path / "a.png", settings=floats)
    with pytest.raises(UserError, match=r"JPEG .* has 8 bits"):
        make(tmp_path / "a.png", settings=PairSettings(quality=80))
    np.save(tmp_path / "b.npy", DRAW.random((8, 8, 5)))
    with pytest.raises(UserError, match="png holds gray or RGB, but the result has 5 bands"):
        make(tmp_path / "b.npy", ".png")
    hr, lr = (np.load(path) for path in make(tmp_path / "b.npy"))
    assert (hr.shape, lr.shape, lr.dtype) == ((8, 8, 5), (4, 4, 5), np.float64)


def test_a_geotiff_lies_where_it_lay(make, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    pixels = DRAW.integers(1, 4000, (4, 21, 26)).astype(np.uint16)
    pixels[:, 4:7, 4:6] = 0
    place = rasterio.transform.from_origin(500_000, 4_600_000, 10, 20)
    size = {"width": 26, "height": 21, "count": 4, "dtype": "uint16", "nodata": 0}
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", crs="EPSG:32633", transform=place, **size
    ) as file:
        file.write(pixels)
        file.descriptions = ("b", "g", "r", "nir")
    hr, lr = make(tmp_path / "a.tif")
    with rasterio.open(hr) as sharp, rasterio.open(lr) as small:
        assert sharp.transform == place, "cut at the bottom and on the right"
        assert small.transform[:6] == (20, 0, 500_000, 0, -40, 4_600_000)
        assert sharp.crs == small.crs == rasterio.crs.CRS.from_epsg(32633)
        assert sharp.descriptions == small.descriptions == ("b", "g", "r", "nir")
        assert np.array_equal(sharp.read(), pixels[:, :20, :26])
        found, means = small.read(), np.moveaxis(blocks(np.moveaxis(pixels, 0, -1)), -1, 0)
    holes = found == 0
    assert holes[0].sum() == 2
    assert np.abs(found - means)[~holes].max() <= 0.51


def test_dicom_stays_dicom(make, tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pathlib import Path

    source = Path(pydicom.__file__).parent / "data" / "test_files" / "CT_small.dcm"
    before = pydicom.dcmread(source)
    hr, lr = (pydicom.dcmread(path) for path in make(source, ".dcm"))
    assert np.array_equal(hr.pixel_array, before.pixel_array)
    assert lr.pixel_array.dtype == before.pixel_array.dtype
    assert np.abs(lr.pixel_array - blocks(before.pixel_array[..., None])[..., 0]).max() <= 0.51
    assert [float(s) for s in lr.PixelSpacing] == [2 * float(s) for s in before.PixelSpacing]
    assert [float(s) for s in hr.PixelSpacing] == [float(s) for s in before.PixelSpacing]
    assert lr.RescaleIntercept == before.RescaleIntercept
    assert not lr.PatientName
    assert lr.SOPInstanceUID != hr.SOPInstanceUID


def test_the_range_of_the_run_is_that_of_its_files(make, tmp_path):
    """HR of a range of its own becomes LR of another."""
    pixels = DRAW.integers(0, 4096, (12, 14)).astype(np.uint16)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", pixels)
    sensor = Sensor(1, "16", lr=(100.0, 1123.75), hr=(0.0, 4095.0))
    expected = 100 + blocks(pixels[..., None])[..., 0] / 4
    for source in (tmp_path / "a.png", tmp_path / "b.tif"):
        hr, lr = (vips(path)[..., 0] for path in make(source, channels=1, sensor=sensor))
        assert np.array_equal(hr, pixels)
        assert np.abs(lr - expected).max() <= 0.6


class Takes(nn.Module):
    """Degrades photos of so many channels, and no others."""

    def __init__(self, channels):
        super().__init__()
        self.channels = channels

    def forward(self, hr):
        assert hr.shape[1] == self.channels
        return nn.functional.avg_pool2d(hr, 2) + 0.01 * torch.randn(1)


@pytest.mark.parametrize(("own", "given"), [(3, 1), (1, 3), (5, 5), (1, 5), (3, 5), (1, 1)])
def test_channels_that_the_degradation_does_not_have(own, given, make, tmp_path):
    pixels = DRAW.random((8, 10, given)).astype(np.float32)
    np.save(tmp_path / "a.npy", pixels)
    hr, lr = make(tmp_path / "a.npy", module=Takes(own), channels=own, gray=False, seed=3)
    assert np.array_equal(np.load(hr), pixels)
    assert np.abs(np.load(lr) - blocks(pixels)).max() < 0.06
    first = np.load(lr)
    make(tmp_path / "a.npy", module=Takes(own), channels=own, gray=False, seed=3)
    assert np.array_equal(np.load(lr), first), "the same draws"


def test_what_cannot_be_is_one_sentence(make, tmp_path):
    np.save(tmp_path / "a.npy", DRAW.random((8, 10, 4)))
    with pytest.raises(UserError, match=r"takes 5 bands, but .*a\.npy has 4"):
        make(tmp_path / "a.npy", module=Takes(5), channels=5, gray=False)
    Image.fromarray(random((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"takes photos of 5 channels, but .*a\.png has 3"):
        make(tmp_path / "a.png", module=Takes(5), channels=5, gray=False)
    np.save(tmp_path / "a.npy", DRAW.random((3, 10)))
    with pytest.raises(UnreadableImage, match="has 10x3 pixels: too small for x2"):
        make(tmp_path / "a.npy")
