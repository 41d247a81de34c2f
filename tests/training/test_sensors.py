"""Photos of other sensors from training to the file: their channels, and all of their levels."""

import json

import numpy as np
import pytest

from wildsr.cli.main import start
from wildsr.config.compose import configure
from wildsr.inference.file import upscale_file
from wildsr.photo.samples import read_samples, write_samples
from wildsr.run.folder import config_of
from wildsr.run.load import load_upscaler
from wildsr.training import finish


def scene(channels, size, number, low, high):
    """A smooth ramp with a disc: any banding would show."""
    y, x = np.mgrid[:size, :size] / size
    shade = 0.4 * x + 0.3 * y + 0.2 * (np.hypot(x - 0.5, y - 0.4) < 0.1 * (1 + number))
    image = shade[..., None] * np.linspace(1, 0.7, channels)
    noise = np.random.default_rng(number).standard_normal(image.shape) * 0.01
    return low + (image + noise).clip(0, 1) * (high - low)


def photos(root, channels, dtype, low, high):
    for number in range(3):
        lr, hr = (scene(channels, side, number, low, high) for side in (40, 88))
        for name, image in (("lr", lr), ("hr", hr), ("val_lr", lr), ("val_hr", hr[:80, :80])):
            whole = np.rint(image) if np.dtype(dtype).kind != "f" else image
            write_samples(root / name / f"{name}{number}.tif", whole.astype(dtype))
            if name.startswith("val"):
                (root / name / f"{name}{number}.tif").rename(root / name / f"{number}.tif")


def train(root, *more):
    folders = [f"data.{name}={root / name}" for name in ("lr", "hr", "val_lr", "val_hr")]
    small = ["network.upscaler.features=8", "network.upscaler.convolutions=1", "scale=2"]
    small += ["data.patch=12", "data.batch=2", "iterations=4", "validate_every=2", "logger=none"]
    small += [f"runs_dir={root / 'runs'}", "name=run", f"data.cache={root / 'cache'}"]
    few = ["metric.metrics=[psnr,ssim]", "checkpoint_every=2"]
    typed = ["data=folders", "method=supervised", "degradation=bicubic"]
    return start("train", [*typed, *folders, *small, *few, *more])


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """Half of the time is that of the report card: it is made where time does not matter."""
    if request.node.get_closest_marker("heavy") is None:
        monkeypatch.setattr(finish, "card_of_training", lambda *_: None)


@pytest.mark.parametrize(
    ("channels", "dtype", "low", "high"),
    [
        pytest.param(1, np.uint16, 200, 3900, id="gray, 12 of 16 bits"),
        pytest.param(
            *(4, np.float32, 270.0, 310.0), id="four bands of floats", marks=pytest.mark.heavy
        ),
    ],
)
def test_bit_depth_and_channels_survive_to_the_file(tmp_path, capsys, channels, dtype, low, high):
    photos(tmp_path, channels, dtype, low, high)
    assert train(tmp_path) == 0
    said = " ".join(capsys.readouterr().out.split())
    kind = "gray, 16 bits, black 0, white 4095" if channels == 1 else "4 channels, floating-point"
    assert f"photos: {kind}" in said
    run = tmp_path / "runs" / "run"
    config = config_of(run)
    assert (config.sensor.channels, config.network.upscaler.channels) == (channels, channels)
    protocol = json.loads((run / "results.json").read_text())["protocol"]
    assert protocol["channels"] == channels
    upscaler = load_upscaler(run)
    files = [run, next((run / "weights").glob("*.safetensors"))]
    made = []
    for number, opened in enumerate((upscaler, load_upscaler(weights=files[1]))):
        target = tmp_path / f"{number}.tif"
        made.append(read_samples(upscale_file(opened, tmp_path / "val_lr" / "0.tif", target)))
    assert np.array_equal(*made)
    sr, lr = made[0], read_samples(tmp_path / "val_lr" / "0.tif")
    assert (sr.dtype, sr.shape) == (dtype, (80, 80, channels))
    assert abs(float(sr.mean()) - float(lr.mean())) < 0.02 * (high - low)
    for channel in range(channels):  # no banding: 6400 pixels have about as many values as can be
        assert len(np.unique(sr[..., channel])) > 1200
    assert train(tmp_path, "resume=auto", "iterations=6") == 0


def test_8_bit_rgb_is_recorded_as_ever(tmp_path):
    photos(tmp_path, 3, np.uint8, 0, 255)
    assert train(tmp_path) == 0
    run = tmp_path / "runs" / "run"
    assert not any("sensor" in o for o in json.loads((run / "overrides.json").read_text()))
    protocol = json.loads((run / "results.json").read_text())["protocol"]
    assert "data_range" not in protocol
    assert configure("train", []).sensor.channels == 3
