import pytest
import torch

from wildsr.degradation.dither import (
    bayer_matrix,
    even_palette,
    floyd_steinberg,
    ordered_dither,
    own_palette,
)
from wildsr.error import UserError


def by_hand(image, palette):
    """Floyd-Steinberg pixel by pixel, as the paper says it."""
    height, width = image.shape[1:]
    left, out = image.clone(), torch.zeros_like(image)
    for y in range(height):
        for x in range(width):
            wanted = left[:, y, x].clamp(-0.5, 1.5)
            chosen = palette[(palette - wanted).square().sum(1).argmin()]
            out[:, y, x] = chosen
            for dx, dy, share in ((1, 0, 7), (-1, 1, 3), (0, 1, 5), (1, 1, 1)):
                if 0 <= x + dx < width and y + dy < height:
                    left[:, y + dy, x + dx] += (wanted - chosen) * share / 16
    return out


@pytest.mark.parametrize(("height", "width"), [(9, 12), (12, 7), (1, 5), (6, 1)])
def test_error_diffusion_is_the_papers(height, width):
    image = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0)).double()
    palette = even_palette(3).double()
    made = floyd_steinberg(image, palette)
    for picture, expected in zip(made, image, strict=True):
        torch.testing.assert_close(picture, by_hand(expected, palette), atol=1e-12, rtol=0)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("tone", [0.1, 0.5, 0.77])
def test_both_keep_the_mean_and_use_the_palette_alone(tone, channels):
    image = torch.full((1, channels, 48, 48), tone)
    palette = even_palette(2, channels)
    for made in (floyd_steinberg(image, palette), ordered_dither(image, palette)):
        assert set(made.unique().tolist()) <= {0.0, 1.0}
        assert made.mean().item() == pytest.approx(tone, abs=0.02)


def test_error_diffusion_has_less_coarse_noise_than_ordering_has_pattern():
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    palette = even_palette(2, 1)
    pooled = [
        torch.nn.functional.avg_pool2d(f(ramp, palette) - ramp, 8).square().mean()
        for f in (floyd_steinberg, ordered_dither)
    ]
    assert max(pooled) < 0.02  # either keeps what an eye sees from afar
    plain = torch.nn.functional.avg_pool2d(ramp.round() - ramp, 8).square().mean()
    assert max(pooled) < plain / 10


def test_ordered_thresholds_repeat_and_are_even():
    for side in (2, 4, 8):
        matrix = bayer_matrix(side)
        levels = matrix.flatten().sort().values
        torch.testing.assert_close(levels.diff(), torch.full_like(levels[1:], 1 / side**2))
        assert matrix.mean().item() == pytest.approx(0, abs=1e-9)
        made = ordered_dither(torch.full((1, 1, 16, 16), 0.37), even_palette(2, 1), side)
        assert torch.equal(made, made.roll((side, side), (2, 3)))
    assert (bayer_matrix(2) * 4 + 1.5).tolist() == [[0, 2], [3, 1]]


def test_a_palette_of_ones_own_finds_the_colours_that_are_there():
    colours = torch.tensor([[0.1, 0.2, 0.3], [0.9, 0.1, 0.5], [0.4, 0.8, 0.2], [0.6, 0.6, 0.9]])
    index = torch.randint(4, (1, 20, 20), generator=torch.Generator().manual_seed(1))
    image = colours[index].permute(0, 3, 1, 2)
    found = own_palette(image, 4)[0]
    distance = torch.cdist(colours, found).amin(1)
    assert distance.max() < 1e-5
    torch.testing.assert_close(floyd_steinberg(image, found), image, atol=1e-5, rtol=0)


def test_a_palette_that_lacks_colours_keeps_bounds():
    dark = torch.tensor([[0.0], [0.2]])
    made = floyd_steinberg(torch.full((1, 1, 32, 32), 0.9), dark)
    assert (made == 0.2).all()  # a debt that cannot be paid does not grow


def test_the_gradient_is_the_identitys():
    image = torch.rand(1, 3, 6, 6, requires_grad=True)
    for f in (floyd_steinberg, ordered_dither):
        (gradient,) = torch.autograd.grad(f(image, even_palette(4)).sum(), image)
        torch.testing.assert_close(gradient, torch.ones_like(gradient))


def test_what_is_refused():
    image = torch.rand(1, 3, 4, 4)
    for call, said in (
        (lambda: floyd_steinberg(image, even_palette(2, 1)), r"`palette` must be \(K, 3\)"),
        (lambda: floyd_steinberg(image, even_palette(2)[:1]), "K at least 2"),
        (lambda: ordered_dither(image, even_palette(2), 3), "`side` must be one of"),
        (lambda: even_palette(1), "`levels` must be an integer of at least 2"),
        (lambda: even_palette(100), "at most 4096 colours"),
        (lambda: own_palette(image, 1), "`colours` must be an integer from 2 to 256"),
    ):
        with pytest.raises(UserError, match=said):
            call()
