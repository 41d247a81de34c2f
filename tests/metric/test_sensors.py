"""Metrics of photos that are not 8-bit RGB."""

import pytest
import torch

from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.panel import Panel
from wildsr.photo.sensor import Sensor

DEEP = Sensor(1, "16", (0.0, 4095.0), (0.0, 4095.0))


def test_psnr_of_16_bits_is_not_rounded_to_8():
    hr = torch.rand(1, 1, 64, 64) * 0.5 + 0.2
    sr = hr + 0.0005  # an eighth of a level of 255
    panel = Panel("rgb", 2, ["psnr", "ssim"]).take(DEEP)
    found = panel.measure(sr, hr)
    assert found["psnr"] == pytest.approx(-20 * torch.tensor(0.0005).log10().item(), abs=0.05)
    stated = panel.protocol()
    assert stated["data_range"] == [0.0, 4095.0]
    assert stated["rounding"].startswith("none")


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_every_metric_takes_every_number_of_channels(channels):
    names = [n for n in CATALOGUE if n not in ("lr_consistency_learned", "lr_discrepancy")]
    panel = Panel("y", 0, names).take(Sensor(channels, "16", bands=(1, 0, 2)[:3]))
    torch.manual_seed(0)
    hr = torch.rand(1, channels, 96, 96)
    lr = torch.nn.functional.avg_pool2d(hr, 2)
    sr = torch.nn.functional.interpolate(lr, scale_factor=2)
    found = panel.measure(sr, hr, lr)
    needs = panel.missing()
    absent = [n for n, v in found.items() if v is None and n not in needs]
    assert absent == [] or set(absent) <= {"ms_ssim", "niqe"}  # larger images
    gathered = panel.gather()
    gathered.add(sr)


def test_gray_of_8_bits_counts_as_its_own_luma():
    hr = torch.rand(1, 1, 32, 32)
    sr = (hr + 0.02).clamp(0, 1)
    gray = Panel("y", 0, ["psnr"]).take(Sensor(1)).measure(sr, hr)["psnr"]
    rgb = Panel("y", 0, ["psnr"]).measure(
        sr.expand(-1, 3, -1, -1), hr.expand(-1, 3, -1, -1), gray=True
    )["psnr"]
    assert gray == pytest.approx(rgb, abs=1e-4)
