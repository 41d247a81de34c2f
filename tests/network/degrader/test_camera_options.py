"""What a learned camera can have beside blur and white noise."""

import math

import pytest
import torch

from wildsr.error import UserError
from wildsr.network.degrader.camera import WHITE, Camera, sentence
from wildsr.network.degrader.camera_noise import RADIUS

ALL = {"blur_spread": 0.2, "shift": 0.3, "correlation": 0.6, "jpeg": 70.0, "jpeg_spread": 4.0}


def moments(kernel):
    """Mean (x, y) from the middle tap, and covariance, by their definitions."""
    size = kernel.shape[-1]
    taps = torch.arange(size, dtype=torch.float64) - size // 2
    y, x = torch.meshgrid(taps, taps, indexing="ij")
    places, weights = torch.stack([x.flatten(), y.flatten()]), kernel.detach().double().flatten()
    mean = places @ weights
    off = places - mean[:, None]
    return mean, (off * weights) @ off.T


def test_without_options_nothing_is_added():
    assert set(Camera(4).state_dict()) == {"spread", "shear", "noise"}
    assert set(Camera(4, **ALL).state_dict()) == {
        *("spread", "shear", "noise", "blur_spread", "correlation", "jpeg.mean", "jpeg.spread")
    }


def test_the_size_of_the_blur_is_log_normal_and_its_centre_shifts():
    made = Camera(1, 31, blur=2.0, blur_spread=0.2, shift=0.5)
    normal = torch.tensor([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [-1.0, 2.0, -1.0]])
    for kernel, width, centre in zip(
        made.kernels(normal),
        (2, 2 * math.exp(0.2), 2 * math.exp(-0.2)),
        ((0, 0), (0, 0), (1, -0.5)),
        strict=True,
    ):
        mean, covariance = moments(kernel)
        assert mean.tolist() == pytest.approx(centre, abs=1e-3)
        expected = width**2 * torch.eye(2, dtype=torch.float64)
        torch.testing.assert_close(covariance, expected, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(made.kernels(normal[:1]), made.kernel())


def test_each_image_has_its_own_kernel():
    torch.manual_seed(0)
    made, hr = Camera(2, blur_spread=0.3), torch.rand(1, 3, 24, 24).repeat(3, 1, 1, 1)
    noise, normal = made.draws(hr)
    lr = made(hr, (torch.zeros_like(noise), normal))
    for one, single in zip(lr, normal, strict=True):
        alone = made(hr[:1], (torch.zeros_like(noise[:1]), single[None]))
        torch.testing.assert_close(one, alone[0])
    assert (lr[0] - lr[1]).abs().max() > 1e-3


def test_the_standard_deviation_of_correlated_noise_is_as_stated():
    torch.manual_seed(0)
    made, hr = Camera(2, read=3.0, shot=6.0, correlation=0.8), torch.full((1, 3, 512, 512), 0.5)
    with torch.no_grad():
        noise = made(hr, made.draws(hr)) - 0.5
    assert noise.std().item() == pytest.approx(math.sqrt(9 + 18) / 255, rel=0.02)
    neighbours = ((noise[..., 1:] * noise[..., :-1]).mean() / noise.var()).item()
    assert neighbours == pytest.approx(math.exp(-1 / (4 * 0.8**2)), abs=0.02)


def test_draws():
    hr = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    margin = 2 * RADIUS
    assert Camera(4, correlation=0.5).draws(hr).shape == (2, 3, 4 + margin, 6 + margin)
    noise, blur, quality, phase = Camera(4, **ALL).draws(hr)
    assert noise.shape == (2, 3, 4 + margin, 6 + margin)
    assert (blur.shape, quality.shape, phase.shape) == ((2, 3), (2,), (2,))
    assert noise.dtype == blur.dtype == quality.dtype == torch.float64


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "options", [{"blur_spread": 0.2}, {"shift": 0.5}, {"correlation": 0.5}, {"jpeg": 80.0}, ALL]
)
def test_given_its_draws_a_picture_is_determined(scale, options):
    torch.manual_seed(0)
    made, hr = Camera(scale, 9, **options), torch.rand(2, 3, 6 * scale, 9 * scale)
    draws, others = made.draws(hr), made.draws(hr)
    lr = made(hr, draws)
    assert lr.shape == (2, 3, 6, 9)
    assert torch.equal(lr, made(hr, draws))
    assert not torch.equal(lr, made(hr, others))


