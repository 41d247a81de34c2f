"""A tiny training and what it leaves, for all campaigns."""

import pytest

from wildsr.cli import main


@pytest.fixture(scope="session")
def training(photos, small):
    """A training that looks, logs and saves at every other iteration."""
    every = ["checkpoint_every=2", "validate_every=2", "log_every=2", "keep=3", "snapshots=1000"]
    return [
        *("data=folders", f"data.lr={photos.lr}", f"data.hr={photos.hr}"),
        *(f"data.val_lr={photos.val_lr}", f"data.val_hr={photos.val_hr}"),
        *("data.patch=8", "data.batch=2", "metric.metrics=[psnr]", "method=supervised"),
        *("degradation=bicubic", *small, *every),
    ]


@pytest.fixture(scope="session")
def trained(training, tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    command = [*training, f"runs_dir={root}", "name=it", "iterations=4"]
    assert main.start("train", command) == 0
    return root / "it"
