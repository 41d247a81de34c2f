"""What the noise of other sensors than 8-bit RGB cameras has beside a camera's parameters."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SensorNoise:
    """Noise parameters of sensors other than 8-bit RGB cameras.

    Attributes:
        black: the black level, the value without light, in [0, 1].
        of_channels: each channel's noise level relative to that of all; empty if they are equal.
    """

    black: float = 0.0
    of_channels: tuple[float, ...] = ()


QUIET = SensorNoise()


def by_channel(normal: Tensor, sensor: SensorNoise) -> Tensor:
    """Scale normal numbers (B, C + 1, H, W) by each channel's level; the last, shared one stays."""
    if not sensor.of_channels:
        return normal
    levels = normal.new_tensor([*sensor.of_channels, 1.0])
    return normal * levels.view(1, -1, 1, 1)
