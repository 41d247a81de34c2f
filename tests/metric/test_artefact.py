"""Each detector sees its artefact, by a number worked out by hand, and not the others."""

import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.color import deltaE_cie76, rgb2lab

from wildsr.degradation.bicubic import downscale
from wildsr.error import UserError
from wildsr.loss.consistency import discrepancy
from wildsr.metric.consistency import drift
from wildsr.metric.grid import blockiness, checkerboard
from wildsr.metric.noise import residue
from wildsr.metric.panel import Panel
from wildsr.metric.ringing import overshoot

NAMES = ("colour_drift", "noise_residue", "sharpness", "ringing", "blockiness", "checkerboard")
SCALE = 4


def flat(level, size=(96, 96)):
    return torch.full((1, 3, *size), level / 255)


def step(low=80, high=160, size=(96, 96)):
    """A vertical edge in the middle."""
    image = flat(low, size).clone()
    image[..., size[1] // 2 :] = high / 255
    return image


def noise(size=(128, 128), deviation=5.0, seed=0):
    """The same in all channels, so that the luma has that deviation too."""
    x = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(seed))
    return (deviation / 255 * x).expand(1, 3, *size)


def chessboard(size=(128, 128), level=3.0):
    sign = (sum(torch.meshgrid(*map(torch.arange, size), indexing="ij")) % 2) * 2 - 1
    return sign * level / 255


def scene(size=256):
    """A smooth scene with edges: disks over a gradient of colours."""
    y, x = torch.meshgrid(*[torch.linspace(0, 1, size)] * 2, indexing="ij")
    image = torch.stack([0.3 + 0.3 * x, 0.3 + 0.2 * y, 0.55 - 0.2 * x])
    for top, left, radius, shift in ((0.3, 0.3, 0.2, 0.25), (0.65, 0.6, 0.25, -0.22)):
        distance = ((y - top) ** 2 + (x - left) ** 2).sqrt()
        image = image + shift * ((radius - distance) * size).clamp(0, 1)
    return image[None]


