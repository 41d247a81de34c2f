"""MS-SSIM, VIF, HaarPSI and FSIM against libraries, and what they refuse."""

import numpy as np
import piq
import pytest
import torch
from skimage import data
from torchmetrics.functional.image import (
    multiscale_structural_similarity_index_measure,
    visual_information_fidelity,
)

from wildsr.error import UserError
from wildsr.metric.fidelity import ssim_of_levels
from wildsr.metric.kind import Couple, Setting, TooSmall
from wildsr.metric.structural import fsim, haarpsi, ms_ssim, psnr, ssim, vif
from wildsr.pixels import luma, round8, studio_luma

METRICS = {
    "psnr": psnr,
    "ssim": ssim,
    "ms_ssim": ms_ssim,
    "vif": vif,
    "haarpsi": haarpsi,
    "fsim": fsim,
}
YCBCR = {"test_y_channel": True, "color_space": "ycbcr"}  # pyiqa's own default is YIQ
# (metric, channel) -> pyiqa 0.1.16's name, options and value on `photo((192, 208))`; the values are
# compared with pyiqa itself where it is installed.
PYIQA = {
    ("psnr", "rgb"): ("psnr", {}, 28.70936),
    ("psnr", "y"): ("psnr", YCBCR, 32.19063),
    ("ssim", "rgb"): ("ssimc", {}, 0.63835),
    ("ssim", "y"): ("ssim", YCBCR, 0.81176),
    ("ms_ssim", "y"): ("ms_ssim", YCBCR, 0.97554),
    ("fsim", "rgb"): ("fsim", {}, 0.91024),
}


def photo(size=(192, 203)):
    """A photo and a blurred and noisy version, of 8-bit levels in [0, 1]; odd width."""
    hr = torch.from_numpy(data.astronaut()[: size[0], : size[1]].copy())
    hr = hr.permute(2, 0, 1)[None].float() / 255
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.03, hr.shape)).float()
    sr = torch.nn.functional.avg_pool2d(hr, 3, 1, 1, count_include_pad=False) + noise
    return sr.clamp(0, 1).mul(255).round() / 255, hr


def value(name, sr, hr, channel="rgb", border=0):
    setting = Setting(channel, border)
    return METRICS[name](setting).measure(Couple(sr, hr, setting))


@pytest.mark.parametrize("channel", ["rgb", "y"])
def test_ms_ssim_is_piqs(channel):
    sr, hr = photo()
    x, y = (round8(i)[..., 2:-2, 2:-2] for i in (sr, hr))
    if channel == "y":
        x, y = studio_luma(x / 255), studio_luma(y / 255)
    expected = piq.multi_scale_ssim(x, y, data_range=255).item()
    assert value("ms_ssim", sr, hr, channel, 2) == pytest.approx(expected, abs=1e-3)


def test_ms_ssim_is_torchmetrics_but_for_the_border():
    sr, hr = photo((208, 224))
    expected = multiscale_structural_similarity_index_measure(sr, hr, data_range=1.0).item()
    assert value("ms_ssim", sr, hr) == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("channel", ["rgb", "y"])
def test_vif_is_torchmetrics(channel):
    sr, hr = photo((90, 101))
    luma_of = luma if channel == "rgb" else lambda x: studio_luma(x / 255)
    x, y = (luma_of(round8(i)[..., 3:-3, 3:-3]) for i in (sr, hr))
    expected = visual_information_fidelity(x, y).item()
    assert value("vif", sr, hr, channel, 3) == pytest.approx(expected, abs=1e-4)


def test_haarpsi_and_fsim_are_piqs():
    sr, hr = photo((90, 101))
    x, y = (i[..., 3:-3, 3:-3] for i in (sr, hr))
    assert value("haarpsi", sr, hr, border=3) == pytest.approx(piq.haarpsi(x, y).item(), abs=1e-5)
    assert value("fsim", sr, hr, border=3) == pytest.approx(piq.fsim(x, y).item(), abs=1e-5)
    x, y = (studio_luma(i) / 255 for i in (x, y))
    assert value("haarpsi", sr, hr, "y", 3) == pytest.approx(piq.haarpsi(x, y).item(), abs=1e-5)
    expected = piq.fsim(x, y, chromatic=False).item()
    assert value("fsim", sr, hr, "y", 3) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("name", "channel"), PYIQA)
def test_pyiqas_values(name, channel):
    found = value(name, *photo((192, 208)), channel)
    tolerance = 1e-3 if channel == "y" else 1e-4  # pyiqa rounds Y once more
    assert found == pytest.approx(PYIQA[name, channel][2], abs=tolerance)


def test_pyiqas_ssim_exactly_with_its_second_rounding():
    x, y = (studio_luma(image.double()).round() for image in photo((192, 208)))
    assert ssim_of_levels(x, y).item() == pytest.approx(PYIQA["ssim", "y"][2], abs=1e-5)


@pytest.mark.parametrize(("name", "channel"), PYIQA)
def test_pyiqa_itself(name, channel):
    pyiqa = pytest.importorskip("pyiqa")
    called, options, recorded = PYIQA[name, channel]
    theirs = pyiqa.create_metric(called, device="cpu", **options)(*photo((192, 208))).item()
    assert theirs == pytest.approx(recorded, abs=1e-4)


@pytest.mark.parametrize("name", METRICS)
def test_one_for_equal_images_and_less_for_worse(name):
    sr, hr = photo((171, 190))
    worse = (sr + (sr - hr)).clamp(0, 1)
    assert value(name, worse, hr) < value(name, sr, hr)
    if name != "psnr":
        assert value(name, hr, hr) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "side"), [("ssim", 11), ("ms_ssim", 161), ("vif", 41), ("haarpsi", 16), ("fsim", 16)]
)
def test_the_smallest_side(name, side):
    hr = torch.rand(1, 3, side, side + 2, generator=torch.Generator().manual_seed(0))
    assert np.isfinite(value(name, hr * 0.9, hr))
    with pytest.raises(TooSmall, match=f"needs {side} x {side} pixels, but got {side - 1} x"):
        value(name, hr[..., 1:, :], hr[..., 1:, :])


@pytest.mark.parametrize("name", METRICS)
def test_mistakes(name):
    hr = torch.rand(1, 3, 170, 170)
    with pytest.raises(UserError, match=r"`sr` must have the size of `hr`"):
        value(name, hr[..., 1:], hr)
    with pytest.raises(UserError, match="`sr` must hold finite numbers"):
        value(name, hr / 0, hr)
    with pytest.raises(UserError, match="`hr` must hold floats"):
        value(name, hr, (hr * 255).byte())
    with pytest.raises(UserError, match=r"after cutting `border`=90 from every side"):
        value(name, hr, hr, border=90)
