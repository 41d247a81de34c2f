"""What the steps of other fields draw, and what they refuse."""

import pytest
import torch

from wildsr.degradation.pipeline.media import Dither, Halftone, Tape, TextureBlocks
from wildsr.degradation.pipeline.pipeline import Pipeline
from wildsr.degradation.pipeline.scanner import Speckle, Stripes
from wildsr.error import UserError

STEPS = (
    Halftone(),
    Dither({"floyd_steinberg": 1, "ordered": 1}),
    TextureBlocks(),
    Tape(),
    Stripes(),
    Speckle({"sar_intensity": 1, "sar_amplitude": 1, "ultrasound": 1}),
)


def pictures(count=4, channels=3, side=16):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_a_sample_depends_on_its_seed_and_says_what_it_drew(step, channels):
    hr, seeds = pictures(channels=channels), [4, 5, 6, 7]
    alone, together = Pipeline(1, {"step": step}), Pipeline(1, {"step": step}, chunk=4)
    assert torch.equal(alone(hr, seeds), alone(hr, seeds))
    torch.testing.assert_close(together(hr, seeds), alone(hr, seeds), atol=1.01 / 255, rtol=0)
    assert alone.describe() == together.describe()
    assert not torch.equal(alone(hr, seeds), hr)
    if not isinstance(step, TextureBlocks):
        assert len(set(alone.describe())) == 4
        assert not torch.equal(alone(hr, [8, 9, 10, 11]), alone(hr, seeds))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_the_gradient_reaches_the_picture(step):
    hr = pictures(2).mul(0.4).add(0.2).requires_grad_()
    Pipeline(1, {"step": step})(hr, [1, 2]).sum().backward()
    assert hr.grad.isfinite().all()
    assert hr.grad.abs().mean() > 0.1


def test_kinds_palettes_and_bounds_are_drawn():
    pipeline = Pipeline(1, {"dither": Dither({"floyd_steinberg": 1, "ordered": 1}, (2, 3), (8, 9))})
    lr = pipeline(pictures(1, 3, 6).expand(60, -1, -1, -1), range(60))
    drawn = [sample[0] for sample in pipeline.drawn]
    kinds = {"floyd_steinberg", "ordered 2x2", "ordered 4x4", "ordered 8x8"}
    assert {d["kind"] for d in drawn} == kinds
    palettes = {"2 levels", "3 levels", "8 colours of its own", "9 colours of its own"}
    assert {d["palette"] for d in drawn} == palettes
    for picture, d in zip(lr, drawn, strict=True):
        if d["palette"] == "2 levels":
            assert set(picture.unique().tolist()) <= {0.0, 1.0}
        elif d["palette"] == "8 colours of its own":
            assert len(picture.flatten(1).unique(dim=1).T) <= 8


def test_gray_speckle_is_the_default_and_may_be_of_each_channel():
    gray = torch.full((1, 3, 16, 16), 0.4)
    same = Pipeline(1, {"s": Speckle({"sar_intensity": 1})})(gray, [1])[0]
    own = Pipeline(1, {"s": Speckle({"sar_intensity": 1}, gray=0)})(gray, [1])[0]
    assert torch.equal(same[0], same[1])
    assert not torch.equal(own[0], own[1])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Halftone(period=(0.5, 3)), "`period` must be two numbers above 1,"),
        (lambda: Dither({"floyd": 1}), "`kinds` must be one of"),
        (lambda: Dither({"ordered": 1}, levels=(1, 4)), "`levels`: each must be an integer"),
        (lambda: Dither({"ordered": 1}, sides=[3]), "`sides` must be some of"),
        (lambda: TextureBlocks("bc7"), "`kind` must be one of"),
        (lambda: Tape(chroma=(0, 2)), "`chroma` must be two numbers above 0,"),
        (lambda: Stripes(along={"diagonals": 1}), "`along` must be one of"),
        (lambda: Stripes(gain=(-1, 0)), "`gain` must be two numbers from 0 on"),
        (lambda: Speckle({"sar": 1}), "`kinds` must be one of"),
        (
            lambda: Speckle({"sar_amplitude": 1}, looks=(0, 2)),
            "`looks` must be two numbers above 0,",
        ),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(UserError, match=said):
        call()


@pytest.mark.parametrize(("channels", "most"), [(1, 256), (3, 16), (4, 8)])
def test_levels_of_too_many_colours_are_refused_always_and_not_by_chance(channels, most):
    hr = pictures(1, channels)
    for seed in range(3):
        Pipeline(1, {"step": Dither({"ordered": 1}, (2, most), own=0)})(hr, [seed])
        if most < 256:
            with pytest.raises(UserError, match=f"4096 colours of {channels} channels"):
                Pipeline(1, {"step": Dither({"ordered": 1}, (2, most + 1), own=0.9)})(hr, [seed])
