"""What the page asks for: photos in, results out, and looks at the same spot of both."""

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wildsr.app.studio import VIEW, Studio, close_look, overview
from wildsr.error import UserError
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.raster.view import Sight


class Repeat(nn.Module):
    """Every pixel twice as wide and high."""

    def forward(self, lr):
        return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)


@pytest.fixture
def studio():
    return Studio({"twice": lambda: Upscaler(Repeat(), Repeat(), 2, "twice", tile=8)}, limit=0.01)


@pytest.fixture
def photo(tmp_path):
    """40 x 30: red grows to the right, green downwards."""
    pixels = np.zeros((30, 40, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = 6 * np.arange(40), 8 * np.arange(30)[:, None]
    Image.fromarray(pixels).save(tmp_path / "ramp.png")
    return tmp_path / "ramp.png"


def test_a_photo_and_its_result(studio, photo, tmp_path):
    seen = []
    result = studio.upscale(photo, "twice", 2, tmp_path / "out", lambda d, a: seen.append((d, a)))
    assert result.path == tmp_path / "out" / "ramp_2x.png"
    assert (result.size, result.larger) == ((40, 30), (80, 60))
    before, after = (np.asarray(Image.open(path)) for path in (photo, result.path))
    np.testing.assert_array_equal(after[::2, ::2], before)
    done = [part for part, _ in seen]
    assert len(done) > 2, "it is seen to go on"
    assert done == sorted(done)
    assert {whole for _, whole in seen} == {done[-1]} == {80 * 60}


def test_another_factor_and_what_cannot_be(studio, photo, tmp_path):
    assert studio.factors("twice") == [1, 1.5, 2]
    result = studio.upscale(photo, "twice", 1.5, tmp_path / "out")
    assert result.path.name == "ramp_1.5x.png"
    assert result.larger == (60, 45)
    with pytest.raises(UserError, match="twice enlarges by 2 at most, not by 3"):
        studio.upscale(photo, "twice", 3, tmp_path / "out")
    with pytest.raises(UserError, match=r"The upscaler must be one of \['twice'\]"):
        studio.upscale(photo, "thrice", 2, tmp_path / "out")
    Image.new("RGB", (200, 60)).save(tmp_path / "large.png")
    with pytest.raises(UserError, match=r"0\.01"):
        studio.look(tmp_path / "large.png")
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(UserError, match=r"words\.png"):
        studio.look(tmp_path / "words.png")


def test_a_look_is_at_the_same_spot_of_both(studio, photo, tmp_path):
    result = studio.upscale(photo, "twice", 2, tmp_path / "out")
    whole = close_look(photo, result.path, (0.5, 0.5), 1)
    assert [side.shape for side in whole] == [(60, 80, 3)] * 2
    # A ramp is the same by bicubic interpolation and by repetition, but for half a step.
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(whole[0][inner].astype(int) - whole[1][inner]).max() <= 5

    def corner(centre, zoom):
        looks = close_look(photo, result.path, centre, zoom)
        assert looks[0].shape == looks[1].shape
        return looks[1][0, 0]

    assert VIEW // 8 == 90  # more than the result is wide: all of it
    np.testing.assert_array_equal(corner((0.9, 0.9), 8), [0, 0, 0])


def test_a_part_of_a_large_result(studio, tmp_path):
    pixels = np.zeros((8, 1000, 3), np.uint8)
    pixels[..., 0] = np.arange(1000)[None] // 4
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    result = Studio(studio.loaders, 1).upscale(tmp_path / "wide.png", "twice", 2, tmp_path / "out")
    # 90 pixels of 2000 around 1500: from 1455 on; its pixel 0 is the photo's 727.
    before, after = close_look(tmp_path / "wide.png", result.path, (0.75, 0.5), 8)
    assert after.shape == (16 * 8, 90 * 8, 3)
    np.testing.assert_array_equal(after[0, :, 0], pixels[0, (1455 + np.arange(720) // 8) // 2, 0])
    assert np.abs(before.astype(int) - after).max() <= 1
    for centre, first in (((0.0, 0.5), 0), ((1.0, 0.5), 1910)):
        assert (
            close_look(tmp_path / "wide.png", result.path, centre, 8)[1][0, 0, 0]
            == (pixels[0, first // 2, 0])
        )


def test_the_overview_is_upright_on_white_and_small(tmp_path):
    Image.new("RGBA", (1800, 20), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    seen = overview(tmp_path / "clear.png")
    assert seen.shape == (10, 900, 3)
    assert (seen == 255).all()
    photo = Image.new("RGB", (4, 2))
    exif = photo.getexif()
    exif[0x0112] = 6
    photo.save(tmp_path / "turned.jpg", exif=exif)
    assert overview(tmp_path / "turned.jpg").shape == (4, 2, 3)


def test_what_stands_in_brackets_is_a_name_and_no_option(tmp_path):
    path = tmp_path / "scan[shrink=8].png"
    Image.new("RGB", (16, 8)).save(path)
    assert overview(path).shape == (8, 16, 3)


def test_two_at_once_get_their_own(photo, tmp_path):
    both = threading.Barrier(2, timeout=120)
    loaded = []

    def load():
        loaded.append(1)
        return Upscaler(Repeat(), Repeat(), 2, "twice")

    studio = Studio({"twice": load}, limit=1)
    colours = {"a": (200, 10, 10), "b": (10, 10, 200)}
    results = {}

    def visit(name):
        (tmp_path / name).mkdir()
        Image.new("RGB", (30, 20), colours[name]).save(tmp_path / name / "photo.png")
        both.wait()
        results[name] = studio.upscale(tmp_path / name / "photo.png", "twice", 2, tmp_path / name)

    threads = [threading.Thread(target=visit, args=(name,)) for name in colours]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == [1]
    for name, colour in colours.items():
        made = torch.from_numpy(np.asarray(Image.open(results[name].path)).copy())
        assert (made == torch.tensor(colour)).all()


def test_a_finish_is_loaded_at_the_strength_that_is_asked_for(tmp_path):
    asked = []

    def load(strength):
        asked.append(strength)
        return Upscaler(Repeat(), Repeat(), 2, "twice", tile=8)

    studio = Studio({"twice": load}, limit=1, finished={"twice": 0.5})
    assert studio.factors("twice")[-1] == 2
    studio.upscaler("twice")
    studio.upscaler("twice", 0.5)
    assert studio.upscaler("twice", 1) is not studio.upscaler("twice", 0)
    assert asked == [0.5, 1, 0]


def test_without_a_finish_a_strength_says_nothing(studio):
    assert studio.upscaler("twice", 1) is studio.upscaler("twice")


def test_measured_values_are_shown_in_false_colour_and_keep_their_numbers(studio, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 4000, (20, 30, 5)).astype(np.uint16)
    np.save(tmp_path / "a.npy", pixels)
    result = studio.upscale(tmp_path / "a.npy", "twice", 2, tmp_path / "out")
    assert result.path.suffix == ".npy"
    assert np.array_equal(np.load(result.path), pixels.repeat(2, 0).repeat(2, 1))
    assert result.path.stat().st_size <= studio.room(tmp_path / "a.npy", 2)
    sight = Sight(bands=(5, 3, 1), window=(0, 4000))
    seen = overview(tmp_path / "a.npy", sight)
    assert np.abs(seen - pixels[..., [4, 2, 0]] / 4000 * 255).max() <= 1
    before, after = close_look(tmp_path / "a.npy", result.path, (0.5, 0.5), 1, sight)
    assert before.shape == after.shape == (40, 60, 3)
    assert np.array_equal(after, seen.repeat(2, 0).repeat(2, 1))
    assert len(np.unique(overview(tmp_path / "a.npy").std(axis=-1))) == 1  # gray, without a choice
