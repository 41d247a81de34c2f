"""TIFF files of measured values as others write them, and as they are damaged."""

import numpy as np
import pytest
import tifffile

from wildsr.photo.raster.ranges import of_type
from wildsr.photo.raster.tiff import TiffRaster
from wildsr.photo.unreadable import UnreadableImage, readable


def changed(path, page=0, **tags):
    """The file with other values in tags of a page: ``t278=2``."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name, value in tags.items():
            file.pages[page].tags[int(name[1:])].overwrite(value)
    return path


def pixels_of(path, page=0):
    with readable(path):
        raster = TiffRaster(path, 200.0)
        return raster.rows(page).read(raster.pages[page].height)


def test_smaller_copies_and_masks_are_no_pages(noise, tmp_path):
    pages = [noise(20, 30, 1, np.uint16, seed=n)[..., 0] for n in range(2)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for page in pages:
            file.write(page, metadata=None)
            file.write(page[::2, ::2], metadata=None, subfiletype=1)
            file.write((page > 99).astype(np.uint8), metadata=None, subfiletype=1)
    for mask in (2, 5):
        changed(tmp_path / "a.tif", mask, t254=4)
    raster = TiffRaster(tmp_path / "a.tif", 200.0)
    assert [(page.height, page.width) for page in raster.pages] == [(20, 30)] * 2
    assert np.array_equal(raster.rows(1).read(20)[..., 0], pages[1])


def test_twelve_bits_have_their_own_white(tmp_path):
    """Two values in three bytes, as cameras for microscopes write them."""
    pytest.importorskip("imagecodecs")
    values = np.array([[0, 4095], [1, 2748]], np.uint16)
    packed = [[v >> 4, (v & 15) << 4 | w >> 8, w & 255] for v, w in values.tolist()]
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for _ in range(2):
            file.write(np.array(packed, np.uint8), metadata=None, rowsperstrip=2)
    for page in range(2):
        changed(tmp_path / "a.tif", page, t256=2, t258=12)
    raster = TiffRaster(tmp_path / "a.tif", 200.0)
    assert raster.rows(0).read(2)[..., 0].tolist() == values.tolist()
    assert of_type(raster.pages[0], raster.stated) == (0, 4095)


def test_pages_of_one_directory_are_all_read(tmp_path):
    """As ImageJ writes stacks above 4 GB: the first page's place, and how many follow it."""
    stack = np.arange(3 * 20 * 30, dtype=">u2").reshape(3, 20, 30)
    path = tmp_path / "a.tif"
    about = {"description": "ImageJ=1.54f\nimages=3\nslices=3\n", "metadata": None}
    tifffile.imwrite(path, stack[0], byteorder=">", photometric="minisblack", **about)
    with path.open("ab") as file:
        file.write(stack[1:].tobytes())
    raster = TiffRaster(path, 200.0)
    for number, page in enumerate(stack):
        assert np.array_equal(raster.rows(number).read(20)[..., 0], page)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(UnreadableImage, match=r"it ends early \(page 3 of 3 is not there\)"):
        pixels_of(path)


def test_pages_that_are_only_claimed_are_refused_at_once(tmp_path):
    """Before a list of them is made, which would fill the memory."""
    about = {"description": "ImageJ=1.54f\nimages=2000000000\n", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((9, 8), np.uint8), **about)
    with pytest.raises(UnreadableImage, match="page 2 of 2000000000 is not there"):
        pixels_of(tmp_path / "a.tif")


def test_what_is_not_read_says_so(tmp_path):
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((9, 8), np.complex64))
    with pytest.raises(UnreadableImage, match="pixels of complex64, only real numbers are read"):
        pixels_of(tmp_path / "c.tif")
    volume = np.zeros((16, 16, 16), np.float32)
    tifffile.imwrite(tmp_path / "v.tif", volume, tile=(16, 16, 16), volumetric=True)
    with pytest.raises(UnreadableImage, match=r"pages of several planes \(ImageDepth\)"):
        pixels_of(tmp_path / "v.tif")


def test_strips_that_are_nowhere_are_missed(noise, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", noise(20, 30, 1, np.uint16)[..., 0], metadata=None)
    changed(tmp_path / "a.tif", t278=2)  # ten strips, of which one is there
    with pytest.raises(UnreadableImage, match=r"damaged \(some of its pixels are nowhere\)"):
        pixels_of(tmp_path / "a.tif")


def test_a_file_that_was_exchanged_is_noticed(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((9, 8), np.float32))
    raster = TiffRaster(path, 200.0)
    tifffile.imwrite(path, np.zeros((9, 7), np.float32))
    with pytest.raises(ValueError, match="page 1 is not of the size that its header says"):
        raster.rows(0)


@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_codings_of_a_missing_package_are_read_by_libvips(
    photometric, noise, tmp_path, monkeypatch
):
    """imagecodecs is optional; stored numbers are the same without it."""
    pixels = noise(20, 30, 2, np.uint16).transpose(2, 0, 1)
    options = {"photometric": photometric, "compression": "zlib", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    expected = [pixels_of(tmp_path / "a.tif", page) for page in range(2)]

    def missing(self):
        raise ValueError("<COMPRESSION.LZW: 5> requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", missing)
    for page in range(2):
        found = pixels_of(tmp_path / "a.tif", page)
        assert np.array_equal(found, expected[page])
        assert np.array_equal(found[..., 0], pixels[page])

    def damaged(self):
        raise ValueError("corrupted strip")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", damaged)
    with pytest.raises(UnreadableImage, match="corrupted strip"):
        pixels_of(tmp_path / "a.tif")


def test_axes_that_do_not_fit_the_pages_cost_nothing(noise, tmp_path):
    """A stack of which planes were never recorded, and one whose block is nonsense."""
    pages = noise(8, 9, 2, np.uint16).transpose(2, 0, 1)
    text = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        '<Pixels ID="Pixels:0" Type="uint16" DimensionOrder="XYCZT" SizeX="9" SizeY="8" SizeC="2" '
        'SizeZ="2" SizeT="1">{}</Pixels></Image></OME>'
    )
    data = "".join(f'<TiffData IFD="{n}" FirstC="{n}" PlaneCount="1"/>' for n in range(2))
    tifffile.imwrite(tmp_path / "a.tif", pages, description=text.format(data), metadata=None)
    raster = TiffRaster(tmp_path / "a.tif", 200.0)
    assert [page.channel for page in raster.pages] == [0, 1]
    odd = text.format(data).replace('SizeC="2"', 'SizeC="two"')
    tifffile.imwrite(tmp_path / "b.tif", pages, description=odd, metadata=None)
    raster = TiffRaster(tmp_path / "b.tif", 200.0)
    assert np.array_equal(raster.rows(1).read(8)[..., 0], pages[1])
