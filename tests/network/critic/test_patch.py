import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.front.front import Gray, Haar, HighPass


@pytest.mark.parametrize(
    ("kernel", "stride", "first_stride", "layers", "expected"),
    [(3, 1, 1, 4, 11), (3, 2, 1, 4, 25), (4, 2, 1, 4, 37), (4, 2, 2, 4, 70), (3, 1, 1, 1, 5)],
)
def test_receptive_field(kernel, stride, first_stride, layers, expected):
    torch.manual_seed(0)
    critic = PatchCritic(4, layers, kernel, stride, "none", 1, first_stride).double()
    assert critic.window.side == expected
    for parameter in critic.parameters():  # positive, so that nothing cancels or is cut off
        nn.init.uniform_(parameter, 0.1, 1)
    image = torch.rand(1, 1, 160, 160, dtype=torch.float64, requires_grad=True)
    logits = critic(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    for axis in (0, 1):
        seen = image.grad[0, 0].abs().sum(axis).nonzero().flatten()
        assert seen.max() - seen.min() + 1 == expected


@pytest.mark.parametrize(
    ("front", "expected"),
    [
        ({"haar": Haar()}, 22),
        ({"high": HighPass(size=5)}, 15),
        ({"gray": Gray()}, 11),
        ({"high": HighPass("gaussian", 3), "haar": Haar()}, 24),
        ({"haar": Haar(), "high": HighPass(size=3)}, 26),
    ],
)
def test_receptive_field_behind_a_front(front, expected):
    torch.manual_seed(0)
    critic = PatchCritic(4, norm="none", front=front).double()
    assert critic.window.side == expected
    for parameter in critic.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64, requires_grad=True)
    logits = critic(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    for axis in (0, 1):
        seen = image.grad[0].abs().sum(0).sum(axis).nonzero().flatten()
        assert seen.max() - seen.min() + 1 == expected


def test_keys_are_those_without_a_front():
    plain, haar = PatchCritic(4).state_dict(), PatchCritic(4, front=Haar()).state_dict()
    assert list(plain) == [f"body.{i}.{n}" for i in (0, 2, 5, 8, 11) for n in ("weight", "bias")]
    assert list(haar) == list(plain)


def test_widths_double_up_to_eightfold():
    convolutions = [m for m in PatchCritic(4, 6).modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [4, 8, 16, 32, 32, 32, 1]
    assert [c.in_channels for c in convolutions] == [3, 4, 8, 16, 32, 32, 32]


def test_instance_norm_written_out():
    critic, image = PatchCritic(4, layers=3, stride=2), torch.rand(2, 3, 12, 10)
    convolutions = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    x = image
    for i, stride in enumerate([1, 2, 1, 1]):
        x = F.conv2d(x, convolutions[i].weight, convolutions[i].bias, stride, padding=1)
        if i in (1, 2):
            mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), False, keepdim=True)
            x = (x - mean) / (variance + 1e-5).sqrt()
        if i < 3:
            x = F.leaky_relu(x, 0.2)
    torch.testing.assert_close(critic(image), x, atol=1e-5, rtol=0)
    assert sum(p.numel() for p in critic.parameters()) == sum(
        p.numel() for c in convolutions for p in c.parameters()
    )


def test_the_critic_of_dsgan_written_out():
    """5 x 5 to 64, 128 and 256 channels, the last two with batch normalisation; 1 x 1."""
    critic = PatchCritic(4, 3, kernel=5, norm="batch", last_kernel=1)
    assert critic.window.side == 13
    convolutions = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert [c.kernel_size[0] for c in convolutions] == [5, 5, 5, 1]
    x = image = torch.rand(2, 3, 6, 7)
    for i, convolution in enumerate(convolutions):
        side = convolution.kernel_size[0]
        x = F.conv2d(x, convolution.weight, convolution.bias, padding=side // 2)
        if i in (1, 2):
            mean = x.mean((0, 2, 3), keepdim=True)
            x = (x - mean) / (x.var((0, 2, 3), False, keepdim=True) + 1e-5).sqrt()
        x = F.leaky_relu(x, 0.2) if i < 3 else x
    torch.testing.assert_close(critic(image), x, atol=1e-5, rtol=0)


def test_batch_norm_needs_two_places_while_training():
    critic = PatchCritic(2, 2, norm="batch")
    with pytest.raises(UserError, match=r"too small for `norm` 'batch'.*\(1, 3, 1, 1\)"):
        critic(torch.rand(1, 3, 1, 1))
    assert critic(torch.rand(2, 3, 1, 1)).isfinite().all()
    assert critic.eval()(torch.rand(1, 3, 1, 1)).isfinite().all()


def test_spectral_norm_bounds_every_convolution():
    critic = PatchCritic(4, norm="spectral")
    for _ in range(500):  # one power iteration each; two alike singular values need many
        critic(torch.rand(1, 3, 8, 8))
    for module in critic.modules():
        if isinstance(module, nn.Conv2d):
            norm = torch.linalg.matrix_norm(module.weight.flatten(1), 2).item()
            assert norm == pytest.approx(1, abs=0.02)
    copy.deepcopy(critic)(torch.rand(1, 3, 8, 8)).sum().backward()


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([3, 4]), st.sampled_from([1, 2]))
def test_any_size_has_logits(height, width, kernel, stride):
    critic = PatchCritic(2, 4, kernel, stride, norm="none")
    logits = critic(torch.rand(2, 3, height, width))
    assert logits.shape[:2] == (2, 1)
    assert logits.numel() >= 2
    assert logits.isfinite().all()


def test_instance_norm_needs_two_places():
    critic = PatchCritic(2, 4, 3, stride=2)
    with pytest.raises(UserError, match=r"too small for `norm` 'instance'.*\(2, 3, 4, 4\)"):
        critic(torch.rand(2, 3, 4, 4))
    assert critic(torch.rand(2, 3, 4, 5)).shape == (2, 1, 1, 2)
    halved = PatchCritic(2, 4, 3, stride=2, front=Haar())
    with pytest.raises(UserError, match=r"\(2, 9, 4, 4\) at the first layer"):
        halved(torch.rand(2, 3, 8, 8))
    with pytest.raises(UserError, match="too small"):  # an inner map, smaller than the last
        PatchCritic(2, 4, kernel=4, stride=2, first_stride=2)(torch.rand(2, 3, 1, 1))
    assert PatchCritic(2, layers=1)(torch.rand(2, 3, 1, 1)).shape == (2, 1, 1, 1)


@pytest.mark.parametrize(("kernel", "stride", "first_stride"), [(3, 2, 1), (4, 2, 2), (5, 2, 2)])
def test_small_images_never_end_in_a_stack_trace(kernel, stride, first_stride):
    critic = PatchCritic(2, 4, kernel, stride, first_stride=first_stride)
    refused = 0
    for side in range(1, 12):
        try:
            assert critic(torch.rand(1, 3, side, side)).isfinite().all()
        except UserError:
            refused += 1
    assert 0 < refused < 9


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"`norm` must be one of .* Did you mean 'spectral'"):
        PatchCritic(norm="spektral")
    with pytest.raises(UserError, match="`stride`"):
        PatchCritic(stride=0)
