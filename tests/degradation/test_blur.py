"""The kernel of a camera: a Gaussian on a grid that is centred on an output pixel."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.nn import functional as F

from wildsr.degradation.blur import blur_and_sample, centred_grid, gaussian_kernel
from wildsr.error import UserError


@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (2, 0.5), (3, 0), (4, 0.5), (8, 0.5)])
def test_grid(scale, shift):
    x, y = centred_grid(5, scale)
    assert x[0].tolist() == [-2 - shift, -1 - shift, -shift, 1 - shift, 2 - shift]
    assert torch.equal(x, y.T)
    assert torch.equal(x, x[:1].expand(5, 5)), "x grows along the rows"


@pytest.mark.parametrize("size", [0, 4, -1])
def test_a_grid_has_a_middle(size):
    with pytest.raises(UserError, match=f"`kernel_size` must be an odd number, but got {size}"):
        centred_grid(size, 2)


@settings(deadline=None, max_examples=25)
@given(a=st.floats(0.6, 3), b=st.floats(-2, 2), c=st.floats(0.6, 3), scale=st.sampled_from([1, 4]))
def test_kernel_is_the_density_of_its_covariance(a, b, c, scale):
    grid = centred_grid(9, scale).double()
    kernel = gaussian_kernel(*(torch.tensor(v, dtype=torch.float64) for v in (a, b, c)), grid)
    factor = torch.tensor([[a, 0], [b, c]], dtype=torch.float64)
    normal = torch.distributions.MultivariateNormal(torch.zeros(2).double(), scale_tril=factor)
    density = normal.log_prob(grid.permute(1, 2, 0)).exp()
    torch.testing.assert_close(kernel, density / density.sum())
    assert kernel.sum().item() == pytest.approx(1)


def test_kernel_has_gradients():
    grid = centred_grid(7, 2).double()
    parameters = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.3, 0.4, 0.8)]
    assert gradcheck(lambda a, b, c: gaussian_kernel(a, b, c, grid), parameters)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_one_kernel_for_all_is_the_same_kernel_for_each_and_a_convolution_inside(scale):
    hr = torch.rand(3, 3, 12 * scale, 10 * scale, dtype=torch.float64)
    kernel = torch.rand(1, 5, 5, dtype=torch.float64)
    shared = blur_and_sample(hr, kernel, scale)
    each = blur_and_sample(hr, kernel.expand(3, 5, 5).contiguous(), scale)
    torch.testing.assert_close(shared, each)
    inside = F.conv2d(hr.flatten(0, 1)[:, None], kernel[:, None]).view(3, 3, 12 * scale - 4, -1)
    skipped = math.ceil((2 - (scale - 1) // 2) / scale)  # LR pixels whose kernel leaves the image
    start = skipped * scale + (scale - 1) // 2 - 2
    valid = inside[..., start::scale, start::scale]
    h, w = valid.shape[-2:]
    torch.testing.assert_close(shared[..., skipped : skipped + h, skipped : skipped + w], valid)
