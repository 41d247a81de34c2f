"""An evaluation by hand: two rows on two sets, with a failure."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from wildsr.data.validation import ValidationPhotos
from wildsr.evaluation.outcome import Outcome
from wildsr.evaluation.summary import summarise
from wildsr.metric.panel import Panel

FIRST = {"a": 20.0, "b": 22.0, "c": 30.0}
SECOND = {"a": 23.0, "b": 21.0, "c": 31.0}


@pytest.fixture
def evaluated(tmp_path):
    """The summary, the sets and the folder; ``ours`` wins by 3, -1 and 1 dB."""
    generator = np.random.default_rng(0)

    def picture(path, height, width):
        path.parent.mkdir(parents=True, exist_ok=True)
        small = generator.integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC).save(path)
        return path

    sets, outcomes = {}, []
    for name, images in {"one": "ab", "two": "c"}.items():
        pairs = [
            (picture(tmp_path / name / "lr" / f"{i}.png", 24, 32), picture(hr, 96, 128))
            for i in images
            for hr in [tmp_path / name / "hr" / f"{i}.png"]
        ]
        sets[name] = ValidationPhotos(pairs, 4)
    for row, values in {"bicubic": FIRST, "<b>ours</b>": SECOND}.items():
        for name, images in {"one": "ab", "two": "c"}.items():
            for image in images:
                path = picture(tmp_path / "results" / row[:3] / f"{name}-{image}.png", 96, 128)
                numbers = {"psnr": values[image], "ssim": values[image] / 100}
                outcomes.append(Outcome(row, name, image, numbers, None, path))
    panel = Panel("rgb", 4, ["psnr", "ssim"])
    summary = summarise(outcomes, panel.protocol(), 0, {}, panel.parts)
    return SimpleNamespace(summary=summary, sets=sets, folder=tmp_path, outcomes=outcomes)
