"""What a finish adds to a method."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wildsr.method.finishing import finishing
from wildsr.method.supervised import Supervised


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
