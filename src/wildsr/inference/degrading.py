"""Make (HR, LR) pairs of photo files by a degradation, in the files' own channels and depth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from wildsr.atomic import Partial
from wildsr.error import UserError
from wildsr.inference.settings import Settings
from wildsr.photo.sensor import RGB, Sensor
from wildsr.photo.unreadable import UnreadableImage

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PairSettings:
    """How pairs are written.

    Args:
        files: both files' depth, pages, bands and range; its quality and size play no part.
        quality: LR goes through JPEG of this quality, 1 to 100; None leaves it as it is.
    """

    files: Settings = field(default_factory=Settings)
    quality: int | None = None


class PairFiles:
    """The files of a pair while they are written: the HR and, where it is kept, the LR.

    Attributes:
        partials: the unfinished files, in this order.
    """

    partials: list[Partial]

    def finish(self) -> None:
        """Give both their names, the LR last.

        Raises:
            UserError: the file system refuses.
        """
        try:
            for partial in self.partials:
                partial.keep()
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Remove what was written."""
        for partial in self.partials:
            partial.discard()


@dataclass(frozen=True)
class FileDegrader:
    """A degradation of files: of photos in [0, 1], whatever their channels.

    Args:
        module: (B, C, sH, sW) in [0, 1] to (B, C, H, W); draws from torch's global generator.
        scale: HR size / LR size, s.
        device: where it computes.
        name: for messages.
        channels: that it takes.
        gray: whether it takes one channel, too, as known degradations do.
        sensor: the kind of photos that it was learned from.
    """

    module: nn.Module
    scale: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    name: str = "the degradation"
    channels: int = 3
    gray: bool = True
    sensor: Sensor = RGB

    together = 1  # photos that are degraded at once

    @property
    def means(self) -> str:
        """What computes, in words for people."""
        return f"{self.name} on {self.device.type}"

    def check(self, path: Path, height: int, width: int) -> None:
        """Refuse a photo of which two LR pixels a side cannot be made.

        Raises:
            UnreadableImage: saying so.
        """
        if min(height, width) < 2 * self.scale:
            failure = UnreadableImage(
                f"Image {path} has {width}x{height} pixels: too small for x{self.scale}."
            )
            failure.reason = f"{width}x{height} pixels: too small for x{self.scale}"
            raise failure

    def check_channels(self, channels: int, path: Path | None = None) -> None:
        """Refuse photos of channels that it does not take.

        Args:
            channels: of the photo.
            path: of it, for the message.

        Raises:
            UserError: saying so.
        """
        if channels == self.channels or (self.channels, channels) in ((3, 1), (1, 3)):
            return
        what = "this one" if path is None else path
        raise UserError(
            f"{self.name} takes photos of {self.channels} channel{'s' * (self.channels > 1)}, "
            f"but {what} has {channels}."
        )

    @torch.no_grad()
    def __call__(self, unit: Floats) -> Floats:
        """Degrade (sh, sw, C) in [0, 1] to (h, w, C) in [0, 1].

        Gray goes through an RGB degradation that takes nothing else as three equal channels, of
        which the green one is taken: with the noise of one channel. Red, green and blue go through
        one of gray photos one by one.

        Raises:
            UserError: it takes another number of channels.
        """
        hr = torch.from_numpy(np.ascontiguousarray(unit)).permute(2, 0, 1)[None].to(self.device)
        count = hr.shape[1]
        self.check_channels(count)
        if count == self.channels or (count == 1 and self.gray):
            lr: Tensor = self.module(hr)
        elif count == 1:
            lr = self.module(hr.expand(-1, 3, -1, -1))[:, 1:2]
        else:
            lr = self.module(hr.transpose(0, 1)).transpose(0, 1)
        if not lr.sum().isfinite():
            raise UserError(f"{self.name} makes pixels that are NaN or infinite.")
        return lr[0].clamp(0, 1).permute(1, 2, 0).float().cpu().numpy()


def block_mean(values: Floats, scale: int) -> Floats:
    """The mean of each block of (sh, sw, C) that becomes one LR pixel, (h, w, C)."""
    height, width, count = values.shape
    blocks = values.reshape(height // scale, scale, width // scale, scale, count)
    return np.ascontiguousarray(blocks.mean((1, 3), dtype=np.float32))
