"""One look at two folders before training."""

import numpy as np
import pytest
from PIL import Image

from wildsr.data.inspect import inspect
from wildsr.data.store import open_store
from wildsr.error import UserError
from wildsr.photo.image import list_images


@pytest.fixture
def stores(tmp_path):
    generator = np.random.default_rng(0)

    def make(lr, hr, empty=0):
        """Stores from {name: (height, width)}."""
        opened = []
        for argument, sizes in (("data.lr", lr), ("data.hr", hr)):
            folder = tmp_path / argument
            folder.mkdir()
            for name, (height, width) in sizes.items():
                pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}.png")
            for i in range(empty):
                (folder / f"empty{i}.png").touch()
            paths = list_images(folder, argument)
            opened.append(open_store(paths, tmp_path / "cache", argument))
        return opened

    return make


def _numbered(prefix, *sizes):
    return {f"{prefix}{i}": size for i, size in enumerate(sizes)}


def test_report(stores):
    lr, hr = stores(
        _numbered(
            "l", (20, 30), (10, 50), (40, 40), (15, 100), (7, 60), (9, 60), (8, 70), (30, 31)
        ),
        _numbered("h", (100, 90), (80, 60), (64, 64)),
        empty=2,
    )
    report = inspect(lr, hr, scale=4, patch=16)
    assert (report.lr.count, report.lr.too_small) == (8, 5)
    assert (report.lr.smallest, report.lr.median, report.lr.largest) == (
        (7, 60),
        (20, 30),
        (40, 40),
    )
    assert (report.hr.patch, report.hr.too_small) == (64, 1)
    assert report.lines() == [
        "data.lr: 8 images, 60x7 to 40x40, median 30x20, patches 16x16",
        "warning: 5 of 8 images of data.lr are smaller than the patch and never drawn",
        "warning: 2 files of data.lr cannot be read:",
        "  empty0.png: the file is empty",
        "  empty1.png: the file is empty",
        "data.hr: 3 images, 64x64 to 90x100, median 60x80, patches 64x64",
        "warning: 1 of 3 images of data.hr are smaller than the patch and never drawn",
        "warning: 2 files of data.hr cannot be read:",
        "  empty0.png: the file is empty",
        "  empty1.png: the file is empty",
    ]


def test_only_the_first_skipped_files_are_named(stores):
    sizes = _numbered("a", *[(20, 20)] * 7)
    lr, hr = stores(sizes, _numbered("b", *[(40, 40)] * 7), empty=7)
    lines = inspect(lr, hr, 2, 16).lines()
    assert lines.count("  empty4.png: the file is empty") == 2
    assert lines.count("  and 2 more") == 2
    assert not any("empty5" in line for line in lines)


def test_the_same_set_is_refused_even_when_trusted(stores, tmp_path):
    lr, _ = stores(_numbered("a", (40, 40)), _numbered("b", (40, 40)))
    hr = open_store(list_images(tmp_path / "data.lr", ""), tmp_path / "cache", "data.hr")
    with pytest.raises(UserError, match=r"`data\.lr` and `data\.hr` must be different"):
        inspect(lr, hr, 1, 16, trust=True)


def test_no_image_large_enough_is_refused_even_when_trusted(stores):
    lr, hr = stores(_numbered("a", (40, 40)), _numbered("b", (50, 90)))
    with pytest.raises(UserError, match=r"`data\.lr` must hold .* 41x41 .* 40x40"):
        inspect(lr, hr, 1, 41, trust=True)
    with pytest.raises(UserError, match=r"`data\.hr` must hold .* 64x64 .* 90x50"):
        inspect(lr, hr, 4, 16, trust=True)


def _refusal(lr, hr, scale):
    with pytest.raises(UserError) as failure:
        inspect(lr, hr, scale, 8)
    message = str(failure.value)
    assert "`data.trust=true`" in message
    assert "`data.lr` and `data.hr`" in message
    inspect(lr, hr, scale, 4, trust=True)
    return message


LARGE = [(64, 96), (100, 81), (70, 66)]
SMALL = {factor: [(h // factor, w // factor) for h, w in LARGE] for factor in (1, 2, 4)}


@pytest.mark.parametrize("factor", [2, 4])
def test_shared_names_with_reversed_sizes_are_swapped(stores, factor):
    lr, hr = stores(_numbered("a", *LARGE), _numbered("A", *SMALL[factor]))
    message = _refusal(lr, hr, 2)
    assert "share 3 file names" in message
    assert f"`data.lr` are {factor} times as large as those of `data.hr`: the two are swapped" in (
        message
    )


def test_shared_names_of_another_scale(stores):
    lr_sizes = {f"{name}x2": size for name, size in _numbered("a", *SMALL[2]).items()}
    lr, hr = stores(lr_sizes, _numbered("a", *LARGE) | _numbered("other", (99, 99), (98, 98)))
    assert "scale is 4 but hr is 2 times lr" in _refusal(lr, hr, 4)


def test_shared_names_of_the_same_sizes(stores):
    lr, hr = stores(_numbered("a", *LARGE), _numbered("a", *LARGE))
    assert "scale is 4 but both have the same sizes" in _refusal(lr, hr, 4)


def test_pairs_of_the_right_scale_are_noted(stores):
    lr, hr = stores(_numbered("a", *SMALL[4]), _numbered("a", *LARGE))
    report = inspect(lr, hr, 4, 8)
    assert report.lines()[-1].startswith("note: `data.lr` and `data.hr` share 3 file names")
    assert inspect(lr, hr, 4, 8, trust=True).notes == ()


def test_few_shared_names_mean_nothing(stores):
    lr, hr = stores(_numbered("a", *SMALL[2]), {"a0": LARGE[0]} | _numbered("b", *LARGE, (60, 60)))
    assert inspect(lr, hr, 4, 8).notes == ()


def test_shared_names_of_unrelated_photos_mean_nothing(stores):
    lr, hr = stores(_numbered("a", *SMALL[1]), _numbered("a", (90, 64), (64, 80), (300, 90)))
    assert inspect(lr, hr, 4, 8).notes == ()


def test_unrelated_names_with_far_larger_lr_look_swapped(stores):
    lr, hr = stores(_numbered("a", *[(128, 128)] * 3), _numbered("b", *[(33, 33)] * 3))
    message = _refusal(lr, hr, 4)
    assert "look swapped" in message
    assert "15 times the pixels" in message


def test_lr_as_large_as_hr_is_let_pass(stores):
    lr, hr = stores(_numbered("a", *[(128, 128)] * 3), _numbered("b", *[(40, 40)] * 3))
    assert inspect(lr, hr, 4, 8).lines()[0].startswith("data.lr: 3 images")


def test_at_scale_1_sizes_say_nothing(stores):
    lr, hr = stores(_numbered("a", *[(128, 128)] * 3), _numbered("b", *[(40, 40)] * 3))
    assert inspect(lr, hr, 1, 8).notes == ()
