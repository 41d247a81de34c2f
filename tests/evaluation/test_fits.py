"""The model of NIQE that is fitted on one's own photos is fitted once."""

import os

import numpy as np
import pytest
import torch

from wildsr.data.store import default_cache
from wildsr.data.validation import ValidationPhotos
from wildsr.evaluation.evaluate import interpolating, measure
from wildsr.evaluation.fits import FOLDER, fit_file
from wildsr.evaluation.outcome import Measured
from wildsr.evaluation.outcome import Outcome as One
from wildsr.evaluation.sets import of_sets
from wildsr.metric.niqe import describe
from wildsr.metric.panel import Panel
from wildsr.photo.samples import write_samples


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Sharp photos of enough blocks, and results; the cache is empty."""
    monkeypatch.setenv("WILDSR_CACHE", str(tmp_path / "cache"))
    draw = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        image = draw.integers(0, 256, (480, 576, 3)).astype(np.uint8)
        write_samples(tmp_path / "sharp" / f"{name}.png", image)
    return sorted((tmp_path / "sharp").iterdir())


@pytest.fixture
def value(photos, tmp_path):
    """The metric of a set of one result, and how many photos were read for it."""
    panel = Panel("rgb", 0, ["niqe_own"])
    result = torch.rand(1, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    measured = [Measured(One("it", "set", "x"), (describe(result),))]

    def find(sharp=photos, **options):
        sets = {"set": ValidationPhotos([(photos[0], None)], 2, **options)}
        read, own = [], ValidationPhotos.read

        class Counting(ValidationPhotos):
            def read(self, path):
                read.append(path)
                return own(self, path)

        sets["set"].__class__ = Counting
        found = of_sets(measured, ["it"], sets, panel, sharp)
        return found["it", "set"]["niqe_own"], len(read)

    return find


def test_it_is_fitted_once_and_again_when_photos_change(photos, value, tmp_path):
    first, count = value()
    assert (count, first > 0) == (3, True)
    assert len(list((default_cache() / FOLDER).iterdir())) == 1
    assert value() == (first, 0), "nothing is read"
    assert value(sharp=photos[:2])[1] == 2, "other photos"
    write_samples(photos[0], np.zeros((480, 576, 3), np.uint8))
    os.utime(photos[0], ns=(1, 1))
    changed, count = value()
    assert count == 3
    assert changed != first


@pytest.mark.parametrize("damage", ["cut", "other", "text"])
def test_a_damaged_fit_is_fitted_again(damage, photos, value):
    first, _ = value()
    file = next((default_cache() / FOLDER).iterdir())
    data = file.read_bytes()
    spoilt = {"cut": data[:-9], "text": b"no fit", "other": data[:-8] + b"\0\0\0\0\0\0\0\x40"}
    file.write_bytes(spoilt[damage])
    assert value() == (first, 3)
    assert value() == (first, 0)


def test_photos_that_lie_elsewhere_leave_no_fit(value):
    first, count = value(fetch=lambda path: None)
    assert (count, first > 0) == (3, True)
    assert not (default_cache() / FOLDER).exists()


def test_the_fingerprint_is_of_names_sizes_and_dates(photos):
    sensor = ValidationPhotos([(photos[0], None)], 2).sensor
    file = fit_file(photos, 200.0, sensor)
    assert fit_file(photos, 200.0, sensor) == file
    assert fit_file(photos[1:], 200.0, sensor) != file
    assert fit_file(photos, None, sensor) != file


@pytest.mark.parametrize("paired", [False, True])
def test_sharp_photos_of_several_sets_count_once(paired, tmp_path):
    """All photos as one set or as two: the figure of all of them is the same."""
    draw = np.random.default_rng(0)
    files = {}
    for name, side in (("a", 24), ("b", 24), ("c", 24), ("d", 24), ("x", 48), ("y", 48)):
        files[name] = tmp_path / f"{name}.png"
        write_samples(files[name], draw.integers(0, 256, (side, side, 3)).astype(np.uint8))
    sharp = [] if paired else [files["x"], files["y"]]
    panel = Panel("rgb", 0, ["swd"])
    found = []
    for names in (["ab", "cd"], ["abcd"]):
        sets = {
            part: ValidationPhotos(
                [(files[n], files["xy"[n in "bd"]] if paired else None) for n in part], 2
            )
            for part in names
        }
        measured = measure({"it": lambda: interpolating("bicubic", 2)}, sets, panel)
        found.append(of_sets(measured, ["it"], sets, panel, sharp))
    assert found[0]["it", None] == found[1]["it", None]
    assert found[0]["it", None]["swd"] > 0
