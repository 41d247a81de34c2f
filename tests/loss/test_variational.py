import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.distributions import Normal, kl_divergence

from wildsr.error import UserError
from wildsr.loss.variational import KL


def four(shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(4)]


def one(*values):
    return [torch.tensor(float(value)).view(1, 1, 1, 1) for value in values]


def test_numbers_by_hand():
    # KL(N(3, 1) || N(1, 4)) = log 2 + (1 + 4) / 8 - 1/2
    by_hand = math.log(2) + 5 / 8 - 1 / 2
    found = KL(values=1)(*one(3, 0, 1, math.log(2)))
    assert found.item() == pytest.approx(by_hand)
    # Two channels of it at each of six places, one value of three: channels are a sum.
    wide = [x.expand(2, 2, 2, 3) for x in one(3, 0, 1, math.log(2))]
    assert KL()(*wide).item() == pytest.approx(2 * by_hand / 3)


def test_against_torch():
    mean, log_std, prior_mean, prior_log_std = four((2, 5, 3, 4))
    theirs = kl_divergence(Normal(mean, log_std.exp()), Normal(prior_mean, prior_log_std.exp()))
    found = KL()(mean, log_std, prior_mean, prior_log_std)
    torch.testing.assert_close(found, theirs.sum() / (2 * 3 * 4) / 3)


def test_zero_where_both_are_the_same_and_positive_elsewhere():
    mean, log_std, other, wider = four((2, 3, 4, 4), seed=1)
    assert KL()(mean, log_std, mean, log_std) == 0
    assert KL()(mean, log_std, other, log_std) > 0
    assert KL()(mean, log_std, mean, wider) > 0


def test_gradients():
    operands = [x.requires_grad_() for x in four((1, 2, 2, 2), seed=2)]
    assert gradcheck(KL(), operands)


def test_low_precision_is_raised_first():
    mean = torch.full((1, 1, 1, 1), 400.0, dtype=torch.float16)
    zero = torch.zeros_like(mean)
    assert KL(1)(mean, zero, zero, zero).item() == 80_000  # infinite in float16


def test_mistakes():
    with pytest.raises(UserError, match="`values` must be an integer of at least 1, but got 0"):
        KL(0)
    mean, log_std, prior_mean, _ = four((1, 2, 2, 2))
    with pytest.raises(UserError, match="must have the same shape"):
        KL()(mean, log_std, prior_mean, torch.zeros(1, 1, 2, 2))
