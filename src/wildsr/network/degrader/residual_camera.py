"""A measured camera with a small network for what its model lacks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wildsr.argument import check_counts
from wildsr.network.degrader.measured import SHARED, Draws, MeasuredCamera

LARGEST = 0.25  # by which a value can be changed; white is 1
INPUTS = 2.0  # about the inverse standard deviation of what the network gets


@dataclass(frozen=True)
class Verdict:
    """Whether a residual network is kept.

    Attributes:
        kept: it is.
        energy: root mean square of what it changes, in 1/255.
        separation_without: how far apart real and generated LR are without the network, in standard
            deviations (:func:`~wildsr.metric.statistic.two_sample.separation`);
            None if there were too few photos for a test.
        separation_with: the same with it.
    """

    kept: bool
    energy: float
    separation_without: float | None
    separation_with: float | None

    def __str__(self) -> str:
        told = "too few photos for a test"
        if self.separation_without is not None and self.separation_with is not None:
            told = (
                f"real and generated LR are {self.separation_with:.2f} standard deviations apart "
                f"with it, {self.separation_without:.2f} without"
            )
        return f"{'kept' if self.kept else 'switched off'}, {self.energy:.1f}/255 ({told})"


class ResidualCamera(MeasuredCamera):
    """A measured camera, and a stochastic residual network between its sensor and its coding.

    ``lr = coding(taken + share * residual(taken, normal))``: the camera's parameters stay as they
    were measured; the network alone is trained, and begins as nothing. What it changes is at most
    ``LARGEST``.

    Args:
        scale: HR pixels for each LR pixel and direction.
        channels: of the images.
        deep: they have more than 8 bits.
        blur: see :class:`~wildsr.network.degrader.measured.MeasuredCamera`.
        features: channels of the residual network.
        blocks: its convolutions of 3 x 3 but the first and the last.
        noises: planes of standard normal numbers that it gets beside the image.

    Raises:
        UserError: a count that does not exist, another blur.

    Shapes:
        hr (B, C, scale h, scale w) in [0, 1] -> LR (B, C, h, w), not clamped unless it is coded.
    """

    share: Tensor  # () 0 where a test has shown that the network does not help
    energy: Tensor  # () root mean square of its changes when it was tested, in 1/255

    def __init__(
        self,
        scale: int,
        channels: int = 3,
        deep: bool = False,
        blur: str = SHARED,
        features: int = 24,
        blocks: int = 2,
        noises: int = 3,
    ) -> None:
        super().__init__(scale, channels, deep, blur)
        check_counts(features=features, blocks=blocks, noises=noises)
        self.noises = noises
        layers: list[nn.Module] = [nn.Conv2d(channels + noises, features, 3, padding=1)]
        for _ in range(blocks):
            layers += [nn.LeakyReLU(0.2), nn.Conv2d(features, features, 3, padding=1)]
        last = nn.Conv2d(features, channels, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.residual = nn.Sequential(*layers, nn.LeakyReLU(0.2), last)
        self.register_buffer("share", torch.ones(()))
        self.register_buffer("energy", torch.zeros(()))

    def take(self, verdict: Verdict) -> None:
        """Keep the network or switch it off, as a test has decided."""
        self.share.fill_(float(verdict.kept))
        self.energy.fill_(verdict.energy if verdict.kept else 0.0)

    def physical(self) -> dict[str, float]:
        """As of the camera, with ``residual`` (1/255) if the network was tested and kept."""
        said = super().physical()
        return said | {"residual": float(self.energy)} if self.energy > 0 else said

    def sentence(self) -> str:
        """Describe the median camera in words, and how much the network changes."""
        said = super().sentence()
        return f"{said}; a residual of {float(self.energy):.1f}/255" if self.energy > 0 else said

    def draws(self, hr: Tensor) -> Draws:
        """The camera's draws, and last the network's normal numbers (B, noises, H/s, W/s)."""
        count, _, height, width = hr.shape
        size = (count, self.noises, height // self.scale, width // self.scale)
        return *super().draws(hr), torch.randn(size, device=hr.device, dtype=hr.dtype)

    def plain(self, hr: Tensor, draws: Draws) -> Tensor:
        """The same image (B, C, H/s, W/s), as the camera makes it without the network."""
        return super().forward(hr, draws)

    def forward(self, hr: Tensor, draws: Draws) -> Tensor:
        """Degrade ``hr`` (B, C, H, W) in [0, 1] to LR (B, C, H/s, W/s), with given ``draws``."""
        lr = self.taken(hr, draws)
        return self.coded(lr + self.change(lr, draws[-1]), draws)

    def change(self, lr: Tensor, normal: Tensor) -> Tensor:
        """What the network adds to ``lr`` (B, C, H, W), with normal numbers (B, noises, H, W)."""
        if not bool(self.share):
            return torch.zeros_like(lr)
        given = torch.cat([INPUTS * (2 * lr - 1), normal], 1)
        return self.share.to(lr.dtype) * LARGEST * torch.tanh(self.residual(given))
