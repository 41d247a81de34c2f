import pytest
import torch

from wildsr.degradation.analogue import chroma_bleed, interlace, line_blur, shift_lines
from wildsr.error import UserError
from wildsr.pixels import luma


def pictures(count=2, channels=3, side=16):
    return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_first_field_stays_and_the_second_moves(channels):
    image = pictures(channels=channels)
    moved = interlace(image, torch.tensor([2.0, -3.0]))
    assert torch.equal(moved[:, :, ::2], image[:, :, ::2])
    assert torch.equal(moved[0, :, 1::2, 2:], image[0, :, 1::2, :-2])
    assert torch.equal(moved[1, :, 1::2, :-3], image[1, :, 1::2, 3:])


def test_an_upright_edge_becomes_a_comb():
    edge = torch.zeros(1, 1, 12, 24)
    edge[..., 12:] = 1
    combed = interlace(edge, 3.0)[0, 0]
    assert combed[0].argmax() == 12
    assert combed[1].argmax() == 15
    assert combed[:, 13].diff().abs().min() == 1


def test_lines_move_by_parts_of_pixels():
    ramp = torch.arange(20.0).expand(1, 1, 3, 20)
    moved = shift_lines(ramp, torch.tensor([[0.25, -1.5, 0.0]]))
    torch.testing.assert_close(moved[0, 0, 0, 2:-2], ramp[0, 0, 0, 2:-2] - 0.25)
    torch.testing.assert_close(moved[0, 0, 1, 2:-2], ramp[0, 0, 1, 2:-2] + 1.5)
    assert torch.equal(moved[0, 0, 2], ramp[0, 0, 2])


def test_colour_bleeds_along_lines_and_brightness_stays():
    image = pictures()
    bled = chroma_bleed(image, 3.0, 1.0)
    torch.testing.assert_close(luma(bled), luma(image), atol=2e-3, rtol=0)
    colour = (bled - luma(bled)).diff(dim=3).abs().mean()
    assert colour < 0.3 * (image - luma(image)).diff(dim=3).abs().mean()
    gray = image[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(chroma_bleed(gray, 3.0, 1.0), gray, atol=2e-3, rtol=0)
    assert torch.equal(chroma_bleed(image[:, :1], 3.0), image[:, :1])


def test_colour_comes_late_by_its_delay():
    point = torch.zeros(1, 3, 9, 41)
    point[:, 0, 4, 20] = 1.0  # red
    bled = chroma_bleed(point, 2.0, 5.0)
    red = (bled[0, 0] - luma(bled)[0, 0])[4]
    place = (red.clamp_min(0) * torch.arange(41.0)).sum() / red.clamp_min(0).sum()
    assert place.item() == pytest.approx(25, abs=0.9)
    other_lines = torch.cat([bled[..., :4, :], bled[..., 5:, :]], 2)
    assert other_lines.abs().max() < 1e-6


@pytest.mark.parametrize("delay", [0.0, 0.4, -2.0])
def test_a_lines_blur_has_its_width_and_keeps_the_light(delay):
    point = torch.zeros(1, 2, 1, 81)
    point[..., 40] = 1
    spread = line_blur(point, 2.5, delay)[0, 0, 0]
    x = torch.arange(81.0)
    mean = (spread * x).sum()
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    assert mean.item() == pytest.approx(40 + delay, abs=0.01)
    assert (spread * (x - mean) ** 2).sum().sqrt().item() == pytest.approx(2.5, rel=0.02)


def test_gradients():
    image = pictures(1, 3, 5).double().requires_grad_()
    width, delay = (torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in (1.3, 0.4))
    motion = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(chroma_bleed, (image, width, delay))
    assert torch.autograd.gradcheck(interlace, (image, motion))


def test_what_is_refused():
    image = pictures()
    with pytest.raises(UserError, match="`width` must be above 0 pixels, but got 0"):
        chroma_bleed(image, 0.0)
    with pytest.raises(UserError, match=r"`shifts` must be \(2, 16\)"):
        shift_lines(image, torch.zeros(2, 3))
