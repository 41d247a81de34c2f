"""What TIFF results keep of their source, read by Pillow and tifffile."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from wildsr.inference.file import Settings, upscale_file
from wildsr.photo.raster.array import ArrayRaster
from wildsr.photo.raster.base import Page, Plan
from wildsr.photo.raster.tiff_write import TiffWriter


def twice(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


def written(path, pages, **options):
    with tifffile.TiffWriter(path) as file:
        for page in pages:
            file.write(page, **{"metadata": None, **options})
    return path


def test_what_pages_carry_is_kept(noise, nearest, tmp_path, profile):
    pages = [noise(20, 30, seed=n) for n in range(2)]
    more = [
        (700, 1, 7, b"<x:xmp>", True),
        (33723, 7, 9, b"\x1c\2\5\0\4iptc", True),
        (271, 2, None, "Maker", True),
        (315, 2, None, "Jürgen".encode(), True),
        (285, 2, None, "a page", True),
        (297, 3, 2, (0, 2), True),
    ]
    options = {
        "datetime": "2020:01:02 03:04:05",
        "software": "theirs",
        "iccprofile": profile,
        "extratags": more,
    }
    path = written(tmp_path / "a.tif", pages, **options)
    made = upscale_file(nearest(2), path, tmp_path / "b.tif")
    with tifffile.TiffFile(made) as file:
        for page in file.pages:
            tags = {code: page.tags.valueof(code) for code in (271, 285, 297, 305, 306, 315, 700)}
            assert tags[271] == "Maker"
            assert tags[285] == "a page"
            assert tags[297] == (0, 2)
            assert tags[305] == "theirs"
            assert tags[306] == "2020:01:02 03:04:05"
            assert tags[315] in ("Jürgen", "Jürgen".encode())
            assert bytes(tags[700]) == b"<x:xmp>"
            assert bytes(page.tags.valueof(33723)) == b"\x1c\2\5\0\4iptc"
            assert bytes(page.iccprofile) == profile
    one = upscale_file(nearest(2), path, tmp_path / "c.tif", Settings(page=2))
    with tifffile.TiffFile(one) as file:
        assert 297 not in file.pages[0].tags  # "page 1 of 2" of a file of one
        assert file.pages[0].tags.valueof(285) == "a page"


@pytest.mark.parametrize(
    ("photometric", "bands", "kept"),
    [("rgb", 3, True), ("separated", 4, False), ("cielab", 3, False)],
)
def test_a_profile_goes_with_the_colours_that_it_describes(
    photometric, bands, kept, noise, nearest, tmp_path, profile
):
    """Pages of CMYK and Lab become sRGB."""
    pages = [noise(20, 30, bands, np.uint16, seed=n) for n in range(2)]
    path = written(tmp_path / "a.tif", pages, photometric=photometric, iccprofile=profile)
    with Image.open(upscale_file(nearest(2), path, tmp_path / "b.tif")) as image:
        assert (34675 in image.tag_v2) == kept


@pytest.mark.parametrize(("orientation", "expected"), [(1, (200, 100)), (6, (100, 200))])
def test_the_resolution_is_that_of_the_upright_page(
    orientation, expected, values, nearest, tmp_path
):
    options = {"resolution": (100, 50), "resolutionunit": 3}
    more = [(274, 3, 1, orientation, True)]
    path = written(tmp_path / "a.tif", [values(20, 30)] * 2, extratags=more, **options)
    with Image.open(upscale_file(nearest(2), path, tmp_path / "b.tif")) as image:
        assert image.size == ((60, 40) if orientation == 1 else (40, 60))
        assert (float(image.tag_v2[282]), float(image.tag_v2[283])) == expected
        assert image.tag_v2[296] == 3


@pytest.fixture
def values():
    return lambda height, width: np.arange(height * width, dtype=np.float32).reshape(height, width)


def test_white_that_is_zero_stays_it(noise, nearest, tmp_path):
    pages = [noise(20, 30, 1, np.uint16, seed=n)[..., 0] for n in range(2)]
    path = written(tmp_path / "a.tif", pages, photometric="miniswhite")
    with tifffile.TiffFile(upscale_file(nearest(2), path, tmp_path / "b.tif")) as file:
        assert file.pages[0].photometric.name == "MINISWHITE"
        assert np.array_equal(file.pages[1].asarray(), twice(pages[1]))


@pytest.mark.parametrize("shape", [[2, 20, 30, 3], [], [3], [9, 9, 3], 5])
def test_the_shape_in_a_description_follows_the_pixels(shape, noise, nearest, tmp_path):
    """As tifffile writes it; one that does not fit is left out."""
    text = json.dumps({"shape": shape, "by": "me"})
    pages = [noise(20, 30, seed=n) for n in range(2)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in pages:
            file.write(page, metadata=None, description=text, photometric="rgb")
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif")
    with Image.open(made) as image:
        said = image.tag_v2.get(270)
    assert said is None or json.loads(said) == {"shape": [2, 40, 60, 3], "by": "me"}
    assert (said is not None) == (shape == [2, 20, 30, 3])


def test_one_page_of_imagej_is_no_stack(noise, nearest, tmp_path):
    stack = noise(20, 30, 3, np.uint16).transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "ZYX"})
    made = upscale_file(nearest(2), tmp_path / "a.tif", tmp_path / "b.tif", Settings(page=2))
    with tifffile.TiffFile(made) as file:
        assert not file.is_imagej
        assert np.array_equal(file.asarray(), twice(stack[1]))


def test_yes_and_no_become_black_and_white(nearest, tmp_path):
    yes = np.indices((9, 8)).sum(0) % 3 == 0
    np.save(tmp_path / "a.npy", yes)
    made = upscale_file(nearest(2), tmp_path / "a.npy", tmp_path / "b.tif")
    assert np.array_equal(np.asarray(Image.open(made)), twice(yes) * np.uint8(255))


def test_strips_of_any_height_make_the_same_file(noise, tmp_path):
    pixels = noise(700, 300, 2, np.uint16)
    np.save(tmp_path / "a.npy", pixels)
    source = ArrayRaster(tmp_path / "a.npy", "npy", None)
    plan = Plan([Page(700, 300, 2, np.dtype(np.uint16))], [0], [[0, 1]])
    for name, cuts in (("one", []), ("many", [1, 5, 300, 699])):
        writer = TiffWriter(tmp_path / f"{name}.tif", source, plan)
        writer.page(0, iter(np.split(pixels, cuts)))
        writer.close()
        assert np.array_equal(tifffile.imread(tmp_path / f"{name}.tif"), pixels)
    assert (tmp_path / "one.tif").read_bytes() == (tmp_path / "many.tif").read_bytes()
