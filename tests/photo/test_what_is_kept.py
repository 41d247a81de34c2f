"""What docs/upscale.md says is kept of a photo's metadata, as Pillow reads it from the result."""

import zlib

import numpy as np
import pytest
from PIL import Image, IptcImagePlugin, PngImagePlugin, TiffImagePlugin

from wildsr.inference.file import upscale_file
from wildsr.photo.iptc import HEADER, iptc_for

COMMENT = "Möwen".encode()
CAPTION = b"gulls in the harbour."  # with its five bytes of header no multiple of four
RECORDS = b"\x1c\x02\x78" + len(CAPTION).to_bytes(2, "big") + CAPTION
# As Photoshop writes them: IPTC (0x0404) comes after another resource with a name.
RESOURCES = b"8BIM\x03\xf3\x03abc" + (3).to_bytes(4, "big") + b"xyz\0"
RESOURCES += b"8BIM\x04\x04\0\0" + len(RECORDS).to_bytes(4, "big") + RECORDS


@pytest.fixture
def captioned(tmp_path, noise):
    """``captioned(suffix)``: a photo with a caption in IPTC, and a comment where it can."""

    def save(suffix):
        path, photo = tmp_path / f"in.{suffix}", Image.fromarray(noise(30, 40))
        if suffix == "jpg":
            photo.save(path, comment=COMMENT)
            data, block = path.read_bytes(), HEADER + RESOURCES
            size = (len(block) + 2).to_bytes(2, "big")
            path.write_bytes(data[:2] + b"\xff\xed" + size + block + data[2:])
        elif suffix == "tif":
            tags = TiffImagePlugin.ImageFileDirectory_v2()
            tags[33723], tags.tagtype[33723] = RECORDS, 7
            photo.save(path, tiffinfo=tags)
        else:
            text = PngImagePlugin.PngInfo()
            text.add_text("Comment", "Möwen")
            digits = f"\niptc\n{len(RESOURCES):8d}\n{RESOURCES.hex()}\n"
            text.add_text("Raw profile type iptc", digits, zip=True)
            photo.save(path, pnginfo=text)
        return path

    return save


def caption(path):
    with Image.open(path) as image:
        image.load()
        if path.suffix != ".png":
            return IptcImagePlugin.getiptcinfo(image)[2, 120]
        said = [value for name, value in image.text.items() if name == "Raw profile type iptc"]
    assert path.read_bytes().count(b"Raw profile type iptc") == 1
    kind, length, *digits = said[0].split()
    resources = bytes.fromhex("".join(digits))
    assert (kind, int(length)) == ("iptc", len(resources))
    return iptc_for("tif", resources)[5 : 5 + len(CAPTION)]


@pytest.mark.parametrize("before", ["jpg", "tif"])
@pytest.mark.parametrize("after", ["jpg", "tif", "png"])
def test_iptc(before, after, captioned, nearest, tmp_path):
    assert caption(captioned(before)) == CAPTION
    result = upscale_file(nearest(2), captioned(before), tmp_path / f"out.{after}")
    assert caption(result) == CAPTION
    again = upscale_file(nearest(2), result, tmp_path / f"again.{after}")
    assert caption(again) == CAPTION


def test_iptc_of_a_png_stays_in_png(captioned, nearest, tmp_path):
    assert caption(upscale_file(nearest(2), captioned("png"), tmp_path / "out.png")) == CAPTION


@pytest.mark.parametrize("before", ["jpg", "png"])
@pytest.mark.parametrize("after", ["jpg", "png"])
def test_comments(before, after, captioned, nearest, tmp_path):
    result = upscale_file(nearest(2), captioned(before), tmp_path / f"out.{after}")
    with Image.open(result) as image:
        image.load()
        found = image.info.get("comment") or image.info.get("Comment")
        assert image.size == (80, 60)
    if (before, after) == ("png", "jpg"):
        assert found is None, "as docs/upscale.md says"
    else:
        assert found == (COMMENT if after == "jpg" else COMMENT.decode())
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_several_comments_of_a_jpeg_in_their_order(noise, nearest, tmp_path):
    path = tmp_path / "in.jpg"
    Image.fromarray(noise(30, 40)).save(path)
    data = path.read_bytes()
    two = b"\xff\xfe\x00\x05one\xff\xfe\x00\x05two"
    path.write_bytes(data[:2] + two + data[2:])
    made = upscale_file(nearest(2), path, tmp_path / "out.jpg").read_bytes()
    assert made.count(two) == 1
    assert np.asarray(Image.open(tmp_path / "out.jpg")).shape == (60, 80, 3)


def test_what_is_no_iptc_is_left_out_of_tiff():
    assert iptc_for("tif", HEADER + b"8BIM\x03\xed\0\0\0\0\0\x02ab") == b""
    assert iptc_for("tif", HEADER + b"8BIM\x04") == b""
    assert iptc_for("png", b"") == b""
    assert zlib.crc32(iptc_for("jpg", HEADER + RESOURCES)) == zlib.crc32(HEADER + RESOURCES)
