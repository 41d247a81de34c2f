import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.critic.vgg import VGGCritic

SMALL = {"features": 2, "pairs": 3, "dense": 5, "grid": 2}


def test_published_parameter_count():
    # ESRGAN's discriminator for 128 pixels has 14,502,281 with biases before its 2880 batch norms.
    critic = VGGCritic()
    normed = sum(m.num_features for m in critic.modules() if isinstance(m, nn.BatchNorm2d))
    assert sum(p.numel() for p in critic.parameters()) + normed == 14_502_281


def test_layout_of_srgan():
    critic = VGGCritic(pairs=4, kernel=3, dense=1024, grid=6)
    convolutions = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [c.stride[0] for c in convolutions] == [1, 2] * 4
    assert {c.kernel_size for c in convolutions} == {(3, 3)}
    assert sum(isinstance(m, nn.BatchNorm2d) for m in critic.modules()) == 7
    assert (critic.dense.in_features, critic.dense.out_features) == (512 * 36, 1024)


@pytest.mark.parametrize(("norm", "kernel"), [("batch", 4), ("instance", 3), ("none", 4)])
def test_equals_the_forward_pass_written_out(norm, kernel):
    torch.manual_seed(0)
    critic, image = VGGCritic(norm=norm, kernel=kernel, **SMALL), torch.rand(3, 3, 16, 16)
    x = image
    convolutions = [m for m in critic.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [2, 2, 4, 4, 8, 8]
    for i, conv in enumerate(convolutions):
        x = F.conv2d(x, conv.weight, conv.bias, 1 + i % 2, 1)
        if i and norm != "none":
            axes = (0, 2, 3) if norm == "batch" else (2, 3)
            variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
            x = (x - mean) / (variance + 1e-5).sqrt()
        x = F.leaky_relu(x, 0.2)
    assert x.shape == (3, 8, 2, 2)  # the grid's size: nothing is averaged
    expected = critic.last(F.leaky_relu(critic.dense(x.flatten(1)), 0.2))
    torch.testing.assert_close(critic(image), expected, atol=1e-5, rtol=1e-5)


def test_larger_maps_are_averaged_to_the_grid():
    critic = VGGCritic(norm="none", **SMALL)
    *_, before, dense, _ = critic.stages(torch.rand(2, 3, 32, 32))
    assert before.shape == (2, 8, 4, 4)
    averaged = F.avg_pool2d(before, 2).flatten(1)
    torch.testing.assert_close(dense, F.leaky_relu(critic.dense(averaged), 0.2))


@settings(deadline=None, max_examples=20)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["batch", "none", "spectral"]),
    st.sampled_from([3, 4]),
)
def test_any_size_has_one_logit(height, width, norm, kernel):
    critic = VGGCritic(norm=norm, kernel=kernel, **SMALL)
    image = torch.rand(2, 3, height, width, requires_grad=True)
    logits = critic(image)
    assert logits.shape == (2, 1)
    critic.eval()(image[:1]).sum().backward()
    assert image.grad[0].abs().sum() > 0
    assert image.grad[1].abs().sum() == 0


def test_small_images_repeat_their_border():
    critic, image = VGGCritic(norm="none", **SMALL), torch.rand(1, 3, 5, 3)
    assert torch.equal(critic(image), critic(F.pad(image, (0, 5, 0, 3), mode="replicate")))


def test_spectral_norm_bounds_every_layer():
    critic = VGGCritic(norm="spectral", **SMALL)
    for _ in range(100):
        critic(torch.rand(1, 3, 8, 8))
    layers = [m for m in critic.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 8
    for layer in layers:
        norm = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert norm == pytest.approx(1, abs=0.03)


def test_nothing_to_normalise_over_is_refused():
    critic = VGGCritic(**SMALL)
    with pytest.raises(UserError, match=r"batch of at least 2 .*\(1, 3, 8, 8\)"):
        critic(torch.rand(1, 3, 8, 8))
    assert critic(torch.rand(1, 3, 8, 16)).shape == (1, 1)
    assert critic.eval()(torch.rand(1, 3, 8, 8)).shape == (1, 1)
    for kernel, smallest in ((3, 9), (4, 16)):
        instance = VGGCritic(norm="instance", kernel=kernel, **SMALL)
        with pytest.raises(UserError, match=r"too small for `norm` 'instance'.*fewer `pairs`"):
            instance(torch.rand(2, 3, 8, smallest - 1))
        assert instance(torch.rand(2, 3, 8, smallest)).shape == (2, 1)


def test_mistakes_are_named():
    with pytest.raises(UserError, match=r"`norm` must be one of .* Did you mean 'batch'"):
        VGGCritic(norm="bach")
    with pytest.raises(UserError, match=r"`kernel` must be one of \[3, 4\], but got 5"):
        VGGCritic(kernel=5)
    with pytest.raises(UserError, match="`pairs`"):
        VGGCritic(pairs=0)
