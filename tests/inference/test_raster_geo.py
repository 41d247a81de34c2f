"""GeoTIFFs through an upscaler: where they lie, nodata and names, read by tifffile and rasterio."""

import os
import sys

import numpy as np
import pytest
import tifffile
from torch import nn

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.image import read_image
from wildsr.photo.raster import geo
from wildsr.photo.unreadable import UnreadableImage

rasterio = pytest.importorskip("rasterio")
UTM = rasterio.crs.CRS.from_epsg(32633)


def grown(pixels, factor=2):
    """(H, W, C) repeated."""
    return pixels.repeat(factor, axis=0).repeat(factor, axis=1)


@pytest.fixture
def scene(tmp_path):
    """``scene(pixels, **options)``: a GeoTIFF of (H, W, C)."""

    def make(pixels, name="scene.tif", **options):
        height, width, count = pixels.shape
        size = {"height": height, "width": width, "count": count, "dtype": pixels.dtype.name}
        place = rasterio.transform.from_origin(500_000, 4_600_000, 10, 20)
        given = {"crs": UTM, "transform": place, "compress": "deflate", **size, **options}
        with rasterio.open(tmp_path / name, "w", driver="GTiff", **given) as file:
            file.write(np.moveaxis(pixels, -1, 0))
        return tmp_path / name

    return make


@pytest.fixture
def bands():
    """Four bands of 16 bits with a hole."""
    pixels = np.random.default_rng(0).integers(1, 4000, (60, 70, 4)).astype(np.uint16)
    pixels[10:20, 30:40] = 0
    return pixels


def test_what_a_geotiff_keeps(scene, bands, nearest, tmp_path):
    source = scene(bands, nodata=0, interleave="band", tiled=True, blockxsize=32, blockysize=16)
    with rasterio.open(source, "r+") as file:
        file.descriptions = ("blue", "green", "red", "near infrared")
        file.update_tags(ACQUIRED="2020-05-06")
        file.update_tags(4, wavelength="842", STATISTICS_MEAN="5")
        file.scales, file.offsets = (1e-4,) * 4, (-0.1,) * 4
        file.set_band_unit(2, "reflectance")
    made = upscale_file(nearest(2), source, tmp_path / "made.tif")
    with tifffile.TiffFile(made) as file:
        page = file.pages[0]
        assert np.array_equal(file.asarray(), grown(bands))
        said = page.geotiff_tags
        assert said["ProjectedCSTypeGeoKey"] == 32633
        assert said["ModelPixelScale"][:2] == [5, 10]
        assert said["ModelTiepoint"][3:5] == [500_000, 4_600_000]
        assert page.tags[42113].value == "0"
        for text in ("near infrared", "2020-05-06", "842", "reflectance"):
            assert text in page.tags[42112].value
        assert "STATISTICS" not in page.tags[42112].value
    with rasterio.open(source) as before, rasterio.open(made) as after:
        assert after.bounds == before.bounds
        assert (after.scales, after.offsets) == (before.scales, before.offsets)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.tif", "scene.tif"]


@pytest.mark.parametrize("outscale", [1.5, 2, 3])
def test_the_place_is_kept_at_any_size(outscale, scene, bands, nearest, tmp_path):
    tilted = rasterio.Affine(8, 3, 500_000, 2, -9, 4_600_000)
    source = scene(bands, transform=tilted, AREA_OR_POINT="Point")
    made = upscale_file(nearest(2), source, tmp_path / "made.tif", Settings(outscale=outscale))
    with rasterio.open(made) as file:
        assert (file.width, file.height) == (round(70 * outscale), round(60 * outscale))
        corners = [
            (t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f)
            for t, x, y in ((file.transform, file.width, file.height), (tilted, 70, 60))
        ]
        assert corners[0] == pytest.approx(corners[1])