def test_gradient_reaches_every_parameter():
    torch.manual_seed(0)
    made, hr = Camera(4, **ALL), torch.rand(3, 3, 64, 64)
    lr = made(hr, made.draws(hr))
    (lr * torch.randn_like(lr)).sum().backward()
    for name, parameter in made.named_parameters():
        assert torch.isfinite(parameter.grad).all(), name
        assert (parameter.grad != 0).all(), name


def test_physical_states_what_was_asked_for():
    stated = Camera(4, blur=1.7, read=3.0, shot=5.0, **ALL).physical()
    assert {name: value for name, value in stated.items() if name != "blur_angle"} == pytest.approx(
        {
            **{"blur_major": 1.7, "blur_minor": 1.7, "noise_read": 3, "noise_shot": 5},
            **{"blur_spread": 0.2, "noise_correlation": 0.6, "jpeg_quality": 70, "jpeg_spread": 4},
        }
    )


def test_physical_survives_a_checkpoint():
    made, other = Camera(4, **ALL), Camera(4, **ALL)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    assert other.physical() != made.physical()
    other.load_state_dict(made.state_dict())
    assert other.physical() == made.physical()


def test_sentence():
    plain = {"blur_major": 2.4, "blur_minor": 1.4, "blur_angle": 30.0}
    plain |= {"noise_read": 3.2, "noise_shot": 6.1}
    said = "blur 2.40 x 1.40 px along 30 degrees, read noise 3.2/255, shot noise 6.1/255"
    assert sentence(plain) == said
    assert sentence(plain | {"jpeg_quality": 62.0, "jpeg_spread": 8.1}) == (
        f"{said}, JPEG quality 62 +- 8"
    )
    whole = Camera(4, blur=1.7, **ALL).sentence()
    assert "px +- 20 % along" in whole
    assert "correlated over 0.60 px" in whole
    assert whole.endswith("JPEG quality 70 +- 4")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"blur_spread": 0.0}, "blur_spread"),
        ({"shift": -0.1}, "shift"),
        ({"correlation": WHITE}, "correlation"),
        ({"jpeg": 100.0}, "jpeg"),
        ({"jpeg": 50.0, "jpeg_spread": 0.0}, "jpeg_spread"),
        ({"jpeg": 50.0, "subsampling": "4:1:1"}, "subsampling"),
    ],
)
def test_what_cannot_be_is_refused(wrong, named):
    with pytest.raises(UserError, match=f"`{named}`"):
        Camera(4, **wrong)


def test_an_isp_learns_gains_and_gamma():
    made, hr = Camera(1, 5, blur=0.41, isp=True), 0.2 + 0.6 * torch.rand(2, 3, 8, 8)
    silence = torch.zeros_like(made.draws(hr))
    torch.testing.assert_close(made(hr, silence), Camera(1, 5, blur=0.41)(hr, silence))
    with torch.no_grad():
        made.isp.copy_(torch.tensor([1.2, 0.9, 1.5]).log())
    plain = Camera(1, 5, blur=0.41)(hr, silence)
    expected = (plain * torch.tensor([1.2, 1.0, 0.9]).view(3, 1, 1)) ** 1.5
    torch.testing.assert_close(made(hr, silence), expected)
    found = made.physical()
    assert [found[n] for n in ("gain_red", "gain_blue", "gamma")] == pytest.approx([1.2, 0.9, 1.5])
    assert made.sentence().endswith("gains 1.20 (red) and 0.90 (blue), gamma 1.50")
    made(hr, silence).sum().backward()
    assert (made.isp.grad != 0).all()


def test_an_isp_finds_its_numbers_again():
    """From pictures of one scene; from unrelated ones a critic has to."""
    torch.manual_seed(1)
    true, learned = Camera(2, 5, isp=True), Camera(2, 5, isp=True)
    with torch.no_grad():
        true.isp.copy_(torch.tensor([1.3, 0.8, 0.7]).log())
    hr = torch.rand(4, 3, 16, 16)
    silence = torch.zeros_like(true.draws(hr))
    target = true(hr, silence).detach()
    adam = torch.optim.Adam([learned.isp], 0.03)
    for _ in range(150):
        adam.zero_grad()
        (learned(hr, silence) - target).square().mean().backward()
        adam.step()
    torch.testing.assert_close(learned.isp.exp(), true.isp.exp(), atol=0.02, rtol=0)
