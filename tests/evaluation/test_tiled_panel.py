"""Large images: tiles give the numbers of the whole."""

import pytest
import torch

from wildsr.evaluation import tiled_panel as bounded
from wildsr.evaluation.tiled_panel import Bounded
from wildsr.metric.panel import Panel
from wildsr.pixels import levels


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    lr = torch.randint(0, 256, (3, 45, 61), generator=generator, dtype=torch.uint8)
    hr = torch.nn.functional.interpolate(lr[None].float(), scale_factor=4, mode="bicubic")[0]
    noise = 9 * torch.randn(hr.shape, generator=generator)
    return (hr + noise).clamp(0, 255).byte(), hr.clamp(0, 255).byte(), lr


@pytest.mark.parametrize(("channel", "border"), [("rgb", 0), ("rgb", 5), ("y", 4)])
def test_psnr_and_ssim_are_those_of_the_whole(images, channel, border, monkeypatch):
    measure = Bounded(Panel(channel, border, ["psnr", "ssim", "colour_drift", "lr_consistency"]))
    whole = measure.measure(*images, gray=False)
    monkeypatch.setattr(bounded, "LARGE", 1000)
    monkeypatch.setattr(bounded, "SIDE", 64)
    tiled = measure.measure(*images, gray=False)
    assert list(tiled) == list(whole)
    assert tiled["psnr"] == pytest.approx(whole["psnr"], rel=1e-9)
    assert tiled["ssim"] == pytest.approx(whole["ssim"], rel=1e-9)
    assert tiled["colour_drift"] == pytest.approx(whole["colour_drift"], rel=0.1)
    assert tiled["lr_consistency"] == pytest.approx(whole["lr_consistency"], abs=0.5)


def test_what_is_wrong_in_one_tile_counts_whatever_the_others_are(monkeypatch):
    """A discrepancy is better when lower, and no PSNR whose error could be averaged."""
    generator = torch.Generator().manual_seed(0)
    sr = torch.full((3, 64, 128), 0.5)
    lr = sr.clone()
    lr[..., 64:] += 0.2
    lr += 0.02 * torch.randn(lr.shape, generator=generator)
    noisy = Panel("rgb", 0, ["lr_discrepancy"], lambda it: it + 0.02 * torch.randn(it.shape))
    monkeypatch.setattr(bounded, "LARGE", 1000)
    monkeypatch.setattr(bounded, "SIDE", 64)
    found = Bounded(noisy).measure(sr, None, lr, gray=False)["lr_discrepancy"]
    wrong = Bounded(noisy).measure(sr[..., 64:], None, lr[..., 64:], gray=False)["lr_discrepancy"]
    right = Bounded(noisy).measure(sr[..., :64], None, lr[..., :64], gray=False)["lr_discrepancy"]
    assert wrong > 15 > 1 > right
    assert found == pytest.approx((wrong + right) / 2, rel=0.01)


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_tiles_begin_with_whole_blocks_of_a_coding(scale):
    assert bounded._of_lr(scale) % 16 == 0


def test_equal_images_are_infinitely_alike_in_tiles_too(images, monkeypatch):
    monkeypatch.setattr(bounded, "LARGE", 1000)
    measure = Bounded(Panel("rgb", 0, ["psnr"]))
    assert measure.measure(images[1], images[1], images[2], False)["psnr"] == float("inf")


def test_levels_are_those_of_a_file():
    image = torch.linspace(-0.1, 1.1, 3 * 300 * 4).view(1, 3, 300, 4)
    expected = (image.clamp(0, 1) * 255).round().byte()[0]
    assert torch.equal(levels(image), expected)
    with pytest.raises(ValueError, match="finite"):
        levels(torch.full((1, 3, 2, 2), torch.nan))
