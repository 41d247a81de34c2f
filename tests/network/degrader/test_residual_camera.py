import pytest
import torch
from torch import nn

from wildsr.degradation.coding import JPEGCoding
from wildsr.degradation.defects import Defects
from wildsr.error import UserError
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import PRIOR
from wildsr.network.degrader.residual_camera import LARGEST, ResidualCamera, Verdict

FOUND = Verdict(True, 3.0, 2.0, 1.0)


@pytest.fixture
def camera():
    """A camera that codes half of its images, with impulses, and a network that changes much."""
    made = ResidualCamera(2, features=4, blocks=1)
    made.set(PRIOR.repeat(2, 1), [None, JPEGCoding.libjpeg(50)], defects=Defects(0.01))
    nn.init.normal_(made.residual[-1].weight, std=1.0)
    return made


def test_a_fresh_network_changes_nothing():
    made = ResidualCamera(2)
    hr = torch.rand(3, 3, 48, 48)
    draws = made.draws(hr)
    assert torch.equal(made(hr, draws), MeasuredCamera(2)(hr, draws[:-1]))


def test_what_it_changes_is_random_and_limited(camera):
    hr = torch.rand(2, 3, 48, 48)
    draws = camera.draws(hr)
    lr = camera.taken(hr, draws)
    changed = camera.change(lr, draws[-1])
    assert 0.01 < changed.abs().max() <= LARGEST
    assert not torch.equal(changed, camera.change(lr, torch.randn_like(draws[-1])))
    assert torch.equal(camera(hr, draws), camera(hr, draws))


def test_its_images_are_coded_after_the_network(camera):
    """JPEG's levels remain: coding the image once more with the same grid changes little."""
    hr = torch.rand(8, 3, 64, 64)
    draws = camera.draws(hr)
    which = draws[0] % 2 == 1
    assert 0 < which.sum() < 8
    made = camera(hr, draws)
    again = camera.coded(made, draws)
    other = camera.coded(made + camera.change(made, draws[-1]), draws)
    assert (again - made)[which].abs().mean() < 0.3 * (other - made)[which].abs().mean()


def test_the_gradient_reaches_the_network_and_nothing_else(camera):
    hr = torch.rand(2, 3, 48, 48)
    camera(hr, camera.draws(hr)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in camera.residual.parameters())
    assert set(camera.parameters()) == set(camera.residual.parameters())


def test_a_verdict_switches_it_off_or_names_its_energy(camera):
    hr = torch.rand(2, 3, 48, 48)
    draws = camera.draws(hr)
    assert not torch.equal(camera(hr, draws), camera.plain(hr, draws))
    assert "residual" not in camera.physical()
    camera.take(FOUND)
    assert camera.physical()["residual"] == 3.0
    assert camera.sentence().endswith("; a residual of 3.0/255")
    other = ResidualCamera(2, features=4, blocks=1)
    other.load_state_dict(camera.state_dict())
    assert torch.equal(other(hr, draws), camera(hr, draws))
    camera.take(Verdict(False, 3.0, 2.0, 2.1))
    assert torch.equal(camera(hr, draws), camera.plain(hr, draws))
    assert "residual" not in camera.physical()


def test_verdicts_in_words():
    assert str(FOUND) == (
        "kept, 3.0/255 (real and generated LR are 1.00 standard deviations apart with it, "
        "2.00 without)"
    )
    assert str(Verdict(False, 0.5, None, None)) == (
        "switched off, 0.5/255 (too few photos for a test)"
    )


@pytest.mark.parametrize("name", ["features", "blocks", "noises"])
def test_counts_that_cannot_be(name):
    with pytest.raises(UserError, match=f"`{name}`"):
        ResidualCamera(2, **{name: 0})
