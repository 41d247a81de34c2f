import math

import pytest
import torch

from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur_and_sample, centred_grid
from wildsr.network.degrader.physics import (
    MARGIN,
    PRIOR,
    kernel_size,
    kernels,
    noise_levels,
    physical,
    seen,
    whole_kernels,
    with_noise,
)


def camera(**values):
    from wildsr.network.degrader.physics import PARAMETERS

    made = PRIOR.clone()
    made[5], made[6] = 0.2, 0.0
    for name, value in values.items():
        made[PARAMETERS.index(name)] = value
    return made


def moments(kernel, scale):
    x, y = centred_grid(kernel_size(scale), scale)
    return [float((kernel * v).sum()) for v in (x, y, x * x, y * y, x * y)]


@pytest.mark.parametrize("shape", [0.0, 1.4])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_kernel_has_the_widths_that_a_report_prints(scale, shape):
    made = camera(width=math.log(0.45), stretch_x=0.3, stretch_d=0.4, shape=shape)
    kernel = kernels(made[None], scale)[0]
    said = physical(made, scale)
    x, y, xx, yy, xy = moments(kernel, scale)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert max(abs(x), abs(y)) < 1e-3
    variance, axes = torch.linalg.eigh(torch.tensor([[xx, xy], [xy, yy]]))
    assert said["blur_major"] == pytest.approx(
        math.sqrt(variance[1]), rel=0.02 if shape == 0 else 0.04
    )
    assert said["blur_minor"] == pytest.approx(
        math.sqrt(variance[0]), rel=0.02 if shape == 0 else 0.04
    )
    angle = math.degrees(math.atan2(axes[1, 1], axes[0, 1])) % 180
    assert said["blur_angle"] == pytest.approx(angle, abs=2)
    product = said["blur_major"] * said["blur_minor"]
    assert math.sqrt(product) == pytest.approx(0.45 * scale, rel=1e-4)


def test_a_round_blur_is_finite_and_has_gradients():
    made = camera().requires_grad_()
    kernels(made[None], 4).square().sum().backward()
    assert bool(made.grad.isfinite().all())


def test_sharpening_has_lobes_and_keeps_the_sum():
    kernel = whole_kernels(camera(sharpen=0.8)[None], 4)
    assert kernel.min() < -1e-4
    assert kernel.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("correlation", [0.2, 0.8])
@pytest.mark.parametrize("gray", [0.0, 0.7])
def test_noise_has_the_level_that_is_stated(correlation, gray):
    made = camera(noise=math.log(6.0), shot=0.7, correlation=correlation, gray=gray)
    read, shot = noise_levels(made)
    normal = torch.randn(1, 4, 256 + 2 * MARGIN, 256 + 2 * MARGIN)
    for brightness in (0.0, 0.5, 1.0):
        clean = torch.full((1, 3, 256, 256), brightness)
        noise = 255 * (with_noise(clean, made[None], normal) - clean)
        expected = math.sqrt(read**2 + shot**2 * brightness)
        assert noise.std() == pytest.approx(expected, rel=0.04)
    shared = torch.corrcoef(noise[0].flatten(1))[0, 1]
    assert shared == pytest.approx(gray, abs=0.06)
    beside = torch.corrcoef(torch.stack([noise[0, 0, :, 1:].ravel(), noise[0, 0, :, :-1].ravel()]))
    assert (beside[0, 1] > 0.3) == (correlation > 0.5)


def test_sharpening_is_what_its_kernel_shows():
    made = camera(sharpen=0.8, noise=math.log(0.12))[None]
    coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    hr = torch.nn.functional.interpolate(coarse, (96, 96), mode="bicubic")
    still = torch.zeros(1, 4, 24 + 2 * MARGIN, 24 + 2 * MARGIN)
    sharp = seen(blur_and_sample(hr, kernels(made, 4), 4), made, still)
    whole = blur_and_sample(hr, whole_kernels(made, 4), 4)
    assert torch.allclose(sharp[..., 6:-6, 6:-6], whole[..., 6:-6, 6:-6], atol=5e-3)


def test_a_lift_makes_the_dark_noisy_and_white_quiet():
    normal = torch.randn(1, 4, 64 + 2 * MARGIN, 64 + 2 * MARGIN)
    made = camera(noise=math.log(4.0), shot=-4.0, lift=0.5)[None]
    levels = []
    for brightness in (0.0, 0.5, 1.0):
        clean = torch.full((1, 3, 64, 64), brightness)
        levels.append(float((with_noise(clean, made, normal) - clean).std()))
    assert levels[0] / levels[1] == pytest.approx(math.exp(0.5), rel=0.05)
    assert levels[2] / levels[1] == pytest.approx(math.exp(-0.5), rel=0.05)


def test_blotches_are_coarse_in_colour_and_hardly_show_in_the_luma():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(1, 4, 128 + 2 * MARGIN, 128 + 2 * MARGIN, generator=generator)
    clean, found = torch.full((1, 3, 128, 128), 0.5), {}
    for blotch in (0.0, 1.5):
        made = camera(noise=math.log(6.0), correlation=0.4, blotch=blotch)[None]
        noise = (with_noise(clean, made, normal) - clean)[0] * 255
        assert noise.std() == pytest.approx(6.0, rel=0.06)
        colour = noise[0] - noise[1]
        beside = torch.corrcoef(torch.stack([colour[:, 1:].ravel(), colour[:, :-1].ravel()]))[0, 1]
        found[blotch] = float(noise.mean(0).std()), float(beside)
    assert found[1.5][0] < 0.1 * found[0.0][0]
    assert found[1.5][1] > 0.8 > 0.5 > found[0.0][1]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_the_downscaling_that_everybody_uses(scale):
    hr = torch.rand(1, 3, 24 * scale, 24 * scale)
    kernel = kernels(camera(bicubic=1.0, width=-0.3)[None], scale)
    lr = blur_and_sample(hr, kernel, scale)[..., 4:-4, 4:-4]
    assert torch.allclose(lr, downscale(hr, scale)[..., 4:-4, 4:-4], atol=1e-4)
