"""Kornia's augmentations as steps of our pipelines."""

import pytest
import torch

from wildsr.config.make import make
from wildsr.degradation.pipeline.augmentation import Kornia, augmentations
from wildsr.degradation.pipeline.noise import JPEG
from wildsr.degradation.pipeline.pipeline import Choice, Pipeline, RandomOrder
from wildsr.degradation.pipeline.resize import ToLR
from wildsr.error import UserError

MOTION = {"kernel_size": [3, 9], "angle": [-45.0, 45.0], "direction": [-1.0, 1.0]}


def pictures(count=4, side=24):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def test_a_sample_depends_on_its_own_seed_however_the_batch_is_split():
    hr = pictures()
    for name, arguments in (
        ("RandomMotionBlur", MOTION),
        ("RandomSaltAndPepperNoise", {"amount": [0.05, 0.2]}),
        ("RandomGaussianNoise", {"std": 0.1}),
        ("ColorJitter", {"brightness": 0.3, "hue": 0.1}),
    ):
        steps = {"kornia": Kornia(name, probability=0.7, **arguments), "jpeg": JPEG((50, 90))}
        whole = Pipeline(1, steps)(hr, [3, 1, 4, 1])
        alone = [Pipeline(1, steps, chunk=4)(hr[[i]], [s])[0] for i, s in enumerate([3, 1, 4, 1])]
        assert torch.equal(whole, torch.stack(alone)), name
        other = Pipeline(1, steps)(hr, [5, 6, 7, 8])
        assert not torch.equal(whole, other), name


def test_the_samples_of_a_batch_draw_different_numbers_and_say_them():
    pipeline = Pipeline(1, {"blur": Kornia("RandomMotionBlur", **MOTION)}, chunk=3)
    pipeline(pictures(3), [1, 2, 3])
    angles = [sample[0]["angle"] for sample in pipeline.drawn]
    assert len(set(angles)) == 3
    assert all(-45 <= angle <= 45 for angle in angles)
    assert "angle " in pipeline.describe()[0]


def test_the_global_generator_is_left_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Pipeline(1, {"noise": Kornia("RandomGaussianNoise")})(pictures(2), [1, 2])
    assert torch.equal(torch.rand(3), expected)


def test_motion_blur_of_a_point_is_a_line_and_keeps_its_light():
    point = torch.zeros(1, 3, 21, 21)
    point[..., 10, 10] = 1
    step = Kornia("RandomMotionBlur", kernel_size=9, angle=[0.0, 0.0], direction=[0.0, 0.0])
    lr = Pipeline(1, {"blur": step})(point, [0])
    assert lr.sum().item() == pytest.approx(3, abs=0.1)
    assert (lr[0, 0].sum(1) > 0).sum() == 1
    assert (lr[0, 0].sum(0) > 0).sum() >= 7


def test_it_stands_in_choices_orders_and_configurations_with_other_sizes():
    described = {
        "_target_": "wildsr.degradation.pipeline.augmentation.Kornia",
        "augmentation": "RandomMotionBlur",
        **MOTION,
    }
    step = make(described, "degradation.steps.motion", Kornia)
    nested = Choice(
        {"order": RandomOrder({"motion": step, "to_lr": ToLR()}), "to_lr": ToLR()},
    )
    hr = pictures(6, 32)
    for chunk in (1, 6):
        lr = Pipeline(4, {"nested": nested}, chunk=chunk)(hr, range(6))
        assert lr.shape == (6, 3, 8, 8)


def test_the_gradient_reaches_the_picture():
    hr = pictures(2).mul(0.5).add(0.2).requires_grad_()
    Pipeline(1, {"blur": Kornia("RandomMotionBlur", **MOTION)})(hr, [1, 2]).sum().backward()
    assert hr.grad is not None
    assert hr.grad.abs().sum() > 0


def test_every_augmentation_that_needs_no_argument_goes_through():
    hr, through = pictures(1, 32), []
    for name in augmentations():
        try:
            step = Kornia(name, moves=True)
            out = Pipeline(1, {"step": step, "to_lr": ToLR()})(hr, [0])
        except UserError as error:
            refused = str(error)
        else:
            refused = ""
            assert out.shape == hr.shape
            assert out.isfinite().all(), name
            through.append(name)
        assert not refused or refused.startswith(f"Kornia's {name} "), refused
    assert len(through) > 30


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("RandomMotionBlurr", {}, "Did you mean 'RandomMotionBlur'?"),
        ("RandomMixUpV2", {}, "Argument `augmentation` must be one of"),
        ("RandomMotionBlur", {**MOTION, "angel": 3}, "Argument of Kornia's RandomMotionBlur:"),
        ("RandomMotionBlur", {"angle": 3.0}, "needs the arguments ['kernel_size', 'direction']"),
        ("RandomGaussianNoise", {"p": 0.3}, "`probability` says how often"),
        ("RandomJPEG", {"jpeg_quality": [-4.0, 300.0]}, "Kornia's RandomJPEG refuses: "),
        ("RandomAffine", {"degrees": 3.0}, "`moves: true` allows it"),
    ],
)
def test_a_wrong_name_or_argument_is_one_sentence(name, arguments, said):
    with pytest.raises(UserError) as told:
        Kornia(name, **arguments)
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_a_picture_that_kornia_refuses_is_one_sentence():
    with pytest.raises(UserError, match=r"^Kornia's RandomJPEG refuses: "):
        Pipeline(1, {"jpeg": Kornia("RandomJPEG")})(torch.rand(1, 1, 16, 16), [0])
