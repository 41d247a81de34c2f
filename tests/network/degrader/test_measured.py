import math

import pytest
import torch
from torch.nn import functional as F

from wildsr.degradation.coding import JPEGCoding, WebPCoding
from wildsr.degradation.defects import Defects
from wildsr.degradation.fringes import NONE, Fringes
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import PRIOR
from wildsr.network.weights import fill


def two_kinds():
    sharp, soft = PRIOR.clone(), PRIOR.clone()
    sharp[0], sharp[3] = math.log(0.2), math.log(0.2)
    soft[0], soft[3] = math.log(0.9), math.log(9.0)
    camera = MeasuredCamera(4)
    camera.set(torch.stack([sharp, soft]), [None, JPEGCoding.libjpeg(40)])
    return camera


def test_pictures_are_those_of_the_photos_that_were_measured():
    camera = two_kinds()
    hr = torch.rand(1, 3, 96, 96).repeat(40, 1, 1, 1)
    draws = camera.draws(hr)
    lr = camera(hr, draws).detach()
    assert lr.shape == (40, 3, 24, 24)
    which = draws[0] % 2
    assert 3 < int(which.sum()) < 37  # otherwise in one of fifty million draws
    contrast = lr.std((1, 2, 3))
    assert contrast[which == 0].min() > contrast[which == 1].max()


def test_the_same_draws_make_the_same_picture():
    camera = two_kinds()
    hr = torch.rand(4, 3, 64, 64)
    draws = camera.draws(hr)
    assert torch.equal(camera(hr, draws), camera(hr, draws))


def test_another_photo_of_the_same_has_other_noise_where_no_lossy_coding_follows():
    camera = two_kinds()
    hr = torch.rand(40, 3, 32, 32)
    draws = camera.draws(hr)
    again = camera.redraw(hr, draws)
    coded = draws[0] % 2 == 1
    assert 0 < int(coded.sum()) < 40
    assert torch.equal(again[0], draws[0])
    assert torch.equal(again[2], draws[2])
    assert torch.equal(again[1][coded], draws[1][coded])
    assert ((again[1] - draws[1])[~coded].abs().mean((1, 2, 3)) > 0.5).all()
    camera.set(PRIOR.repeat(2, 1), [JPEGCoding.libjpeg(40)] * 2)
    draws = camera.draws(hr)
    assert camera.redraw(hr, draws) is draws


def test_a_fresh_one_takes_over_the_state_of_any_folder():
    camera, other = two_kinds(), MeasuredCamera(4)
    other.load_state_dict(camera.state_dict())
    hr = torch.rand(6, 3, 64, 64)
    draws = camera.draws(hr)
    assert torch.equal(camera(hr, draws), other(hr, draws))


def test_without_a_measurement_it_is_what_is_expected():
    said = MeasuredCamera(4).physical()
    assert said["blur_major"] == said["blur_minor"]
    assert abs(said["blur_major"] - 1.52) < 0.01


def test_it_follows_the_precision_of_its_input():
    camera = two_kinds().double()
    hr = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    assert camera(hr, camera.draws(hr)).dtype == torch.float64


def test_what_it_states_is_what_it_does():
    camera = MeasuredCamera(4)
    assert camera.kernel().sum().item() == pytest.approx(1)
    flat = torch.full((64, 3, 64, 64), 0.5)
    spread = camera(flat, camera.draws(flat)).std().item()
    assert spread == pytest.approx(camera.noise_std(torch.tensor([0.5])).item(), rel=0.05)
    assert camera.sentence().startswith("blur 1.5 x 1.5 px, noise 1.4/255 in the dark and 2.4/255")
    assert two_kinds().physical()["jpeg_share"] == 0.5


def test_it_can_be_learned_through_in_its_picture():
    """The gradient reaches ``hr``, through JPEG as if it was not there; the picture is the same."""
    camera = two_kinds()
    hr = torch.rand(6, 3, 64, 64)
    draws = (torch.arange(6), *camera.draws(hr)[1:])  # of both kinds
    sharp = hr.clone().requires_grad_()
    lr = camera(sharp, draws)
    torch.testing.assert_close(lr.detach(), camera(hr, draws))
    (gradient,) = torch.autograd.grad(lr.sum(), sharp)
    assert (gradient.abs().sum((1, 2, 3)) > 0).all()