def test_ground_control_points_are_scaled(scene, bands, nearest, tmp_path):
    point = rasterio.control.GroundControlPoint
    points = [point(0, 0, 1, 2), point(60, 0, 3, 4), point(0, 70, 5, 6), point(30, 35, 7, 8)]
    source = scene(bands, gcps=points, transform=None)
    made = upscale_file(nearest(2), source, tmp_path / "made.tif")
    with rasterio.open(made) as file:
        found, system = file.gcps
    assert [(p.row, p.col, p.x, p.y) for p in found] == [
        (2 * p.row, 2 * p.col, p.x, p.y) for p in points
    ]
    assert system == UTM


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint16", 0), ("int16", -9999), ("float32", -3.4e38)]
)
def test_nodata_does_not_bleed(dtype, nodata, scene, tmp_path):
    """Next to a hole the result is that of a scene that goes on, and never the hole's value."""
    y, x = np.mgrid[:60, :70]
    pixels = (1000 + 5 * x + 3 * y).astype(dtype)[..., None]
    holes = np.zeros((60, 70), bool)
    holes[20:30, 30:50] = True
    smooth = nn.Upsample(scale_factor=2, mode="bicubic")
    up = Upscaler(smooth, smooth, 2, "cubic", tile=16)
    options = Settings(range=(900, 1600))
    whole = upscale_file(up, scene(pixels), tmp_path / "whole.tif", options)
    pixels[holes] = nodata
    made = upscale_file(up, scene(pixels, nodata=nodata), tmp_path / "made.tif", options)
    found, expected = tifffile.imread(made), tifffile.imread(whole)
    large = grown(holes[..., None])[..., 0]
    assert (found[large] == np.array(nodata, dtype)).all()
    assert np.abs(found[~large].astype(float) - expected[~large]).max() < 30
    assert (found[~large] > 950).all()


def test_results_are_never_the_value_for_nothing(scene, tmp_path):
    class Dark(nn.Module):
        def forward(self, lr):
            return lr * 0

    pixels = np.full((20, 20, 1), 7, np.uint8)
    pixels[:5] = 0
    up = Upscaler(Dark(), Dark(), 1, "dark", tile=16)
    found = tifffile.imread(upscale_file(up, scene(pixels, nodata=0), tmp_path / "made.tif"))
    assert (found[:5] == 0).all()
    assert (found[5:] == 1).all()


def test_masks_of_the_whole_file_are_kept(scene, nearest, tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (40, 50, 3)).astype(np.uint8)
    mask = np.ones((40, 50), bool)
    mask[:, :20] = False
    source = scene(pixels, photometric="rgb")
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(source, "r+") as file:
        file.write_mask(mask)
    made = upscale_file(nearest(2), source, tmp_path / "made.tif")
    with rasterio.open(made) as file:
        assert np.array_equal(file.dataset_mask() > 0, grown(mask[..., None])[..., 0])
        assert np.array_equal(np.moveaxis(file.read(), 0, -1)[:, 40:], grown(pixels)[:, 40:])
    assert not (tmp_path / "made.tif.msk").exists()
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".msk"] == []


def test_bands_can_be_picked(scene, bands, nearest, tmp_path):
    source = scene(bands)
    with rasterio.open(source, "r+") as file:
        file.descriptions = ("blue", "green", "red", "near infrared")
    made = upscale_file(nearest(2), source, tmp_path / "made.tif", Settings(bands=[4, 3, 2]))
    with rasterio.open(made) as file:
        assert file.descriptions == ("near infrared", "red", "green")
        assert [kind.name for kind in file.colorinterp] == ["red", "green", "blue"]
        assert np.array_equal(np.moveaxis(file.read(), 0, -1), grown(bands)[..., [3, 2, 1]])
    shown = upscale_file(
        nearest(2),
        source,
        tmp_path / "made.png",
        Settings(bands=[4, 3, 2], depth=8, range=(0, 4000)),
    )
    assert read_image(shown).shape == (120, 140, 3)


def test_eight_bits_of_a_scene_with_holes(scene, bands, nearest, tmp_path):
    source = scene(bands, nodata=0)
    made = upscale_file(nearest(2), source, tmp_path / "made.tif", Settings(depth=8, range="auto"))
    with rasterio.open(made) as file:
        assert file.nodata == 0
        assert np.array_equal(np.moveaxis(file.read(), 0, -1) == 0, grown(bands) == 0)


def test_a_large_scene_is_written_in_tiles(scene, nearest, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (200, 300, 1)).astype(np.int16)
    made = upscale_file(nearest(2, tile=96), scene(pixels, nodata=-1), tmp_path / "made.tif")
    with tifffile.TiffFile(made) as file:
        assert file.pages[0].is_tiled
        assert np.array_equal(file.asarray(), grown(pixels)[..., 0])


