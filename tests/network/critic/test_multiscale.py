import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wildsr.error import UserError
from wildsr.network.critic.multiscale import MultiScaleCritic
from wildsr.network.front.front import Haar, HighPass

AVERAGE = nn.AvgPool2d(3, 2, 1, count_include_pad=False)


def test_each_scale_judges_its_own_copy():
    critic, image = MultiScaleCritic(3, 2, front=HighPass()), torch.rand(2, 3, 16, 20)
    logits = critic(image)
    copies = [image, AVERAGE(image), AVERAGE(AVERAGE(image))]
    assert isinstance(logits, tuple)
    assert [tuple(x.shape[2:]) for x in logits] == [(16, 20), (8, 10), (4, 5)]
    for one, copy, expected in zip(critic.critics, copies, logits, strict=True):
        assert torch.equal(one(copy), expected)
    pairs = zip(critic.critics, copies, strict=True)
    features = [feature for one, copy in pairs for feature in one.features(copy)]
    assert len(critic.features(image)) == 12
    assert all(map(torch.equal, critic.features(image), features))


def test_weights_are_not_shared():
    one, two = (c.body[0].weight for c in MultiScaleCritic(2, 2).critics)
    assert not torch.equal(one, two)


def test_the_border_is_averaged_over_what_lies_within():
    constant = torch.full((1, 3, 12, 12), 0.3)
    critic = MultiScaleCritic(3, 2, 1, norm="none", front=HighPass())
    for stages, one in zip(critic._stages(constant), critic.critics, strict=True):
        flat = one(torch.zeros_like(stages[0][:, :1]).expand(1, 3, *stages[0].shape[2:]))
        torch.testing.assert_close(stages[-1], flat, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("front", "expected"), [(None, [7, 15, 31]), (Haar(), [14, 29, 59]), (HighPass(), [11, 23, 47])]
)
def test_receptive_fields(front, expected):
    torch.manual_seed(0)
    critic = MultiScaleCritic(3, 2, 2, norm="none", front=front).double()
    for parameter in critic.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    image = torch.rand(1, 3, 128, 128, dtype=torch.float64, requires_grad=True)
    for logits, field in zip(critic(image), expected, strict=True):
        middle = logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2]
        (gradient,) = torch.autograd.grad(middle, image, retain_graph=True)
        for axis in (0, 1):
            seen = gradient[0].abs().sum(0).sum(axis).nonzero().flatten()
            assert seen.max() - seen.min() + 1 == field


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 4))
def test_any_size_without_a_norm(height, width, scales):
    logits = MultiScaleCritic(scales, 2, norm="none")(torch.rand(1, 3, height, width))
    assert len(logits) == scales
    assert all(x.numel() >= 1 and x.isfinite().all() for x in logits)


def test_too_small_for_a_scale_is_refused():
    critic = MultiScaleCritic(3, 2)
    with pytest.raises(UserError, match=r"Scale 3 of 3: .*too small for `norm` 'instance'"):
        critic(torch.rand(1, 3, 4, 4))
    assert len(critic(torch.rand(1, 3, 4, 5))) == 3


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scales`"):
        MultiScaleCritic(0)
    with pytest.raises(UserError, match="`norm`"):
        MultiScaleCritic(norm="layer")
