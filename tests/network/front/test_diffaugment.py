import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wildsr.error import UserError
from wildsr.network.front.diffaugment import DiffAugment

OFF = {"brightness": 0, "saturation": 0, "contrast": 0, "translation": 0, "cutout": 0}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def only(**options):
    return DiffAugment(**(OFF | options))


def same(value, count, side=4):
    """``count`` equal images, (count, 3, side, side), of the values of three channels."""
    return torch.tensor(value).view(1, 3, 1, 1).expand(count, 3, side, side)


def test_nothing_in_evaluation_or_without_strength():
    image = torch.rand(2, 3, 9, 8)
    assert torch.equal(DiffAugment().eval()(image), image)
    torch.testing.assert_close(only()(image), image)
    assert not torch.allclose(DiffAugment()(image), image)
    assert torch.equal(DiffAugment(policies=[])(image), image)


def uniform(values, low, high):
    """Within the range, close to both ends, with the moments of the uniform distribution."""
    assert low - 1e-5 <= values.min() < low + 0.02 * (high - low)
    assert high + 1e-5 >= values.max() > high - 0.02 * (high - low)
    assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.02 * (high - low))
    assert values.std().item() == pytest.approx((high - low) / math.sqrt(12), rel=0.05)


def test_brightness_moves_the_level_of_each_image():
    changed = only(brightness=0.25)(same([0.5, 0.5, 0.5], 2000))
    assert changed.std((1, 2, 3)).max() < 1e-6
    uniform(changed[:, 0, 0, 0] - 0.5, -0.25, 0.25)


def test_saturation_scales_the_distance_from_grey():
    changed = only(saturation=1.0)(same([0.2, 0.5, 0.8], 2000))
    torch.testing.assert_close(changed.mean(1), torch.full((2000, 4, 4), 0.5))
    uniform((changed[:, 2, 0, 0] - 0.5) / 0.3, 0, 2)


def test_contrast_scales_the_distance_from_the_mean_of_the_image():
    image = torch.rand(1, 3, 4, 4).expand(2000, 3, 4, 4)
    changed, mean = only(contrast=0.5)(image), image[0].mean()
    torch.testing.assert_close(changed.mean((1, 2, 3)), mean.expand(2000))
    factors = (changed - mean) / (image - mean)
    assert factors.flatten(1).std(1).max() < 1e-4
    uniform(factors[:, 0, 0, 0], 0.5, 1.5)


def test_defaults_are_the_papers_in_minus_1_to_1():
    """Twice the image minus one, changed there with the paper's numbers, is the same."""
    front, image = DiffAugment(policies="colour"), torch.rand(5, 3, 6, 6)
    torch.manual_seed(1)
    ours = front(image)
    torch.manual_seed(1)
    draws = torch.rand(3, 5, 1, 1, 1)
    x = image * 2 - 1
    x = x + (draws[0] - 0.5)  # b in [-0.5, 0.5]
    x = x.mean(1, keepdim=True) + 2 * draws[1] * (x - x.mean(1, keepdim=True))
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + (draws[2] + 0.5) * (x - mean)
    torch.testing.assert_close(ours, (x + 1) / 2)


def test_translation_by_whole_pixels_with_grey_behind():
    count, side = 3000, 8
    image = torch.rand(3, side, side)
    changed = DiffAugment("translation", translation=0.25)(image.expand(count, 3, side, side))
    padded = torch.full((3, side + 4, side + 4), 0.5)
    padded[:, 2:-2, 2:-2] = image
    seen = torch.zeros(5, 5)
    for one in changed:
        matches = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(one, padded[:, y : y + side, x : x + side])
        ]
        assert len(matches) == 1
        seen[matches[0]] += 1
    assert seen.sum() == count
    assert (seen / count - 1 / 25).abs().max() < 0.02  # uniform, both axes by themselves


def test_cutout_empties_a_rectangle_anywhere():
    count, height, width = 3000, 8, 6
    image = torch.rand(3, height, width) * 0.4  # never grey
    changed = DiffAugment("cutout")(image.expand(count, 3, height, width))
    empty = (changed == 0.5).all(1)
    assert torch.equal(torch.where(empty[:, None], 0.5, image.expand_as(changed)), changed)
    rows, columns = empty.any(2), empty.any(1)
    assert torch.equal(empty, rows[:, :, None] & columns[:, None])
    # Height 4 with its first row at -2 ... 6, each as often: 2, 3, 4, 4, 4, 4, 4, 3, 2 rows left.
    frequencies = rows.sum(1).bincount(minlength=5) / count
    expected = torch.tensor([0, 0, 2, 2, 5]) / 9
    assert (frequencies - expected).abs().max() < 0.04
    # Width 3, an odd one, with its centre at 0 ... 5.
    frequencies = columns.sum(1).bincount(minlength=4) / count
    assert (frequencies - torch.tensor([0, 0, 2, 4]) / 6).abs().max() < 0.04


def test_gradient_reaches_what_was_not_emptied():
    image = torch.rand(3, 3, 8, 8, requires_grad=True)
    changed = DiffAugment("cutout")(image)
    changed.sum().backward()
    assert torch.equal(image.grad, (changed != 0.5).float())
    assert 0 < image.grad.sum() < image.numel()


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 99), st.sampled_from(["colour", "translation", "cutout"]))
def test_each_image_by_itself_and_drawn_anew(seed, policy):
    torch.manual_seed(seed)
    front, image = DiffAugment([policy]), torch.rand(1, 3, 24, 24).expand(8, 3, 24, 24)
    changed = front(image)
    assert len({tuple(one.flatten().tolist()) for one in changed}) > 3
    assert not torch.equal(front(image), changed)
    torch.manual_seed(seed)
    torch.rand(1, 3, 24, 24)
    assert torch.equal(front(image), changed)  # torch's own generator decides


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"`policies` must be one of .* Did you mean 'colour'"):
        DiffAugment(["color"])
    with pytest.raises(UserError, match="`cutout` must be within 0 and 1, but got 2"):
        DiffAugment(cutout=2)
    with pytest.raises(UserError, match=r"`contrast` must not be negative, but got -0\.5"):
        DiffAugment(contrast=-0.5)
