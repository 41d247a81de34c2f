import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.critic.unet import UNetCritic
from wildsr.network.front.front import Haar


def test_published_parameter_count():
    assert sum(p.numel() for p in UNetCritic().parameters()) == 4_376_897


def test_equals_the_forward_pass_written_out():
    torch.manual_seed(0)
    critic, image = UNetCritic(4).eval(), torch.rand(2, 3, 16, 24)

    def conv(x, i, stride=1):
        module = critic.get_submodule(f"conv{i}")
        return F.leaky_relu(F.conv2d(x, module.weight, module.bias, stride, 1), 0.2)

    def double(x):
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    x0 = conv(image, 0)
    x1 = conv(x0, 1, 2)
    x2 = conv(x1, 2, 2)
    x4 = conv(double(conv(x2, 3, 2)), 4) + x2
    x5 = conv(double(x4), 5) + x1
    x6 = conv(double(x5), 6) + x0
    expected = critic.conv9(conv(conv(x6, 7), 8))
    torch.testing.assert_close(critic(image), expected, atol=1e-5, rtol=0)


def test_spectral_norm_on_all_but_first_and_last():
    critic = UNetCritic(4)
    for _ in range(400):  # power iterations, slow where two singular values are close
        critic(torch.rand(1, 3, 8, 8))
    with torch.no_grad():
        for i in range(10):
            weight = critic.get_submodule(f"conv{i}").weight
            norm = torch.linalg.matrix_norm(weight.flatten(1), 2).item()
            assert (norm == pytest.approx(1, abs=0.02)) == (0 < i < 9)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 20), st.integers(1, 20))
def test_any_size_has_a_logit_a_pixel(height, width):
    critic = UNetCritic(2)
    image = torch.rand(1, 3, height, width, requires_grad=True)
    logits = critic(image)
    assert logits.shape == (1, 1, height, width)
    logits.sum().backward()
    assert (image.grad.abs().sum(1) > 0).all()


def test_odd_sizes_repeat_the_border():
    critic, image = UNetCritic(2).eval(), torch.rand(1, 3, 13, 9)
    padded = nn.ReplicationPad2d((0, 7, 0, 3))(image)
    torch.testing.assert_close(critic(image), critic(padded)[..., :13, :9])


def test_a_logit_for_each_place_behind_the_front():
    critic, image = UNetCritic(2, front=Haar()).eval(), torch.rand(1, 3, 13, 9)
    assert critic(image).shape == (1, 1, 7, 5)
    assert torch.equal(critic(image), critic.stages(Haar()(image))[-1])


def test_features_are_the_maps_of_all_resolutions():
    sides = [feature.shape[2] for feature in UNetCritic(2).features(torch.rand(1, 3, 16, 16))]
    assert sides == [16, 8, 4, 2, 4, 8, 16, 16, 16]


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`features`"):
        UNetCritic(0)