def jpeg(image, quality):
    pixels = (image[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    file = io.BytesIO()
    y, *chroma = Image.fromarray(pixels).convert("YCbCr").split()
    y.save(file, "JPEG", quality=quality)  # brightness alone: colours stay
    rgb = Image.merge("YCbCr", (Image.open(file), *chroma)).convert("RGB")
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)[None] / 255


def sharpened(image):
    blurred = F.avg_pool2d(F.pad(image, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return (image + (image - blurred)).clamp(0, 1)


# By hand ----------------------------------------------------------------------------------------


def test_noise_residue():
    assert residue(flat(100) + noise((96, 96), 5)).item() == pytest.approx(5, rel=0.12)
    # A plane, a straight edge: second differences across one another are 0.
    ramp = flat(0) + torch.linspace(0.2, 0.6, 96) + torch.linspace(0, 0.2, 96)[:, None]
    assert residue(ramp).item() == pytest.approx(0, abs=1e-3)
    assert residue(step()).item() == pytest.approx(0, abs=1e-4)
    # One pixel of +9 levels in every block of 16 x 16: 36 times its square over 36 times 256.
    dots = flat(100).clone()
    dots[..., 8::16, 8::16] += 9 / 255
    assert residue(dots).item() == pytest.approx(9 / 16, rel=1e-3)


def test_noise_residue_looks_where_noise_can_be_seen():
    half = flat(100) + noise((96, 96), 4)
    half[..., :48] = 1.0  # a burnt-out sky
    assert residue(half).item() == pytest.approx(4, rel=0.2)
    assert residue(flat(255)).item() == 0


def test_blockiness():
    steps = flat(100, (64, 64)).clone()
    for column in range(8, 64, 8):  # 2 levels up and down in turns, only columns
        steps[..., column:] += (1 if column % 16 else -1) * 2 / 255
    # At the grid's phase z is 2, at the phases beside it -2, elsewhere 0; the other direction 0.
    assert blockiness(steps).item() == pytest.approx(2 / 2)
    moved = steps[..., 3:]  # a crop moves the grid
    assert blockiness(moved).item() == pytest.approx(2 / 2)
    assert blockiness(steps.mT).item() == pytest.approx(2 / 2)
    assert blockiness(flat(100)).item() == 0
    strong = flat(100, (64, 64)) + (steps - flat(100, (64, 64))) * 20
    assert blockiness(strong).item() == pytest.approx(4 / 2)  # clipped at 4


@pytest.mark.parametrize("period", [2, 3, 4])
def test_checkerboard(period):
    size = (16 * period, 16 * period + 8)
    dots = torch.zeros(size)
    dots[::period, ::period] = 8 / 255
    # Root mean square about the mean: 8 sqrt(q (1 - q)) with a share of q pixels.
    q = 1 / period**2
    found = checkerboard(flat(100, size) + dots, period).item()
    assert found == pytest.approx(8 * (q * (1 - q)) ** 0.5, rel=1e-3)
    assert checkerboard(flat(100, size), period).item() == pytest.approx(0, abs=1e-6)


def test_chessboard():
    assert checkerboard(flat(90, (64, 64)) + chessboard((64, 64)), 2).item() == pytest.approx(3)
    assert checkerboard(flat(90, (64, 64)) + chessboard((64, 64)), 4).item() == pytest.approx(3)


def test_ringing():
    image = step(80, 160)
    assert overshoot(image, 4) == 0
    halo = image.clone()
    halo[..., 50] += 10 / 255  # beside the edge at 48 only, on its bright side
    # Two sides count in each row: +10 and 0. (Columns have no edge.)
    assert overshoot(halo, 4) == pytest.approx(10 / 2)
    both = halo.clone()
    both[..., 45] -= 10 / 255
    assert overshoot(both, 4) == pytest.approx(10)
    assert overshoot(both.mT, 4) == pytest.approx(10)
    assert overshoot(1 - both, 4) == pytest.approx(10)
    line = image.clone()
    line[..., 52:55] += 60 / 255  # more than a quarter of the edge: a thing of its own
    assert overshoot(line, 4) == 0
    assert overshoot(step(100, 130) + halo - image, 4) == 0  # no strong edge


def test_colour_drift_is_scikit_images():
    lr = flat(120, (16, 16))
    sr = flat(120, (64, 64)) + torch.tensor([10, 0, -5])[:, None, None] / 255
    colours = [rgb2lab(image[0, :, 0, 0].double().numpy()) for image in (sr, lr)]
    assert drift(sr, lr).item() == pytest.approx(deltaE_cie76(*colours), rel=1e-3)
    assert drift(lr, lr).item() == 0
    pixel = flat(120, (1, 1))
    assert drift(sr[..., :4, :4], pixel).item() == pytest.approx(deltaE_cie76(*colours), rel=1e-3)


def test_lr_consistency_by_hand():
    lr = downscale(scene(64), SCALE).clamp(0, 1)
    lr = lr.mul(255).round().div(255)
    panel = Panel("rgb", 0, ["lr_consistency"])
    exact = panel.measure(scene(64), None, lr)["lr_consistency"]
    assert exact > 50  # two roundings apart
    brighter = panel.measure(scene(64) + 5 / 255, None, lr)["lr_consistency"]
    assert brighter == pytest.approx(20 * np.log10(255 / 5), abs=0.2)
    up = F.interpolate(lr, scale_factor=SCALE, mode="nearest")
    assert panel.measure(up, None, lr)["lr_consistency"] < exact


def test_learned_consistency_takes_the_mean_of_its_draws():
    sr, lr = flat(100, (32, 32)), flat(100, (8, 8))

    class Noisy(torch.nn.Module):
        draws = 0

        def forward(self, hr):
            self.draws += 1
            small = F.avg_pool2d(hr, SCALE)
            return small + torch.randn(small.shape) * 0.1

    degrader = Noisy()
    panel = Panel("rgb", 0, ["lr_consistency_learned"], degrader=degrader)
    before = torch.get_rng_state()
    first = panel.measure(sr, None, lr)["lr_consistency_learned"]
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's numbers change
    assert panel.measure(sr, None, lr)["lr_consistency_learned"] == first
    assert first == pytest.approx(20 + 10 * np.log10(8), abs=1.5)  # noise of 0.1 / sqrt(8)
    assert degrader.draws == 16
    wrong = Panel("rgb", 0, ["lr_consistency_learned"], degrader=lambda hr: hr)
    with pytest.raises(UserError, match=r"makes \(1, 3, 32, 32\) of .* photo is \(1, 3, 8, 8\)"):
        wrong.measure(sr, None, lr)
    assert Panel("rgb", 0, ["lr_consistency_learned"]).missing()


def test_the_discrepancy_is_least_for_the_truth_not_for_kept_noise():
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(1, 3, 16, 16, generator=generator).mul(0.6).add(0.2)
    truth = F.interpolate(truth, scale_factor=16, mode="bicubic").clamp(0, 1)
    clean = F.avg_pool2d(truth, SCALE)
    lr = clean + 0.05 * torch.randn(clean.shape, generator=generator)

    def degrader(hr):
        small = F.avg_pool2d(hr, SCALE)
        return small + 0.05 * torch.randn(small.shape)

    def measured(name, sr, lr=lr):
        return Panel("rgb", 0, [name], degrader=degrader).measure(sr, None, lr)[name]

    kept = F.interpolate(lr, scale_factor=SCALE, mode="nearest").clamp(0, 1)
    other = (truth + 0.1).clamp(0, 1)
    assert measured("lr_discrepancy", truth) < 0.3
    assert measured("lr_discrepancy", kept) > 5
    assert measured("lr_discrepancy", other) > 3
    assert measured("lr_consistency_learned", kept) > measured("lr_consistency_learned", truth)
    draws = torch.tensor([0.4, 0.6]).view(2, 1, 1, 1, 1).expand(2, 1, 3, 2, 2)
    # mean 0.5, variance 0.02; misfit 0.2^2 = 0.04 against 0.02 (1 + 1/2) = 0.03
    found = discrepancy(draws, torch.full((1, 3, 2, 2), 0.3))
    assert found.item() == pytest.approx(10 * np.log10(4 / 3), abs=1e-3)
    assert Panel("rgb", 0, ["lr_discrepancy"]).missing()


# One artefact, one detector ---------------------------------------------------------------------


def measured(sr, lr):
    return Panel("rgb", 0, list(NAMES)).measure(sr.clamp(0, 1), None, lr)


@pytest.fixture(scope="module")
def clean():
    sr = scene()
    lr = downscale(sr, SCALE).clamp(0, 1)
    return sr, lr, measured(sr, lr)


ARTEFACTS = {
    "noise": lambda sr: sr + noise((256, 256), 4),
    "halo": sharpened,
    "cast": lambda sr: sr + torch.tensor([0.03, 0, -0.03])[:, None, None],
    "chessboard": lambda sr: sr + chessboard((256, 256), 2),
    "blur": lambda sr: F.avg_pool2d(F.pad(sr, (2, 2, 2, 2), mode="replicate"), 5, 1),
    "blocks": lambda sr: F.interpolate(jpeg(downscale(sr, SCALE), 20), scale_factor=4.0),
}
# What each artefact changes, by at least so much, in the detectors' units. White noise and a
# chessboard are both high frequencies in flat regions: the noise residue sees both.
SEEN = {
    "noise": {"noise_residue": 3},
    "halo": {"ringing": 5},
    "cast": {"colour_drift": 2},
    "chessboard": {"checkerboard": 1.9, "noise_residue": 3},
    "blur": {},
    "blocks": {"blockiness": 0.5},
}
LIMITS = {
    "colour_drift": 1.2,  # not noticeable
    "noise_residue": 0.2,
    "ringing": 1.0,
    "blockiness": 0.1,
    "checkerboard": 0.25,
}


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_reactions(artefact, clean):
    sr, lr, before = clean
    after = measured(ARTEFACTS[artefact](sr), lr)
    for name, limit in LIMITS.items():
        change = after[name] - before[name]
        if name in SEEN[artefact]:
            assert change >= SEEN[artefact][name], (name, change)
        elif artefact != "blocks" or name == "colour_drift":  # nearest neighbours are a grid too
            assert change <= limit, (name, change)


def test_sharpness_orders_blurs_and_knows_no_contrast(clean):
    sr, lr, before = clean
    blurred = measured(ARTEFACTS["blur"](sr), lr)
    assert 0 < blurred["sharpness"] < before["sharpness"] - 0.05 < 1
    dimmer = measured(0.5 + (sr - 0.5) * 0.7, lr)
    assert dimmer["sharpness"] == pytest.approx(before["sharpness"], abs=0.02)
    assert measured(flat(100, (256, 256)), flat(100, (64, 64)))["sharpness"] == 0


def test_a_result_that_is_no_multiple_of_its_photo():
    panel = Panel("rgb", 0, ["lr_consistency"])
    with pytest.raises(UserError, match=r"whole number .* \(33, 32\) and \(8, 8\)"):
        panel.measure(torch.rand(1, 3, 33, 32), None, torch.rand(1, 3, 8, 8))
