"""What a finish adds to a method."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.method.finishing import finishing
from wildsr.method.maeda import Maeda
from wildsr.method.supervised import Supervised
from wildsr.method.wild import Wild


class Smooth(nn.Module):
    """Treats all directions alike."""

    def forward(self, lr):
        return F.interpolate(lr, scale_factor=2, mode="bicubic")


class Hatched(Smooth):
    """Brighter in one corner of each LR pixel."""

    def forward(self, lr):
        made = super().forward(lr)
        made[..., ::2, 1::2] += 0.1
        return made


@pytest.mark.parametrize(("upscaler", "alike"), [(Smooth(), True), (Hatched(), False)])
@pytest.mark.parametrize("seed", range(4))
def test_turned_and_laid_back_is_the_same_but_for_what_the_upscaler_adds(upscaler, alike, seed):
    torch.manual_seed(seed)
    batch = {"hr": torch.rand(2, 3, 16, 16), "real_lr": torch.rand(2, 3, 8, 8)}
    networks = {"degrade": nn.AvgPool2d(2), "upscale": Smooth(), "finished": upscaler}
    step = finishing(Supervised)(networks, batch, 2)
    differs = (step.finished_turned - step.finished_sr).abs().max()
    assert differs < 1e-5 if alike else differs > 0.05


class Camera(nn.Module):
    """Dark or bright by its first number, noisy by its second."""

    def draws(self, hr):
        return torch.rand(len(hr), 1, 1, 1), torch.randn(
            len(hr), 3, hr.shape[2] // 2, hr.shape[3] // 2
        )

    def forward(self, hr, draws):
        return F.avg_pool2d(hr, 2) * (0.4 + draws[0] / 2) + 0.01 * draws[1]


class Retaking(Camera):
    def redraw(self, hr, draws):
        return draws[0], self.draws(hr)[1]


def test_wild_is_shown_another_photo_by_the_same_camera():
    torch.manual_seed(0)
    hr = torch.rand(4, 3, 8, 8) / 2 + 0.25
    networks = {"degrade": Retaking(), "upscale": Smooth(), "finished": Smooth()}
    step = finishing(Wild)(networks, {"hr": hr, "real_lr": hr[..., ::2, ::2]}, 2)
    once, again = step.fake_lr, step.redrawn_lr
    noise = (once - again).std((1, 2, 3))
    assert ((noise > 0.008) & (noise < 0.03)).all()  # of two draws of 0.01, and of rounding
    torch.testing.assert_close(once.mean((1, 2, 3)), again.mean((1, 2, 3)), atol=0.005, rtol=0)
    differs = (step.finished_turned - step.finished_sr).abs().mean()
    assert 0.002 < differs < 0.05
    # Samples with a true LR keep it; a degrader without `redraw` shows the same photo.
    true = torch.rand(1, 3, 4, 4)
    batch = {"hr": hr, "real_lr": hr[..., ::2, ::2], "pair_lr": true}
    assert torch.equal(finishing(Wild)(networks, batch, 2).paired(again)[:1], true)
    networks["degrade"] = Camera()
    step = finishing(Wild)(networks, {"hr": hr, "real_lr": hr[..., ::2, ::2]}, 2)
    torch.testing.assert_close(step.redrawn_lr, step.fake_lr)


def test_a_method_without_an_average_to_finish_is_refused():
    with pytest.raises(UserError, match=r"`finish` needs a method .* which Maeda does not"):
        finishing(Maeda)
