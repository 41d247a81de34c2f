"""What pixels show: the exact table and grid, or nothing."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from support.coded import NAMES, clean, coded

from wildsr.forensics.pixels import read_pixels


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [20, 33, 50, 75, 91, 95])
def test_exact_quality_and_grid_of_a_crop(name, quality):
    found = read_pixels(coded(clean(name), quality)[3:, 6:])
    assert (found.quality, found.exact, found.phase) == (quality, True, (5, 2))
    assert found.older is None


@pytest.mark.parametrize("kind", ["noisy", "smooth"])
def test_noisy_and_smooth_photos(kind):
    photo = clean("coffee").astype(float)
    noise = np.random.default_rng(0).normal(0, 6, photo.shape)
    photo = photo + noise if kind == "noisy" else gaussian_filter(photo, (2, 2, 0))
    photo = np.rint(photo).clip(0, 255).astype(np.uint8)
    assert read_pixels(photo).kind is None
    found = read_pixels(coded(photo, 42)[1:, 1:])
    assert (found.quality, found.exact, found.phase) == (42, True, (7, 7))


@pytest.mark.parametrize(
    ("way", "name", "grid"), [(0, "4:4:4", (3, 6)), (1, "4:2:2", (3, 14)), (2, "4:2:0", (11, 14))]
)
def test_subsampling_and_its_grid(way, name, grid):
    found = read_pixels(coded(clean("coffee", 160), 85, way)[5:, 2:])
    assert (found.subsampling, found.chroma_phase) == (name, grid)


def test_gray():
    gray = clean("chelsea")[..., 1]
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "JPEG", quality=64)
    found = read_pixels(np.asarray(Image.open(buffer)))
    assert (found.quality, found.subsampling, found.phase) == (64, "4:0:0", (0, 0))


def test_single_steps_of_other_tables():
    table = [3 + (5 * i) % 17 + i // 3 for i in range(64)]  # in Pillow's order, and like nobody's
    found = read_pixels(coded(clean("coffee", 200), qtables=[table, table])[2:, 2:])
    assert not found.exact
    assert found.phase == (6, 6)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", qtables=[table, table])
    truth = np.array(Image.open(buffer).quantization[0])
    seen = np.array(found.luma)
    assert (seen > 0).sum() >= 12
    assert (seen == truth)[seen > 0].all()


@pytest.mark.parametrize("shift", [0, 3])
def test_an_older_coding(shift):
    before = coded(clean("astronaut", 200), 55)[shift:, shift:]
    found = read_pixels(coded(before, 92))
    assert (found.quality, found.phase) == (92, (0, 0))
    assert found.older is not None
    assert abs(found.older.quality - 55) <= 1
    assert found.older.phase == (-shift % 8, -shift % 8)


def test_a_fine_coding_over_a_coarse_one():
    before = coded(clean("astronaut", 200), 70)[3:, 1:]
    found = read_pixels(coded(before, 99))
    assert found.quality == 99
    assert found.older.quality == 70


@pytest.mark.parametrize("name", NAMES)
def test_nothing_after_a_resize(name):
    photo = Image.fromarray(coded(clean(name, 160), 40))
    small = photo.resize((120, 120), Image.Resampling.BICUBIC)
    assert read_pixels(np.asarray(small)).kind is None


@pytest.mark.parametrize("cell", [2, 4, 8])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_in_photos_made_pixel_art(name, cell):
    few = clean(name, 112)[::4, ::4] // 32 * 32
    assert read_pixels(np.kron(few, np.ones((cell, cell, 1), np.uint8))).kind is None


@pytest.mark.parametrize("cell", [2, 4, 8])
def test_nothing_in_drawings(cell):
    cells = np.random.default_rng(cell).integers(0, 8, (16, 20, 3)) * 36
    art = np.kron(cells, np.ones((cell, cell, 1))).astype(np.uint8)
    assert read_pixels(art).kind is None


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (7, 300), (15, 15), (16, 40)])
def test_tiny_photos_say_nothing_false(size):
    assert read_pixels(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)).kind is None


def test_a_black_border_and_clipping_do_not_hide_it():
    photo = coded(
        np.clip(clean("coffee", 160).astype(int) * 3 // 2 - 50, 0, 255).astype(np.uint8), 60
    )
    framed = np.zeros((200, 200, 3), np.uint8)
    framed[17:177, 21:181] = photo
    found = read_pixels(framed)
    assert (found.quality, found.exact, found.phase) == (60, True, (1, 5))


@pytest.mark.parametrize("name", NAMES)
def test_what_another_decoder_disturbed(name):
    """Conversions since add rounding errors: the quality shows, and nothing that never was."""
    disturbance = np.random.default_rng(0).normal(0, 0.6, clean(name).shape)

    def disturbed(photo):
        return np.rint(photo + disturbance).clip(0, 255).astype(np.uint8)

    assert read_pixels(disturbed(clean(name))).kind is None
    found = read_pixels(disturbed(coded(clean(name), 70)))
    assert (found.quality, found.exact, found.phase) == (70, False, (0, 0))
