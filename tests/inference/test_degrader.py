"""A method as a degradation: whole and in tiles, the same."""

import pytest
import torch
from torch import nn

from wildsr.degradation.bicubic import Bicubic, downscale
from wildsr.degradation.defects import Defects
from wildsr.error import UserError
from wildsr.inference.degrader import MARGIN, Degrader
from wildsr.method.dasr import DASR
from wildsr.method.dsgan import DSGAN
from wildsr.method.lud_vae import LUDVAE
from wildsr.method.part import Method, draw, given, network, tensor
from wildsr.method.pdm import PDM
from wildsr.method.supervised import Supervised
from wildsr.method.wild import Wild
from wildsr.method.wild_residual import WildResidual
from wildsr.network.degrader.camera import Camera
from wildsr.network.degrader.lud_vae import LUDVAE as VariationalNetwork  # noqa: N811
from wildsr.network.degrader.pdm import PDMDegrader
from wildsr.network.degrader.residual import ResidualDegrader
from wildsr.network.degrader.residual_camera import ResidualCamera
from wildsr.run.degradation import Learned

CAMERAS = {
    "plain": {},
    "correlated": {"correlation": 0.7},
    "all that varies": {"blur_spread": 0.2, "shift": 0.5, "correlation": 0.6, "jpeg": 70.0},
}


def photo(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(1, 3, height // 8 + 1, width // 8 + 1, generator=generator)
    return nn.functional.interpolate(small, size=(height, width), mode="bicubic").clamp(0, 1)


def degraded(degrader, hr, seed=3):
    torch.manual_seed(seed)
    return degrader(hr)


@pytest.mark.parametrize("options", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("size", [(128, 168), (4 * (2 * MARGIN + 37), 164)], ids=str)
def test_tiles_of_a_camera_equal_the_whole_photo(options, size):
    networks, hr = {"degrade": Camera(4, **options)}, photo(*size)
    whole = degraded(Degrader(Wild, networks, 4).eval(), hr)
    tiled = degraded(Degrader(Wild, networks, 4, tile=64).eval(), hr)
    assert whole.shape == (1, 3, size[0] // 4, size[1] // 4)
    torch.testing.assert_close(whole * 255, (whole * 255).round())
    assert (tiled - whole).abs().max() <= 1 / 255 + 1e-6
    assert (tiled != whole).float().mean() < 1e-3, "a rounding here and there"
    assert not torch.equal(whole, degraded(Degrader(Wild, networks, 4).eval(), hr, seed=4))


def test_tiles_of_networks_equal_the_whole_photo():
    torch.manual_seed(0)
    networks = {"degrade": PDMDegrader(4, features=4, kernel_noise=4, kernel_blocks=1)}
    with torch.no_grad():
        for parameter in networks["degrade"].parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    hr = photo(4 * 150, 4 * 40)
    whole = degraded(Degrader(PDM, networks, 4).eval(), hr)
    tiled = degraded(Degrader(PDM, networks, 4, tile=64).eval(), hr)
    assert (tiled - whole).abs().max() <= 1 / 255 + 1e-6


@pytest.mark.parametrize(("method", "scale"), [(DSGAN, 1), (DASR, 4)])
def test_tiles_of_residual_degraders_equal_the_whole_photo(method, scale):
    torch.manual_seed(0)
    networks, hr = {"degrade": ResidualDegrader(scale, 4, 2)}, photo(4 * 150, 4 * 40)
    whole = Degrader(method, networks, 4).eval()
    assert whole.sources(hr) == {"degrade"}
    tiled = Degrader(method, networks, 4, tile=64).eval()
    assert (tiled(hr) - whole(hr)).abs().max() <= 1 / 255 + 1e-6


@pytest.mark.parametrize("defects", [Defects(rows=0.02), Defects(columns=0.02, impulses=0.01)])
def test_tiles_of_a_camera_with_defects_equal_the_whole_photo(defects):
    """Rows and columns have random numbers of their own, each of which a tile sees a part."""
    torch.manual_seed(0)
    camera = ResidualCamera(4)
    camera.set(camera.cameras[:1].clone(), [None], defects=defects)
    hr = photo(4 * 150, 4 * 140)
    whole = degraded(Degrader(WildResidual, {"degrade": camera}, 4).eval(), hr)
    tiled = degraded(Degrader(WildResidual, {"degrade": camera}, 4, tile=64).eval(), hr)
    assert (tiled - whole).abs().max() <= 1 / 255 + 1e-6


def test_tiles_of_a_latent_model_equal_the_whole_photo():
    torch.manual_seed(0)
    networks, hr = {"degrade": VariationalNetwork(4)}, photo(4 * 150, 4 * 40)
    with torch.no_grad():  # a fresh one is nearly flat
        networks["degrade"].outconv.weight *= 40
        networks["degrade"].outconv.bias += 0.5
    whole = degraded(Degrader(LUDVAE, networks, 4).eval(), hr)
    assert whole.std() > 0.05
    tiled = degraded(Degrader(LUDVAE, networks, 4, tile=64).eval(), hr)
    assert (tiled - whole).abs().max() <= 1 / 255 + 1e-6
    assert not torch.equal(whole, degraded(Degrader(LUDVAE, networks, 4).eval(), hr, seed=4))


def test_a_known_degradation_is_never_cut():
    class Sees(nn.Module):
        def forward(self, hr):
            self.size = hr.shape[-2:]
            return downscale(hr, 4)

    sees = Sees()
    Degrader(Supervised, {"degrade": sees}, 4, tile=64).eval()(photo(256, 128))
    assert sees.size == (256, 128)


def test_it_stays_in_evaluation_mode_and_without_gradient():
    degrader = Degrader(Wild, {"degrade": Camera(4)}, 4).train()
    assert not any(module.training for module in degrader.modules())
    assert not degrader(photo(32, 32)).requires_grad


def test_a_method_without_generated_lr_has_none():
    class Cleaner(Method):
        real_lr = given("(B, 3, H, W)")
        clean = network("LR to LR")

        @draw
        def number(self):
            return torch.rand(())

        @tensor
        def restored(self):
            return self.clean(self.real_lr)

    with pytest.raises(UserError, match="Cleaner generates no LR"):
        Degrader(Cleaner, {"clean": Bicubic(1)}, 1)


def test_learned_is_the_run_s_degradation_without_anything_to_train(finished):
    learned = Learned(str(finished), 4)
    assert not list(learned.parameters())
    hr = photo(32, 40)
    assert torch.equal(learned(hr), Bicubic(4)(hr))
    with pytest.raises(UserError, match=r"`scale` must be that of the run .*, 4, but got 2"):
        Learned(str(finished), 2)
