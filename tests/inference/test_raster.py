"""Files of measured values through an upscaler: every number, page and band, read by others."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from torch import nn

from wildsr.error import UserError
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.job import carry_out
from wildsr.inference.tasks import tasks
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.unreadable import TooLarge, UnreadableImage
from wildsr.photo.vips import pyvips

TYPES = ("uint8", "uint16", "int16", "int32", "uint32", "float16", "float32", "float64")


@pytest.fixture
def values():
    """``values(shape, dtype)``: numbers of any type."""

    def make(shape, dtype=np.float32, seed=0):
        draw = np.random.default_rng(seed).random(shape)
        low, high = (-3.5, 9.0) if np.dtype(dtype).kind == "f" else (0, 120)
        low = -100 if np.dtype(dtype).kind == "i" else low
        return (draw * (high - low) + low).astype(dtype)

    return make


def grown(pixels, factor=2, axes=(0, 1)):
    return pixels.repeat(factor, axis=axes[0]).repeat(factor, axis=axes[1])


def vips(path, page=0):
    pyvips.cache_set_max(0)
    return pyvips.Image.new_from_file(str(path), page=page).numpy()


def close(found, expected):
    """Equal, but for single precision over the range of the numbers."""
    room = 1e-6 * np.nanmax(np.abs(expected)) if expected.dtype.kind == "f" else 0
    room = max(room, np.spacing(np.nanmax(np.abs(expected)))) if room else 0
    same = found.shape == expected.shape and found.dtype == expected.dtype
    return same and np.allclose(found, expected, rtol=0, atol=room, equal_nan=True)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bands", [1, 2, 5])
def test_tiffs_of_every_type_keep_their_numbers(dtype, bands, values, nearest, tmp_path):
    pixels = values((33, 41, bands), dtype)
    order = {} if bands == 1 else {"planarconfig": "contig"}
    stored = pixels[..., 0] if bands == 1 else pixels
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", metadata=None, **order)
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif")
    # libvips reads no others.
    found = vips(made) if dtype not in ("float16", "float64") else tifffile.imread(made)
    assert close(found.reshape(66, 82, bands), grown(pixels))


@pytest.mark.parametrize("options", [{}, {"tile": (16, 32)}, {"bigtiff": True}, {"byteorder": ">"}])
@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
def test_tiffs_of_every_layout_are_read(options, compression, values, nearest, tmp_path):
    pixels = values((4, 50, 40), np.float32)
    tifffile.imwrite(
        tmp_path / "a.tif",
        pixels,
        photometric="minisblack",
        planarconfig="separate",
        compression=compression,
        **options,
    )
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif")
    assert close(np.moveaxis(vips(made), -1, 0), grown(pixels, axes=(1, 2)))


@pytest.mark.parametrize("compression", ["lzw", "packbits"])
def test_codings_that_libvips_knows_are_read(compression, values, nearest, tmp_path):
    pixels = values((60, 70, 5), np.uint16)
    image = None
    for page in range(5):
        one = pyvips.Image.new_from_array(pixels[..., page]).copy(interpretation="grey16")
        image = one if page == 0 else image.join(one, "vertical")
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, "page-height", 60)
    image.tiffsave(str(tmp_path / "a.tif"), compression=compression)
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif")
    assert np.array_equal(tifffile.imread(made), np.moveaxis(grown(pixels), -1, 0))


@pytest.mark.parametrize("tile", [8, 16, 64])
def test_tiles_and_groups_join_without_a_seam(tile, values, tmp_path):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1, padding_mode="replicate"))
    network.append(nn.PixelShuffle(2))
    tifffile.imwrite(
        tmp_path / "a.tif", values((45, 37, 4)), photometric="minisblack", planarconfig="contig"
    )
    pixels = tifffile.imread(tmp_path / "a.tif")
    up = Upscaler(network, network, 2, "conv", tile=tile)
    whole = Upscaler(network, network, 2, "conv", tile=1024)
    names = ((up, "b"), (whole, "c"))
    found = [
        tifffile.imread(upscale_file(one, tmp_path / "a.tif", tmp_path / f"{name}.tif"))
        for one, name in names
    ]
    assert np.allclose(*found, atol=2e-5)
    low, high = pixels.min((0, 1)), pixels.max((0, 1))
    unit = torch.from_numpy((pixels - low) / (high - low)).permute(2, 0, 1)[:, None]
    with torch.no_grad():
        sr = network(unit.expand(-1, 3, -1, -1))
    gray = torch.einsum("nchw,c->nhw", sr, torch.tensor([0.299, 0.587, 0.114])).permute(1, 2, 0)
    assert np.allclose(found[0], gray.clamp(0, 1).numpy() * (high - low) + low, atol=1e-4)


def test_sixteen_bits_are_not_banded(nearest, tmp_path):
    ramp = np.linspace(0, 65535, 64 * 300).reshape(300, 64).round().astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([ramp, ramp[::-1]]), photometric="minisblack")
    smooth = nn.Upsample(scale_factor=2, mode="bilinear")
    up = Upscaler(smooth, smooth, 2, "linear", tile=64)
    found = tifffile.imread(upscale_file(up, tmp_path / "a.tif", tmp_path / "b.tif"))
    assert found.dtype == np.uint16
    assert len(np.unique(found)) > 15_000


def test_what_lies_outside_the_range_is_kept(nearest, tmp_path):
    pixels = np.random.default_rng(0).normal(0, 1, (64, 64)).astype(np.float32)
    pixels[20, 30], pixels[40, 10] = 5000, -700  # hot pixels, far from all others
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    found = tifffile.imread(upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif"))
    assert found.max() > 2500
    assert found.min() < -350
    assert np.abs(found[60:70, 80:] - grown(pixels)[60:70, 80:]).max() < 4  # no halo far away
    fixed = Settings(range=(-1, 1))
    found = tifffile.imread(upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif", fixed))
    assert found.max() > 2500


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_stays_where_it_is_and_is_told(odd, values, nearest, said, tmp_path):
    pixels = values((40, 50))
    pixels[10:14, 20:30] = odd
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    found = tifffile.imread(upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif"))
    assert np.array_equal(np.isfinite(found), np.isfinite(grown(pixels)))
    assert close(np.where(np.isfinite(found), found, 0), np.nan_to_num(grown(pixels), posinf=0))
    assert any("2 % of its numbers are NaN or infinite" in line for line in said)


def test_an_image_of_one_value_stays_it(nearest, tmp_path):
    for pixels in (np.full((9, 8), 3.25, np.float32), np.full((9, 8), np.nan, np.float32)):
        tifffile.imwrite(tmp_path / "a.tif", pixels)
        found = tifffile.imread(upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif"))
        assert np.array_equal(found, grown(pixels), equal_nan=True)


def test_pages_of_several_sizes_are_all_upscaled(noise, nearest, tmp_path):
    pages = [noise(20, 30), noise(25, 15, 1)[..., 0], noise(8, 9, 1, np.uint16)[..., 0]]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number, page in enumerate(pages):
            text = f"page {number}"
            rgb = "rgb" if page.ndim == 3 else "minisblack"
            file.write(
                page, photometric=rgb, metadata=None, description=text, resolution=(300, 300)
            )
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif")
    with Image.open(made) as image:
        assert image.n_frames == 3
        for number, page in enumerate(pages):
            image.seek(number)
            assert np.array_equal(np.asarray(image), grown(page))
            assert image.tag_v2[270] == f"page {number}"
            assert float(image.tag_v2[282]) == 600
    one = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "c.png", Settings(page=2))
    assert np.array_equal(np.asarray(Image.open(one)), grown(pages[1]))
    with pytest.raises(UserError, match=r"one picture.*3 pages"):
        upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "d.png")
    with pytest.raises(UserError, match=r"`page` must be 1 to 3 .*got 4"):
        upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "d.tif", Settings(page=4))


def test_pages_of_palettes_and_cmyk_are_as_photos_are(noise, nearest, tmp_path):
    first, palette = Image.fromarray(noise(20, 30)), Image.fromarray(noise(20, 30)).quantize(8)
    first.save(tmp_path / "a.tif", save_all=True, append_images=[palette])
    found = tifffile.imread(upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif"))
    assert np.array_equal(found[1], grown(np.asarray(palette.convert("RGB"))))


@pytest.mark.parametrize("alpha", ["unassalpha", "unspecified"])
def test_alpha_is_told_from_a_fourth_band(alpha, nearest, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4096, (20, 30, 4)).astype(np.uint16)
    pixels[..., 3] = 65535
    pixels[:, 15:, 3] = 0
    options = {"photometric": "rgb", "extrasamples": [alpha], "metadata": None}
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(2):
            file.write(pixels, **options)
    found = tifffile.imread(upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif"))[0]
    expected = grown(pixels)
    assert np.array_equal(found[..., 3], expected[..., 3])
    assert np.array_equal(found[:, :30], expected[:, :30])
    invisible = np.array_equal(found[:, 30:, :3], expected[:, 30:, :3])
    assert invisible == (alpha == "unspecified")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages[0].extrasamples == ((2,) if alpha == "unassalpha" else (0,))


@pytest.mark.parametrize("outscale", [0.5, 1.5, 2, 3])
def test_other_sizes(outscale, nearest, tmp_path):
    y, x = np.mgrid[:60, :80]
    pixels = (1000 + 300 * np.sin(x / 11) + 5 * y).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    linear = nn.Upsample(scale_factor=2, mode="bilinear")
    up = Upscaler(linear, linear, 2, "linear", tile=16)
    made = upscale_file(up, tmp_path / "a.tif", tmp_path / "b.tif", Settings(outscale=outscale))
    found = tifffile.imread(made)
    assert found.shape == (round(60 * outscale), round(80 * outscale))
    y, x = ((np.indices(found.shape) + 0.5) / outscale) - 0.5
    expected = 1000 + 300 * np.sin(x / 11) + 5 * y
    assert np.abs(found - expected)[8:-8, 8:-8].max() < 2
    pixels[20:30, 40:50] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    made = upscale_file(up, tmp_path / "a.tif", tmp_path / "b.tif", Settings(outscale=outscale))
    holes = np.isnan(tifffile.imread(made))
    assert holes.sum() == pytest.approx(100 * outscale**2, rel=0.15)
    rest = np.abs(tifffile.imread(made) - expected)[8:-8, 8:-8]
    assert np.nanmax(rest) < 40


def test_depths(values, nearest, tmp_path):
    pixels = values((30, 20))
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    low, high = pixels.min(), pixels.max()
    for depth, most in ((8, 255), (16, 65535)):
        made = upscale_file(
            nearest(2), tmp_path / "a.tif", tmp_path / "b.png", Settings(depth=depth)
        )
        expected = np.rint((grown(pixels) - low) / (high - low) * most)
        assert np.abs(np.asarray(Image.open(made)).astype(float) - expected).max() <= 1
    with pytest.raises(UserError, match="png cannot hold float32; depth=8 or depth=16"):
        upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "c.png")
    with pytest.raises(UserError, match="jpg cannot hold float32; depth=8 makes"):
        upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "c.jpg")
    whole = values((30, 20, 5), np.uint16)
    tifffile.imwrite(tmp_path / "d.tif", whole, photometric="minisblack", planarconfig="contig")
    made = upscale_file(nearest(2), tmp_path / "d.tif", tmp_path / "e.npy", Settings(depth="float"))
    found = np.load(made)
    assert found.dtype == np.float32
    assert np.abs(found - grown(whole)).max() < 0.01


def test_bands_are_picked(values, nearest, tmp_path):
    pixels = values((20, 30, 6), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig="contig")
    picked = Settings(bands=[5, 3, 1])
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif", picked)
    assert np.array_equal(vips(made), grown(pixels)[..., [4, 2, 0]])
    with tifffile.TiffFile(made) as file:
        assert file.pages[0].photometric.name == "RGB"
    eight = Settings(bands=[5, 3, 1], depth=8, range=(0, 120))
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.png", eight)
    expected = np.rint(grown(pixels)[..., [4, 2, 0]] / 120 * 255)
    assert np.abs(np.asarray(Image.open(made)).astype(float) - expected).max() <= 1
    with pytest.raises(UserError, match=r"`bands` must hold numbers from 1 to 6 .*\[7\]"):
        upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "c.tif", Settings(bands=[7]))
    for wrong in ([0], [], "rgb", [1.5], [True]):
        with pytest.raises(UserError, match="Argument `bands` must be a list"):
            Settings(bands=wrong)


class Swap(nn.Module):
    """Exchanges red and blue: shows which bands were seen together."""

    def forward(self, lr):
        return lr.flip(1)


def test_which_bands_go_together(noise, tmp_path):
    up = Upscaler(Swap(), Swap(), 1, "swap", tile=16)
    pixels = noise(20, 30, 5, np.uint16)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=[0, 0], planarconfig="contig"
    )
    found = tifffile.imread(upscale_file(up, tmp_path / "a.tif", tmp_path / "b.tif"))
    assert np.array_equal(found, pixels[..., [2, 1, 0, 3, 4]])
    each = Settings(bands="all")
    found = tifffile.imread(upscale_file(up, tmp_path / "a.tif", tmp_path / "c.tif", each))
    assert np.array_equal(found, pixels)


def test_ome_axes_and_pixel_sizes_are_corrected(noise, nearest, tmp_path):
    pixels = np.stack([noise(20, 30, 1, np.uint16, seed=n)[..., 0] for n in range(6)])
    pixels = pixels.reshape(2, 3, 20, 30) // 16
    about = {
        "axes": "CZYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeZ": 2.0,
        "SignificantBits": 12,
        "Channel": {"Name": ["DAPI", "GFP"]},
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata=about)
    made = upscale_file(nearest(2), tmp_path / "a.ome.tif", tmp_path / "b.ome.tif")
    with tifffile.TiffFile(made) as file:
        assert file.series[0].axes == "CZYX"
        assert np.array_equal(file.asarray(), grown(pixels, axes=(2, 3)))
        xml = file.ome_metadata
    for text in ('PhysicalSizeX="0.25"', 'PhysicalSizeY="0.125"', 'PhysicalSizeZ="2.0"', "DAPI"):
        assert text in xml
    assert 'SizeX="60"' in vips_text(made, "image-description")
    assert "µm" in vips_text(made, "image-description")
    one = upscale_file(nearest(2), tmp_path / "a.ome.tif", tmp_path / "c.tif", Settings(page=4))
    assert np.array_equal(vips(one), grown(pixels[1, 0]))
    with tifffile.TiffFile(one) as file:
        assert not file.is_ome  # the block would describe pages that are not there


def vips_text(path, name):
    return pyvips.Image.new_from_file(str(path)).get(name)


def test_imagej_hyperstacks_stay_what_they_are(noise, nearest, tmp_path):
    pixels = noise(20, 30, 6, np.uint16).transpose(2, 0, 1).reshape(3, 2, 20, 30)
    about = {
        "axes": "ZCYX",
        "unit": "um",
        "spacing": 3.0,
        "Info": "a stack",
        "Labels": list("abcdef"),
    }
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata=about, resolution=(5.0, 4.0))
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif")
    with tifffile.TiffFile(made) as file:
        said = file.imagej_metadata
        assert file.series[0].axes == "ZCYX"
        assert np.array_equal(file.asarray(), grown(pixels, axes=(2, 3)))
    assert (said["unit"], said["spacing"], said["Info"]) == ("um", 3.0, "a stack")
    with Image.open(made) as image:
        assert (float(image.tag_v2[282]), float(image.tag_v2[283])) == (10, 8)


def test_channels_have_their_own_range_and_pages_share_it(values, tmp_path):
    """Else a stack would flicker, and the weaker dye would be black."""
    seen = []

    class Spy(nn.Module):
        def forward(self, lr):
            seen.append((float(lr.min()), float(lr.max())))
            return lr

    pixels = np.stack([values((3, 20, 30)), values((3, 20, 30), seed=1) * 1000])
    pixels[:, 0] /= 2  # a darker page
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, metadata={"axes": "CZYX"})
    upscale_file(
        Upscaler(Spy(), Spy(), 1, "spy", tile=64), tmp_path / "a.ome.tif", tmp_path / "b.tif"
    )
    looks = seen[-6:]
    assert looks[0] == pytest.approx(looks[3], abs=0.05)  # the two dyes, of 1:1000
    assert looks[0][1] < 0.7 < looks[1][1]  # the darker page stays darker


@pytest.mark.parametrize("dtype", ["bool", *TYPES])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3), (4, 20, 30), (2, 20, 30, 5)])
def test_arrays_come_back_in_their_own_layout(dtype, shape, values, nearest, tmp_path):
    pixels = values(shape, "uint8") > 60 if dtype == "bool" else values(shape, dtype)
    np.save(tmp_path / "a.npy", pixels)
    found = np.load(upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.npy"))
    place = shape.index(20)
    assert close(found, grown(pixels, axes=(place, place + 1)))


def test_zips_of_arrays(values, nearest, tmp_path):
    arrays = {"image": values((20, 30)), "mask": values((20, 30, 3), np.uint8)}
    np.savez(tmp_path / "a.npz", **arrays, wavelengths=np.arange(5.0), note=np.array("é"))
    found = np.load(upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npz"))
    assert set(found) == {"image", "mask", "wavelengths", "note"}
    assert all(close(found[name], grown(one)) for name, one in arrays.items())
    assert found["wavelengths"].tolist() == [0, 1, 2, 3, 4]
    assert str(found["note"]) == "é"


def test_a_folder_of_all_kinds(values, nearest, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "a.npy", values((20, 30)))
    tifffile.imwrite(folder / "b.tif", values((3, 20, 30)))
    Image.fromarray(values((20, 30, 3), np.uint8)).save(folder / "c.png")
    (folder / "d.npy").write_bytes((folder / "a.npy").read_bytes()[:-4])
    todo = tasks(folder, tmp_path / "out", None)
    outcome = carry_out(nearest(2, batch=4), todo, Settings())
    assert (outcome.done, outcome.failed) == (3, 1)
    assert outcome.reasons[0][0].endswith("d.npy")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.npy", "b.tif", "c.png"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["none", "zlib", "tile", "npy", "npz"])
def test_cut_files_are_refused(kind, share, values, nearest, tmp_path):
    pixels = values((60, 50, 5))
    path = tmp_path / f"a.{kind if kind.startswith('np') else 'tif'}"
    if kind == "npy":
        np.save(path, pixels)
    elif kind == "npz":
        np.savez_compressed(path, pixels)
    else:
        options = {"tile": (16, 16)} if kind == "tile" else {}
        options["compression"] = None if kind == "none" else "zlib"
        tifffile.imwrite(path, pixels, photometric="minisblack", planarconfig="contig", **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UnreadableImage) as refused:
        upscale_file(nearest(2), path, tmp_path / f"b{path.suffix}")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / f"b{path.suffix}").exists()
    assert list(tmp_path.iterdir()) == [path]


def test_flipped_bits_are_refused(values, nearest, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", values((2, 60, 50)), compression="zlib")
    np.savez_compressed(tmp_path / "a.npz", values((60, 50)))
    for path in (tmp_path / "a.tif", tmp_path / "a.npz"):
        whole = bytearray(path.read_bytes())
        for place in range(len(whole) // 2, len(whole) // 2 + 40, 8):
            damaged = bytearray(whole)
            damaged[place] ^= 16
            path.write_bytes(damaged)
            with pytest.raises(UnreadableImage):
                upscale_file(nearest(2), path, tmp_path / f"b{path.suffix}")


def test_bombs_are_refused_by_their_headers(nearest, tmp_path):
    """Many bands, many bytes, and many pages that are one and the same."""
    limited = Settings(limit=0.01)
    np.savez_compressed(tmp_path / "a.npz", np.zeros((90, 90, 40)))
    with pytest.raises(TooLarge, match="90 x 90 pixels of 40 x float64, more than `limit`"):
        upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npz", limited)
    np.savez_compressed(tmp_path / "a.npz", np.zeros((9, 9)), more=np.zeros(500_000, np.uint8))
    with pytest.raises(UnreadableImage, match=r"0\.5 MB of other arrays"):
        upscale_file(nearest(2), tmp_path / "a.npz", tmp_path / "b.npz", Settings(limit=0.05))
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
        )
    with pytest.raises(TooLarge):
        upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.npy")
    _one_strip_for_all(tmp_path / "a.tif")
    with pytest.raises(TooLarge, match="40 pages that overlap"):
        upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif", Settings(limit=1))


def _one_strip_for_all(path):
    """A file of 40 pages that are the same bytes."""
    with tifffile.TiffWriter(path) as file:
        for side in (900, *[16] * 39):
            zeros = np.zeros((side, side), np.float32)
            file.write(zeros, compression="zlib", metadata=None, rowsperstrip=side)
    with tifffile.TiffFile(path, mode="r+b") as file:
        first = file.pages[0]
        for page in list(file.pages)[1:]:
            for code in (256, 257, 278, 273, 279):
                page.tags[code].overwrite(first.tags[code].value)


def test_what_is_no_picture_is_refused_in_a_sentence(nearest, tmp_path):
    for array, reason in (
        (np.zeros((3, 3), complex), "complex128, only real numbers"),
        (np.zeros(7), r"the shape \(7,\)"),
        (np.array(["a"]), "only real numbers"),
        (np.zeros((4, 0)), "shape"),
    ):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(UnreadableImage, match=reason):
            upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.npy")
    np.save(tmp_path / "a.npy", np.array([[print]], object), allow_pickle=True)
    with pytest.raises(UnreadableImage):
        upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.npy")


def test_a_network_of_other_channels(values, tmp_path):
    """One of as many as there are bands takes all at once; another number is said."""

    class Turn(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.channels = channels

        def forward(self, lr):
            assert lr.shape[1] == self.channels
            return lr.flip(1)

    pixels = values((20, 30, 5))
    pixels[4:8, 5:9, 1] = np.nan
    for stored in (pixels, values((20, 30, 5), np.uint16)):
        np.save(tmp_path / "a.npy", stored)
        up = Upscaler(Turn(5), Turn(5), 1, "five", tile=16)
        given = Settings(range=(0, 200))
        found = np.load(upscale_file(up, tmp_path / "a.npy", tmp_path / "b.npy", given))
        whole = np.isfinite(stored).all(-1) & (stored >= 0).all(-1)
        assert whole.any()
        assert np.allclose(found[whole], stored[whole][:, ::-1], atol=1e-4)
        assert np.array_equal(np.isnan(found), np.isnan(stored))
    up = Upscaler(Turn(4), Turn(4), 1, "four", tile=16)
    with pytest.raises(UserError, match=r"takes 4 bands, but .* has 5"):
        upscale_file(up, tmp_path / "a.npy", tmp_path / "b.npy")
