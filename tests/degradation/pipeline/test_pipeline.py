import re
from collections import Counter

import pytest
import torch
from support.tiers import diagonal

from wildsr.config.compose import configure
from wildsr.config.make import make
from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.degradation.pipeline.blur import Blur
from wildsr.degradation.pipeline.noise import JPEG, Noise
from wildsr.degradation.pipeline.pipeline import Choice, Pipeline, RandomOrder, Step, Steps
from wildsr.degradation.pipeline.resize import RandomResize, ToLR
from wildsr.error import UserError

OTHERS = ("halftone", "dither", "dxt1", "vhs", "stripes", "sar", "ultrasound")
SHIPPED = ("classical", "mild", "bsrgan", "realesrgan", *OTHERS)


class Add(Step):
    """Adds a number, and says so."""

    def __init__(self, number, probability=1.0):
        super().__init__(probability)
        self.number = number

    def apply_to(self, canvas):
        canvas.image = canvas.image + self.number
        canvas.note("add", number=[self.number] * len(canvas))
        return canvas


def shipped(name, scale=4):
    overrides = ["hr=a", "output=b", f"degradation={name}", f"scale={scale}"]
    return make(configure("degrade", overrides).degradation, "degradation")


def photo(count, side=32):
    """Smooth pictures with an edge."""
    torch.manual_seed(5)
    small = torch.rand(count, 3, 5, 5)
    hr = torch.nn.functional.interpolate(small, (side, side), mode="bilinear")
    hr[:, :, :, side // 2 :] *= 0.5
    return hr


@pytest.mark.parametrize("name", SHIPPED)
def test_a_picture_depends_on_its_seed_alone(name):
    pipeline, hr, seeds = shipped(name), photo(6), list(range(6))
    whole = pipeline(hr, seeds)
    assert whole.shape == (6, 3, 8, 8)
    split = torch.cat([pipeline(hr[:1], seeds[:1]), pipeline(hr[1:], seeds[1:])])
    assert torch.equal(whole, split)
    torch.manual_seed(99)  # torch's global generator has no part in it
    assert torch.equal(pipeline(hr, seeds), whole)
    others = [pipeline(hr, [seed, *seeds[1:]])[0] for seed in (7, 8)]
    assert not all(torch.equal(other, whole[0]) for other in others)
    assert torch.equal(whole, whole.mul(255).round() / 255)
    assert 0 <= whole.min() <= whole.max() <= 1


def test_without_seeds_the_global_generator_decides():
    pipeline, hr = shipped("realesrgan"), photo(4)
    torch.manual_seed(1)
    first = pipeline(hr)
    torch.manual_seed(1)
    again = torch.cat([pipeline(hr[:3]), pipeline(hr[3:])])
    assert torch.equal(first, again)
    assert not torch.equal(pipeline(hr), first)


@pytest.mark.parametrize(("name", "scale"), diagonal(SHIPPED, [1, 2, 3, 8], 2))
def test_every_scale_and_odd_sizes(name, scale):
    assert shipped(name, scale)(photo(2, 41)).shape == (2, 3, 41 // scale, 41 // scale)


def test_together_is_one_by_one_where_nothing_is_random_noise():
    steps = {
        "blur": Blur({"anisotropic": 1}, (0.5, 2)),
        "resize": RandomResize((0.4, 1.5), 1, 1, 1),
        "to_lr": ToLR(),
    }
    hr, seeds = photo(5, 64), list(range(5))
    alone, together = Pipeline(4, steps), Pipeline(4, steps, chunk=5)
    difference = (alone(hr, seeds) - together(hr, seeds)).abs()
    assert alone.describe() == together.describe()
    assert difference.max() <= 1 / 255 + 1e-6


def test_what_was_drawn_is_told_for_each_sample():
    pipeline = Pipeline(1, {"jpeg": JPEG((20, 80)), "again": JPEG((90, 90), probability=0.5)})
    hr = photo(20)
    lr = pipeline(hr)
    said = pipeline.describe()
    assert len(said) == 20
    for sample, line, picture in zip(hr, said, lr, strict=True):
        qualities = [int(q) for q in re.findall(r"jpeg \(quality (\d+)\)", line)]
        expected = sample[None]
        for quality in qualities:
            expected = jpeg(expected, float(quality))
        torch.testing.assert_close(picture, expected[0], atol=1e-6, rtol=0)
    assert {line.count("jpeg") for line in said} == {1, 2}


def test_probabilities_and_choices():
    hr = torch.zeros(600, 3, 1, 1)
    choice = Choice({"one": Add(0.1), "two": Add(0.2)}, {"one": 3, "two": 1})
    pipeline = Pipeline(1, {"choice": choice, "maybe": Add(0.5, probability=0.2)}, chunk=600)
    values = pipeline(hr, range(600))[:, 0, 0, 0].mul(10).round().int().tolist()
    found = Counter(values)
    assert sum(found[v] for v in (1, 6)) == pytest.approx(450, abs=45)
    assert sum(found[v] for v in (6, 7)) == pytest.approx(120, abs=40)
    told = [len(sample) for sample in pipeline.drawn]
    assert told == [2 if value >= 6 else 1 for value in values]


def test_random_order_keeps_what_comes_before():
    steps = {name: Add(number) for name, number in (("a", 0.1), ("b", 0.2), ("c", 0.3))}
    order = RandomOrder(steps, before=[["a", "c"]])
    pipeline = Pipeline(1, {"order": order}, chunk=300)
    lr = pipeline(torch.zeros(300, 3, 2, 2), range(300))
    torch.testing.assert_close(lr, torch.full_like(lr, 153 / 255))  # 0.6, whatever the order
    drawn = Counter(tuple(step["number"] for step in sample) for sample in pipeline.drawn)
    assert set(drawn) == {(0.1, 0.2, 0.3), (0.1, 0.3, 0.2), (0.2, 0.1, 0.3)}
    assert min(drawn.values()) > 60


def test_sequences_nest():
    inner = Steps({"a": Add(0.1), "b": Add(0.2)}, probability=0.5)
    pipeline = Pipeline(1, {"inner": inner}, chunk=50)
    values = pipeline(torch.zeros(50, 3, 1, 1), range(50))[:, 0, 0, 0]
    assert {round(float(v), 1) for v in values} == {0.0, 0.3}


@pytest.mark.heavy
def test_the_published_ranges_of_real_esrgan():
    pipeline = shipped("realesrgan")
    pipeline(photo(1).expand(150, -1, -1, -1), range(150))
    qualities, blurs, sizes, grays = [], [], [], []
    for sample in pipeline.drawn:
        steps = [drawn["step"] for drawn in sample]
        assert steps[0] == "sharpen"
        assert steps.count("jpeg") == 2
        assert steps.count("noise") == 2
        qualities += [drawn["quality"] for drawn in sample if drawn["step"] == "jpeg"]
        blurs.append(steps.count("blur"))
        sizes += [d["size"] for d in sample if d["step"] == "resize"][:1]
        grays += [d["kind"].startswith("gray") for d in sample if d["step"] == "noise"]
    assert (min(qualities), max(qualities)) == (30, 95)
    assert sum(blurs) / 150 == pytest.approx(1 + 0.8 + 0.8, abs=0.15)
    sides = [int(size.split("x")[0]) for size in sizes]
    assert 4 <= min(sides) < 8  # 0.15 of 32
    assert 44 < max(sides) <= 48
    assert sum(side > 32 for side in sides) / 150 == pytest.approx(0.2, abs=0.1)
    assert sides.count(32) / 150 == pytest.approx(0.1, abs=0.08)
    assert sum(grays) / 300 == pytest.approx(0.4, abs=0.1)


def test_gradient_reaches_the_sharp_picture():
    hr = photo(2).requires_grad_()
    shipped("realesrgan")(hr).sum().backward()
    assert hr.grad.isfinite().all()
    assert hr.grad.abs().sum() > 0


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"`steps` must be degradation steps by name, but got none"):
        Pipeline(4, {})
    with pytest.raises(UserError, match=r"but got blur: Conv2d"):
        Pipeline(4, {"blur": torch.nn.Conv2d(1, 1, 1)})
    with pytest.raises(UserError, match=r"must end at 8x8, but end at \[\(32, 32\)\]"):
        Pipeline(4, {"add": Add(0.1)})(photo(1))
    with pytest.raises(UserError, match=r"`hr` must have sides of at least 4, but got 3x3"):
        Pipeline(4, {"to_lr": ToLR()})(torch.rand(1, 3, 3, 3))
    with pytest.raises(UserError, match=r"one seed for each of the 2 samples, but got 1"):
        Pipeline(4, {"to_lr": ToLR()})(photo(2), [1])
    with pytest.raises(UserError, match=r"`chunk`"):
        Pipeline(4, {"to_lr": ToLR()}, chunk=0)
    with pytest.raises(UserError, match=r"`probability` must be in \[0, 1\], but got 2"):
        Add(0.1, probability=2)
    with pytest.raises(UserError, match=r"`quality` must be two numbers, the smaller first"):
        JPEG((95, 30))
    with pytest.raises(UserError, match=r"`kinds`.*'gausian'.*Did you mean 'gaussian'"):
        Noise({"gausian": 1})
    with pytest.raises(UserError, match=r"`kinds`.*'isotopic'"):
        Blur({"isotopic": 1}, (1, 2))
    with pytest.raises(UserError, match=r"`before` must be pairs"):
        RandomOrder({"a": Add(1)}, before=[["a", "z"]])
    with pytest.raises(UserError, match=r"`weights` must name"):
        Choice({"a": Add(1)}, {"b": 1})
    with pytest.raises(UserError, match=r"one of them above 0"):
        Choice({"a": Add(1)}, {"a": 0})
