"""The quality of lossy WebP files, from their headers."""

import io

import numpy as np
import pytest
from PIL import Image
from support.coded import NAMES, clean

from wildsr.degradation.coding import quantiser
from wildsr.forensics.coding import NONE, WEBP
from wildsr.forensics.folder import Codings
from wildsr.forensics.header import read_header
from wildsr.forensics.photo import read_coding
from wildsr.forensics.webp import quality_of, read_quality


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [5, 20, 40, 60, 75, 85, 95])
@pytest.mark.parametrize("method", [0, 4])
def test_the_quality_of_a_file_that_pillow_wrote(name, quality, method, tmp_path):
    path = tmp_path / "a.webp"
    Image.fromarray(clean(name, 200)).save(path, quality=quality, method=method)
    found = read_header(path)
    assert (found.kind, found.luma, found.exact) == (WEBP, None, False)
    assert found.quality == pytest.approx(quality, abs=2)


def test_without_segments_it_is_exact():
    for quality in (1, 30, 50, 74, 80, 99):
        assert abs(quality_of(int(quantiser(quality))) - quality) <= 2
    assert (quality_of(0), quality_of(127), quality_of(500)) == (100, 0, 0)


def test_with_transparency_and_in_an_animation(tmp_path):
    photo = Image.fromarray(clean("chelsea", 120))
    clear = photo.copy()
    clear.putalpha(100)
    clear.save(tmp_path / "alpha.webp", quality=50)
    photo.save(
        tmp_path / "moving.webp", save_all=True, append_images=[photo.rotate(90)], quality=50
    )
    for name in ("alpha", "moving"):
        assert read_header(tmp_path / f"{name}.webp").quality == pytest.approx(50, abs=2)


def test_lossless_has_none(tmp_path):
    Image.fromarray(clean("chelsea", 96)).save(tmp_path / "a.webp", lossless=True)
    assert read_header(tmp_path / "a.webp").source == NONE


def test_whatever_bytes_stand_there():
    random = np.random.default_rng(0)
    for length in range(100):
        data = bytearray(random.integers(0, 256, length, np.uint8))
        assert read_quality(io.BytesIO(bytes(data))) is None or length >= 12
        data[:1], data[3:6] = b"\x10", b"\x9d\x01\x2a"
        found = read_quality(io.BytesIO(bytes(data)))
        assert found is None or 0 <= found <= 100


def test_what_is_said_of_a_folder(tmp_path):
    for number, quality in enumerate((50, 80)):
        Image.fromarray(clean("coffee", 160)).save(tmp_path / f"{number}.webp", quality=quality)
    Image.fromarray(clean("coffee", 160)).save(tmp_path / "2.png")
    found = Codings.of(read_coding(path) for path in sorted(tmp_path.iterdir()))
    assert str(found).startswith("2 of 3 photos are WebP (quality about ")
    assert str(found).endswith("read from the files)")
    assert str(found.photos[0]).startswith("WebP of quality about ")
    kept = found.photos[0].to_dict()
    assert type(found.photos[0]).from_dict(kept) == found.photos[0]
