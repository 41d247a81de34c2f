import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.upscaler.interpolation import Interpolation

KINDS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SCALES = [1, 2, 3, 4, 8]


def pillow(image, scale, kind):
    """``image`` (B, C, H, W) channel by channel, as float images."""
    size = (image.shape[-1] * scale, image.shape[-2] * scale)
    planes = [
        np.asarray(Image.fromarray(plane.numpy()).resize(size, KINDS[kind]))
        for plane in image.flatten(0, 1)
    ]
    return torch.tensor(np.stack(planes)).unflatten(0, image.shape[:2])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", KINDS)
def test_equals_pillow(kind, scale):
    torch.manual_seed(scale)
    for size in [(1, 1), (1, 6), (2, 3), (9, 4), (12, 17)]:
        image = torch.rand(2, 3, *size) * 3 - 1
        torch.testing.assert_close(
            Interpolation(scale, kind)(image), pillow(image, scale, kind), atol=1e-5, rtol=0
        )


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(list(KINDS)),
    st.sampled_from(SCALES),
    st.integers(1, 4),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_equals_pillow_at_any_size(kind, scale, channels, height, width):
    image = torch.rand(1, channels, height, width)
    upscaled = Interpolation(scale, kind)(image)
    assert upscaled.shape == (1, channels, scale * height, scale * width)
    torch.testing.assert_close(upscaled, pillow(image, scale, kind), atol=1e-5, rtol=0)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_the_antialiased_one_of_torch(scale):
    image = torch.rand(1, 3, 7, 5, dtype=torch.float64)
    expected = F.interpolate(image, scale_factor=scale, mode="bicubic", antialias=True)
    upscaled = Interpolation(scale, "bicubic").double()(image)
    assert upscaled.dtype == torch.float64
    torch.testing.assert_close(upscaled, expected, atol=1e-7, rtol=0)


def test_bilinear_by_hand():
    image = torch.tensor([[0.0, 1.0]]).view(1, 1, 1, 2)
    upscaled = Interpolation(2, "bilinear")(image)
    assert upscaled.tolist() == [[[[0, 0.25, 0.75, 1], [0, 0.25, 0.75, 1]]]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_stays_constant_up_to_the_border(kind):
    upscaled = Interpolation(3, kind)(torch.full((1, 1, 4, 5), 0.7))
    torch.testing.assert_close(upscaled, torch.full((1, 1, 12, 15), 0.7))


@pytest.mark.parametrize("kind", KINDS)
def test_gradient(kind):
    network = Interpolation(3, kind).double()
    image = torch.rand(1, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, image)


def test_nothing_to_learn_and_nothing_to_store():
    network = Interpolation(4, "bicubic")
    assert list(network.parameters()) == []
    assert network.state_dict() == {}
    assert network.half().weight.dtype == torch.float16  # it moves with the network all the same


def test_autocast_does_not_round():
    network, image = Interpolation(2, "bicubic"), torch.rand(1, 3, 6, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        upscaled = network(image)
    assert upscaled.dtype == torch.float32
    torch.testing.assert_close(upscaled, network(image), atol=0, rtol=0)


def test_the_output_can_be_viewed():
    assert Interpolation(2, "lanczos")(torch.rand(1, 3, 5, 4)).is_contiguous()


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_does_not_round(kind):
    image = torch.rand(2, 3, 40, 30)
    upscaled = Interpolation(4, kind).cuda()(image.cuda()).cpu()
    torch.testing.assert_close(upscaled, pillow(image, 4, kind), atol=1e-5, rtol=0)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`scale`"):
        Interpolation(5, "bicubic")
    with pytest.raises(UserError, match="Did you mean 'lanczos'"):
        Interpolation(2, "lanczso")
