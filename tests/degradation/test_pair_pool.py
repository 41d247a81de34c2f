import copy

import pytest
import torch

from wildsr.degradation.pair_pool import PairPool
from wildsr.error import UserError


def pairs(numbers):
    """Pairs that can be told apart, and told to belong together."""
    values = torch.tensor([n / 255 for n in numbers]).view(-1, 1, 1, 1)
    return values.expand(-1, 3, 2, 2).clone(), values.expand(-1, 3, 4, 4).clone()


def numbers(images):
    return images.mul(255).round().amax((1, 2, 3)).int().tolist()


def test_pairs_stay_pairs_and_none_is_lost_or_doubled():
    pool, seen = PairPool(6, 2, 2), []
    for start in range(0, 60, 3):
        lr, hr = pool(*pairs(range(start, start + 3)))
        assert numbers(lr) == numbers(hr)
        if start < 6:
            assert numbers(lr) == [start, start + 1, start + 2]  # stored, and passed on
        else:
            seen += numbers(lr)
    left = pool.lr.amax((1, 2, 3)).tolist()
    assert sorted(seen + left) == list(range(60))
    assert seen != sorted(seen)


def test_it_goes_on_from_its_state_dict():
    pool = PairPool(4, 2, 2)
    for start in range(0, 8, 2):
        pool(*pairs([start, start + 1]))
    again = PairPool(4, 2, 2)
    again.load_state_dict(copy.deepcopy(pool.state_dict()))
    torch.manual_seed(3)
    first = pool(*pairs([20, 21]))
    torch.manual_seed(3)
    second = again(*pairs([20, 21]))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert int(again.count) == 4


def test_deep_pairs_keep_their_values_and_any_channels():
    pool, seen = PairPool(2, 2, 2, channels=5, deep=True), []
    made = torch.rand(4, 5, 2, 2), torch.rand(4, 5, 4, 4)
    for start in (0, 2):
        seen.append(pool(*(side[start : start + 2] for side in made)))
    lr, hr = (
        torch.cat([seen[1][side], getattr(pool, name)]) for side, name in enumerate(("lr", "hr"))
    )
    order = lr.flatten(1)[:, 0].argsort(), made[0].flatten(1)[:, 0].argsort()
    assert torch.equal(lr[order[0]], made[0][order[1]])
    assert torch.equal(hr[order[0]], made[1][order[1]])


def test_evaluation_passes_everything_and_stores_nothing():
    pool = PairPool(4, 2, 2).eval()
    lr, hr = pairs([1, 2])
    assert pool(lr, hr)[0] is lr
    assert int(pool.count) == 0


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"`size` must be an integer of at least 1, but got 0"):
        PairPool(0, 2, 2)
    with pytest.raises(UserError, match=r"`lr` must be at most 4 images of the shape \(3, 2, 2\)"):
        PairPool(4, 2, 2)(torch.rand(1, 3, 3, 3), torch.rand(1, 3, 6, 6))
    with pytest.raises(UserError, match=r"at most 1 images"):
        PairPool(1, 2, 2)(*pairs([1, 2]))