def test_classes_are_refused(scene, nearest, tmp_path):
    pixels = np.zeros((9, 9, 1), np.uint8)
    source = scene(pixels)
    with rasterio.open(source, "r+") as file:
        file.write_colormap(1, {0: (255, 0, 0, 255), 1: (0, 255, 0, 255)})
    with pytest.raises(UnreadableImage, match="classes with a colour table"):
        upscale_file(nearest(2), source, tmp_path / "made.tif")


def test_names_of_any_bytes(scene, bands, nearest, tmp_path):
    odd = tmp_path / os.fsdecode(b"zip!\xdf {a}.tif")
    os.rename(scene(bands), odd)
    made = upscale_file(nearest(2), odd, odd.with_name(os.fsdecode(b"\xdf out.tif")))
    assert np.array_equal(tifffile.imread(made), grown(bands))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_cut_files_are_refused(share, scene, bands, nearest, tmp_path):
    source = scene(bands)
    whole = source.read_bytes()
    source.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableImage):
        upscale_file(nearest(2), source, tmp_path / "made.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_flipped_bits_are_refused(scene, bands, nearest, tmp_path):
    source = scene(bands)
    whole = source.read_bytes()
    for place in range(len(whole) // 2, len(whole) * 3 // 4, len(whole) // 40):
        damaged = bytearray(whole)
        damaged[place] ^= 8
        source.write_bytes(damaged)
        with pytest.raises(UnreadableImage):
            upscale_file(nearest(2), source, tmp_path / "made.tif")


def test_sidecars_are_not_opened(scene, bands, nearest, tmp_path):
    source = scene(bands, nodata=None)
    (tmp_path / "scene.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><NoDataValue>5</NoDataValue></PAMRasterBand>'
        "</PAMDataset>"
    )
    made = upscale_file(nearest(2), source, tmp_path / "made.tif")
    with rasterio.open(made) as file:
        assert file.nodata is None


def test_without_rasterio_a_sentence_says_what_to_install(
    scene, bands, nearest, monkeypatch, tmp_path
):
    source = scene(bands)

    monkeypatch.setitem(sys.modules, "rasterio", None)  # importing it fails
    with pytest.raises(
        UserError, match=r"A GeoTIFF needs the package rasterio: pip install 'wildsr\[geo\]'"
    ):
        upscale_file(nearest(2), source, tmp_path / "made.tif")
    assert read_image(source).shape == (60, 70, 3)  # to look at it needs none


def test_rational_polynomials_follow_the_pixels(scene, bands, nearest, tmp_path):
    """The centre of a pixel is where it was: 0 is the centre of the first."""
    source = scene(bands, crs=None, transform=None)
    given = rasterio.rpc.RPC(
        height_off=1, height_scale=2, lat_off=3, lat_scale=4, long_off=5, long_scale=6,
        line_off=29.5, line_scale=30, samp_off=34.5, samp_scale=35,
        line_num_coeff=[1.0] * 20, line_den_coeff=[2.0] * 20,
        samp_num_coeff=[3.0] * 20, samp_den_coeff=[4.0] * 20,
        err_bias=None, err_rand=None,
    )  # fmt: skip
    with rasterio.open(source, "r+") as file:
        file.rpcs = given
    with rasterio.open(upscale_file(nearest(2), source, tmp_path / "made.tif")) as file:
        made = file.rpcs
    assert (made.line_off, made.samp_off) == (59.5, 69.5)
    assert (made.line_scale, made.samp_scale) == (60, 70)
    assert (made.lat_off, made.samp_num_coeff) == (3, [3.0] * 20)


def test_complex_numbers_are_refused(scene, nearest, tmp_path):
    source = scene(np.zeros((9, 8, 1), np.complex64))
    with pytest.raises(UnreadableImage, match="pixels of complex64, only real numbers are read"):
        upscale_file(nearest(2), source, tmp_path / "made.tif")


def test_a_description_that_cannot_be_written_leaves_nothing(
    scene, bands, nearest, tmp_path, monkeypatch
):
    source = scene(bands)

    def refuse(self, file):
        raise OSError("No space left on device")

    monkeypatch.setattr(geo.GeoWriter, "_describe", refuse)
    with pytest.raises(UserError, match="No space left on device"):
        upscale_file(nearest(2), source, tmp_path / "made.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]
