"""LZW by hand: which codes make up a whole strip, and which show damage (TIFF 6.0, section 13)."""

import numpy as np
import pytest
import tifffile

from wildsr.photo.samples import read_samples
from wildsr.photo.tiff_strips import lzw_is_whole

CLEAR, END = 256, 257


def coded(*codes, bits=9):
    """Codes of nine bits, most significant bit first."""
    text = "".join(f"{code:0{bits}b}" for code in codes)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize(
    ("codes", "size"),
    [
        ((CLEAR, 7, 7, 7, END), 3),
        ((7, 7, 7, END), 3),  # which begins without a clear code
        ((CLEAR, 7, 258, 259, END), 6),  # each code is one longer than the one before
        ((CLEAR, 7, 7, CLEAR, 7, 258, END), 5),
        ((CLEAR, 7, 7, 7), 3),  # without an end code, as some programs write it
        ((CLEAR, END), 0),
    ],
)
def test_sound_strips(codes, size):
    data = coded(*codes)
    assert lzw_is_whole(data, (size, size + 100))
    assert lzw_is_whole(data, (size + 100, size))
    assert not lzw_is_whole(data, (size + 1, size + 100))


@pytest.mark.parametrize(
    ("codes", "size"),
    [
        ((CLEAR, 300, 7, END), 2),  # a code of an empty table
        ((CLEAR, 7, 259, END), 3),  # one that comes too early
        ((CLEAR, 7, END, 7, 7), 3),  # an end before the end
        ((CLEAR, *[7] * 40, CLEAR, 7, END), 20),  # more than there is room for
    ],
)
def test_damaged_strips(codes, size):
    assert not lzw_is_whole(coded(*codes), (size, size))


def test_nothing_is_not_a_strip():
    assert not lzw_is_whole(b"", (3,))
    assert not lzw_is_whole(b"\x80", (3,))


def test_a_strip_that_ends_with_a_clear_code():
    """What follows it is less than a code."""
    assert lzw_is_whole(coded(CLEAR, 7, 7, 7, CLEAR), (3,))
    assert not lzw_is_whole(coded(CLEAR, 7, 7, 7, CLEAR), (4,))


def test_strips_that_were_never_written_show_zeros(tmp_path):
    """As GDAL leaves them out of a sparse file."""
    values = np.arange(1, 601, dtype=np.float32).reshape(20, 30)
    options = {"compression": "zlib", "rowsperstrip": 10, "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
        tags = file.pages[0].tags
        tags[279].overwrite((tags[279].value[0], 0))
        tags[273].overwrite((tags[273].value[0], 0))
    found = read_samples(tmp_path / "a.tif")[..., 0]
    assert np.array_equal(found[:10], values[:10])
    assert not found[10:].any()
