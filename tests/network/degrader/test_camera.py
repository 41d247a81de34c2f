"""The learned camera: what its parameters mean, and that gradient reaches them."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wildsr.error import UserError
from wildsr.network.degrader.camera import FLOOR, Camera


def camera(a=1.6, b=0.0, c=1.6, read=2.0, shot=2.0, scale=4, size=21):
    made = Camera(scale, size, read=read, shot=shot)
    with torch.no_grad():
        made.spread.copy_(torch.tensor([math.log(a - FLOOR), math.log(c - FLOOR)]))
        made.shear.fill_(b)
    return made


def moments(kernel, scale):
    """Mean (x, y) from the middle of an output pixel, and covariance, by their definitions."""
    size = kernel.shape[-1]
    taps = torch.arange(size, dtype=torch.float64) - size // 2 + (scale - 1) // 2 - (scale - 1) / 2
    y, x = torch.meshgrid(taps, taps, indexing="ij")
    places, weights = torch.stack([x.flatten(), y.flatten()]), kernel.double().flatten()
    mean = places @ weights
    off = places - mean[:, None]
    return mean, (off * weights) @ off.T


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_kernel_is_centred_on_an_output_pixel_and_sums_to_1(scale):
    for made in (camera(scale=scale), camera(2.2, -0.9, 1.1, scale=scale)):
        kernel = made.kernel()
        assert kernel.shape == (1, 21, 21)
        assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
        mean, _ = moments(kernel, scale)
        torch.testing.assert_close(mean, torch.zeros(2).double(), atol=2e-4, rtol=0)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_a_ramp_stays_where_it_is(scale):
    """Kernel, offset and sampling together: LR pixel i is at s i + (s - 1) / 2 of HR."""
    places = torch.arange(20.0 * scale) / 100
    hr = torch.stack([places.expand(len(places), -1), places[:, None].expand(-1, len(places))])
    hr = torch.stack([hr[0], hr[1], hr[0]])[None]
    made = camera(2.0, 0.7, 1.2, scale=scale)
    lr = made(hr, torch.zeros(1, 3, 20, 20))
    expected = (scale * torch.arange(20.0) + (scale - 1) / 2) / 100
    inside = slice(11, -11) if scale == 1 else slice(6, -6)
    torch.testing.assert_close(lr[0, 0, 10, inside], expected[inside], atol=2e-5, rtol=0)
    torch.testing.assert_close(lr[0, 1, inside, 10], expected[inside], atol=2e-5, rtol=0)


@settings(deadline=None, max_examples=25)
@given(
    a=st.floats(0.9, 2.2), b=st.floats(-1.5, 1.5), c=st.floats(0.9, 2.2), scale=st.integers(2, 4)
)
def test_physical_states_widths_and_angle_of_the_kernel(a, b, c, scale):
    made = camera(a, b, c, scale=scale, size=27)
    _, covariance = moments(made.kernel(), scale)
    variance, axes = torch.linalg.eigh(covariance)
    stated = made.physical()
    assert stated["blur_minor"] == pytest.approx(variance[0].sqrt().item(), rel=5e-3)
    assert stated["blur_major"] == pytest.approx(variance[1].sqrt().item(), rel=5e-3)
    assert 0 <= stated["blur_angle"] < 180
    if stated["blur_major"] > 1.1 * stated["blur_minor"]:
        x, y = axes[:, 1].tolist()
        turned = (stated["blur_angle"] - math.degrees(math.atan2(y, x)) + 90) % 180 - 90
        assert abs(turned) < 1


def test_physical_by_hand():
    stated = camera(3.0, 0.0, 1.5, read=4.0, shot=8.0).physical()
    assert stated == pytest.approx(
        {"blur_major": 3, "blur_minor": 1.5, "blur_angle": 0, "noise_read": 4, "noise_shot": 8}
    )
    assert camera(1.5, 0.0, 3.0).physical()["blur_angle"] == pytest.approx(90)
    # [[2, 0], [b, c]] with the covariance [[4, 2], [2, 4]]: 45 degrees, widths sqrt 6 and sqrt 2
    turned = camera(2.0, 1.0, math.sqrt(3)).physical()
    assert turned["blur_angle"] == pytest.approx(45)
    assert turned["blur_major"] == pytest.approx(math.sqrt(6))
    assert turned["blur_minor"] == pytest.approx(math.sqrt(2))


def test_at_the_start_it_is_what_was_asked_for():
    stated = Camera(4, blur=1.7, read=3.0, shot=5.0).physical()
    assert stated["blur_major"] == pytest.approx(1.7)
    assert stated["blur_minor"] == pytest.approx(1.7)
    assert (stated["noise_read"], stated["noise_shot"]) == pytest.approx((3, 5))


@pytest.mark.parametrize("brightness", [0.0, 0.25, 1.0])
def test_the_variance_of_the_noise_grows_with_the_brightness(brightness):
    torch.manual_seed(0)
    made = camera(read=3.0, shot=6.0, scale=2)
    hr = torch.full((1, 3, 512, 512), brightness)
    with torch.no_grad():
        noise = made(hr, made.draws(hr)) - brightness
    expected = math.sqrt(9 + 36 * brightness) / 255
    assert noise.std().item() == pytest.approx(expected, rel=0.01)
    assert abs(noise.mean().item()) < expected / 100
    stated = made.noise_std(torch.tensor(brightness)).item()
    assert stated == pytest.approx(expected, rel=1e-5)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.var()
    channels = (noise[:, 0] * noise[:, 1]).mean() / noise.var()
    assert max(abs(neighbours), abs(channels)) < 0.02, "independent by pixel and channel"


def test_draws_have_the_size_of_the_lr():
    hr = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    made = camera()
    draws = made.draws(hr)
    assert draws.shape == made(hr, draws).shape == (2, 3, 4, 6)
    assert draws.dtype == made(hr, draws).dtype == torch.float64
    assert not torch.equal(draws, made.draws(hr))


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    made = camera(1.9, 0.3, 1.2)
    hr = torch.rand(2, 3, 32, 32)
    made(hr, made.draws(hr)).square().mean().backward()
    assert {name for name, _ in made.named_parameters()} == {"spread", "shear", "noise"}
    for name, parameter in made.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert (parameter.grad != 0).all(), name


def test_the_blur_is_not_learned_through_the_noise():
    torch.manual_seed(0)
    hr = torch.rand(2, 3, 32, 32)
    found = []
    for draws in (torch.zeros(2, 3, 8, 8), torch.randn(2, 3, 8, 8)):
        made = camera(1.9, 0.3, 1.2)
        (made(hr, draws) * torch.linspace(-1, 1, 8)).sum().backward()
        found.append((made.spread.grad, made.shear.grad, made.noise.grad))
    torch.testing.assert_close(found[0][:2], found[1][:2])
    assert found[0][2].abs().sum() == 0
    assert found[1][2].abs().sum() > 0


def test_a_camera_can_be_found_by_gradient():
    torch.manual_seed(0)
    hidden, learned = camera(2.4, -0.8, 1.1), camera()
    optimizer = torch.optim.Adam(learned.parameters(), lr=0.05)
    hr = torch.rand(4, 3, 48, 48)
    with torch.no_grad():
        target = hidden(hr, torch.zeros(4, 3, 12, 12))
    for _ in range(150):
        optimizer.zero_grad()
        (learned(hr, torch.zeros(4, 3, 12, 12)) - target).square().sum().backward()
        optimizer.step()
    for name in ("blur_major", "blur_minor", "blur_angle"):
        assert learned.physical()[name] == pytest.approx(hidden.physical()[name], rel=0.02), name


@pytest.mark.parametrize(
    "wrong", [{"blur": FLOOR}, {"read": 0}, {"shot": -1.0}, {"kernel_size": 4}]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Camera(4, **wrong)
