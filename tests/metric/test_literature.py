"""The bicubic rows that papers print for Set5 and Set14, as `evaluate.py metric=classical` does."""

import os
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from wildsr.config.choice import CONF
from wildsr.data.pairs import pair
from wildsr.data.validation import ValidationPhotos
from wildsr.evaluation.evaluate import evaluate, interpolation
from wildsr.photo.image import list_images

# PSNR and SSIM on Y with MATLAB's bicubic; e.g. Zhang et al. 2018 (RCAN), table 1.
PUBLISHED = {
    ("set5", 2): (33.66, 0.9299),
    ("set5", 3): (30.39, 0.8682),
    ("set5", 4): (28.42, 0.8104),
    ("set14", 2): (30.24, 0.8688),
    ("set14", 3): (27.55, 0.7742),
    ("set14", 4): (26.00, 0.7027),
}


@pytest.mark.parametrize(("name", "scale"), PUBLISHED)
def test_bicubic_row(name, scale):
    shared = os.environ.get("WILDSR_SHARED")
    folder = Path(shared or "", "data", name, f"x{scale}")
    if not shared or not folder.is_dir():
        pytest.skip(f"WILDSR_SHARED names no folder with data/{name}")
    lr, hr = (list_images(folder / side, side) for side in ("lr", "hr"))
    photos = ValidationPhotos(pair(lr, hr, "lr", "hr"), scale)
    config = OmegaConf.load(CONF / "metric" / "classical.yaml")
    config = OmegaConf.merge({"scale": scale, "metric": config, "k": 0})
    config.metric.metrics = ["psnr", "ssim"]
    panel = instantiate(config.metric)
    (row,) = evaluate({"bicubic": interpolation("bicubic", scale)}, photos, panel)
    psnr, ssim = PUBLISHED[name, scale]
    assert row.means()["psnr"] == pytest.approx(psnr, abs=0.02)
    assert row.means()["ssim"] == pytest.approx(ssim, abs=0.001)