def test_webp_is_a_coding_like_jpeg():
    codings = [WebPCoding(35), JPEGCoding.libjpeg(60), None, WebPCoding(80)]
    camera, other = MeasuredCamera(4), MeasuredCamera(4)
    camera.set(PRIOR.repeat(4, 1), codings)
    other.load_state_dict(camera.state_dict())
    assert other.codings()[:4] == codings
    said = camera.physical()
    assert (said["webp_share"], said["jpeg_share"]) == (0.5, 0.25)
    hr = torch.rand(4, 3, 96, 96, requires_grad=True)
    _, noise, phase = camera.draws(hr)
    lr = camera(hr, (torch.arange(4), noise, phase))
    assert torch.equal(lr.detach(), lr.detach().mul(255).round().div(255))
    (gradient,) = torch.autograd.grad(lr.sum(), hr)
    assert gradient.abs().sum() > 0
    plain = MeasuredCamera(4)
    plain.set(PRIOR.repeat(4, 1), [None] * 4)
    assert (plain(hr, (torch.arange(4), noise, phase))[0] - lr[0]).abs().mean() > 0.005
    assert "webp_share" not in plain.physical()


def test_defects_are_part_of_its_state_and_of_its_words():
    flaws = Defects(0.25, 1.0, (0.0, 1.0), rows=0.25, columns=0.0)
    camera, other, plain = (MeasuredCamera(4) for _ in range(3))
    camera.set(PRIOR[None], [None], defects=flaws)
    other.load_state_dict(camera.state_dict())
    plain.set(PRIOR[None], [None])
    assert (other.defects().impulses, other.defects().rows) == (0.25, 0.25)
    assert set(other.defects().values) == {0.0, 1.0}
    assert "25.0% of the values are impulses, each row is 63.8/255" in camera.sentence()
    assert camera.physical()["impulses"] == 0.25
    assert camera.physical()["stripes_rows"] == 63.75
    assert "stripes_columns" not in camera.physical()
    assert not {"impulses", "stripes_rows"} & plain.physical().keys()
    hr = torch.rand(2, 3, 64, 64)
    draws = camera.draws(hr)
    assert torch.equal(camera(hr, draws), other(hr, draws))
    changed = (camera(hr, draws) - plain(hr, draws[:3])).abs()
    assert float(changed.mean()) > 0.1
    assert len(plain.draws(hr)) == 3  # nothing more is drawn without


def test_fringes_are_part_of_its_state_and_of_its_words():
    apart = Fringes(((1.0, 0.0), (0.0, 0.0), (0.0, 0.0)), (0.0, 0.0, 0.0))
    camera, other, plain = (MeasuredCamera(4) for _ in range(3))
    camera.set(PRIOR[None], [None], fringes=apart)
    other.load_state_dict(camera.state_dict())
    plain.set(PRIOR[None], [None])
    assert other.fringes() == apart
    assert "red lies +1.00 px right" in camera.sentence()
    hr = F.avg_pool2d(torch.rand(2, 3, 80, 80), 9, 1, 4)
    which, noise, phase = camera.draws(hr)
    draws = which, 0 * noise, phase
    made, aligned = camera(hr, draws), plain(hr, draws)
    assert torch.equal(made, other(hr, draws))
    assert torch.equal(made[:, 1:], aligned[:, 1:])
    inner = slice(5, -5)
    moved, before = made[:, 0, inner, 6:-4], aligned[:, 0, inner, 5:-5]
    assert torch.allclose(moved, before, atol=1e-5)
    assert not torch.allclose(made[:, 0], aligned[:, 0], atol=1e-2)
    gray, draws = hr[:, :1], (which, 0 * noise[:, :2], phase)
    assert torch.equal(camera(gray, draws), plain(gray, draws)), "of one channel"


def test_outwards_differs_from_camera_to_camera():
    camera = MeasuredCamera(4)
    camera.set(PRIOR[None], [None], fringes=Fringes(((0.0, 0.0),) * 3, (1.0, 0.0, 0.0)))
    hr = F.avg_pool2d(torch.rand(1, 3, 80, 80), 9, 1, 4).expand(4, -1, -1, -1)
    _, noise, phase = camera.draws(hr)
    made = camera(hr, (torch.arange(4), noise[:1].expand_as(noise), phase))
    assert torch.equal(made[0, 1], made[1, 1])
    assert not torch.equal(made[0, 0], made[1, 0])


def test_the_state_of_a_run_before_there_were_fringes_is_taken():
    camera, other = MeasuredCamera(4), MeasuredCamera(4)
    camera.set(PRIOR[None] + 0.1, [None])
    state = camera.state_dict()
    del state["fringes_of_channels"]
    fill(other, state, "It")
    assert torch.equal(other.cameras, camera.cameras)
    assert other.fringes() == NONE
