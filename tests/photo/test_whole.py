"""GIF and BMP, read row by row, compared with Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from wildsr.photo.stream import Photo
from wildsr.photo.unreadable import UnreadableImage
from wildsr.photo.whole import gif_size


def gif(pixels=(9, 7), frames=3, **options):
    draw = np.random.default_rng(0)
    colours = [draw.integers(0, 256, (*pixels, 3)).astype(np.uint8) for _ in range(frames)]
    images = [Image.fromarray(one).quantize(16) for one in colours]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], **options)
    return file.getvalue()


def test_extensions_before_the_first_picture_are_passed_over(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(gif(comment=b"long " * 200, loop=0, duration=40))
    assert gif_size(path) == (7, 9)
    photo = Photo(path)
    assert (photo.width, photo.height, photo.frames) == (7, 9, 3)
    assert np.array_equal(photo.read(9), np.asarray(Image.open(path).convert("RGB")))


def test_a_transparent_entry_becomes_alpha(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(gif(frames=1, transparency=3))
    photo = Photo(path)
    assert photo.channels == 4
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGBA"))
    assert (expected[..., 3] == 0).any()
    assert np.array_equal(np.concatenate([photo.read(4), photo.read(5)]), expected)


@pytest.mark.parametrize("length", [0, 10, 20, 40])
def test_a_gif_that_ends_before_its_picture_says_so(length, tmp_path):
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + gif()[6 : 6 + length])
    with pytest.raises(UnreadableImage, match="ends before its first picture"):
        Photo(tmp_path / "a.gif")


def test_a_damaged_later_frame_does_not_cost_the_first(tmp_path):
    whole, path = gif(frames=3), tmp_path / "a.gif"
    path.write_bytes(whole)
    expected = Photo(path).read(9)
    second = whole.index(b"!\xf9\x04", whole.index(b"!\xf9\x04") + 8)
    path.write_bytes(whole[: second + 9])
    photo = Photo(path)
    assert np.array_equal(photo.read(9), expected)
    assert photo.frames >= 1


def test_a_bmp_states_its_resolution(tmp_path):
    Image.new("1", (9, 7), 1).save(tmp_path / "a.bmp", dpi=(254, 508))
    photo = Photo(tmp_path / "a.bmp")
    assert photo.channels == 1
    assert photo.resolution == pytest.approx((10, 20), rel=1e-3)
    assert (photo.read(7) == 255).all()
