"""Results that exist already are read in the depth and the range of the photos they belong to."""

import math

import numpy as np
import pytest

from wildsr.data.validation import ValidationPhotos
from wildsr.evaluation.evaluate import measure
from wildsr.evaluation.saved_results import precomputed
from wildsr.metric.panel import Panel
from wildsr.photo.samples import write_samples
from wildsr.photo.sensor import Sensor

# Less than a level of 8 bits, or a range of its own: PSNR is 20 log10(range / error).
KINDS = {
    "16 bits": (Sensor(1, "16"), 20000, 90, 65535),
    "12 of 16 bits": (Sensor(3, "16", lr=(0.0, 4095.0)), 2000, 7, 4095),
    "floats": (Sensor(1, "float", lr=(270.0, 310.0)), 290, 0.0625, 40),
}


def measured(tmp_path, sensor, hr, sr):
    write_samples(tmp_path / "lr" / "it.tif", hr[::2, ::2])
    write_samples(tmp_path / "hr" / "it.tif", hr)
    write_samples(tmp_path / "sr" / "it.tif", sr)
    photos = ValidationPhotos([(tmp_path / "lr" / "it.tif", tmp_path / "hr" / "it.tif")], 2)
    photos.sensor = sensor
    rows = {"saved": lambda: precomputed(tmp_path / "sr", sensor=sensor)(2)}
    panel = Panel("rgb", 0, ["psnr"]).take(sensor)
    (one,) = measure(rows, {"set": photos}, panel)
    return one.outcome


@pytest.mark.parametrize("kind", KINDS)
def test_the_psnr_of_saved_results_by_hand(kind, tmp_path):
    sensor, value, error, white = KINDS[kind]
    hr = np.full((16, 12, sensor.channels), value, sensor.dtype)
    sr = hr.copy()
    sr[::2] += sensor.dtype.type(error)
    sr[1::2] -= sensor.dtype.type(error)
    found = measured(tmp_path, sensor, hr, sr)
    assert found.error is None
    assert found.values["psnr"] == pytest.approx(20 * math.log10(white / error), abs=1e-3)


def test_results_of_another_depth_have_no_place_in_a_range(tmp_path):
    sensor = KINDS["12 of 16 bits"][0]
    hr = np.full((16, 12, 3), 2000, np.uint16)
    found = measured(tmp_path, sensor, hr, np.full((16, 12, 3), 128, np.uint8))
    assert "it is of uint8, but the upscalers' photos are RGB, 16 bits" in found.error
    sensor = KINDS["16 bits"][0]  # but 8 bits of the whole range are as good as 16
    hr = np.full((16, 12, 1), 128 * 257, np.uint16)
    found = measured(tmp_path, sensor, hr, np.full((16, 12, 1), 129, np.uint8))
    assert found.values["psnr"] == pytest.approx(20 * math.log10(255), abs=1e-3)
