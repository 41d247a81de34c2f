"""Compute metrics of images of any size, with memory bounded by a tile."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from wildsr.inference.device import single_precision
from wildsr.metric.kind import HIGHER, Pair, Single
from wildsr.metric.panel import Gathering, Panel
from wildsr.pixels import floats

CPU = torch.device("cpu")
LARGE = 2**22  # pixels of a result; smaller ones are measured whole
SIDE = 1024  # pixels of a tile, the largest multiple of the scale in it
BLOCKS = 16  # LR pixels of a block of chrominance
WINDOW = 11  # taps of SSIM's window: tiles that overlap by 10 hold every position of it once
STATED = (
    f"results of more than {LARGE} pixels are measured in tiles of {SIDE} x {SIDE}: PSNR and SSIM "
    "come out the same, other numbers are means over tiles (PSNRs: of the error), and set "
    f"metrics look at the middle {2 * SIDE} x {2 * SIDE} pixels"
)


class Bounded:
    """Measures images by a panel of metrics, large ones in tiles.

    Args:
        panel: the metrics.
        device: where they are computed.
    """

    def __init__(self, panel: Panel, device: torch.device = CPU) -> None:
        self.panel, self.device = panel, device
        self._of_tiles: dict[tuple[str, ...], Panel] = {}

    def measure(
        self, sr: Tensor, hr: Tensor | None, lr: Tensor, gray: bool
    ) -> dict[str, float | None]:
        """Like :meth:`wildsr.metric.panel.Panel.measure`, for large images by tiles.

        Args:
            sr: (C, sH, sW), uint8 or floats in [0, 1].
            hr: the ground truth, likewise, or None.
            lr: (C, H, W).
            gray: whether the photo is gray.

        Returns:
            The value of each metric; None if it cannot be computed.
        """
        with single_precision():
            return self._measured(sr, hr, lr, gray)

    def _measured(
        self, sr: Tensor, hr: Tensor | None, lr: Tensor, gray: bool
    ) -> dict[str, float | None]:
        if sr[0].numel() <= LARGE:
            truth = None if hr is None else self._floats(hr)
            return self.panel.measure(self._floats(sr), truth, self._floats(lr), gray)
        parts = self.panel.parts
        values: dict[str, float | None] = {
            name: None for name in self.panel.metrics if isinstance(parts[name], Pair | Single)
        }
        if hr is not None:
            border = self.panel.border
            kept = (slice(None), *(slice(border, side - border) for side in hr.shape[1:]))
            pairs = [name for name in values if isinstance(parts[name], Pair)]
            plain = [name for name in pairs if name != "ssim"]
            values |= self._pairs(plain, sr[kept], hr[kept], gray, 0)
            values |= self._pairs([n for n in pairs if n == "ssim"], sr[kept], hr[kept], gray, 10)
        singles = tuple(name for name in values if isinstance(parts[name], Single))
        if singles:
            scale = sr.shape[1] // lr.shape[1]
            found = []
            for top, left, bottom, right in tiles(lr.shape[1], lr.shape[2], _of_lr(scale), 0):
                small = lr[:, top:bottom, left:right]
                large = sr[:, top * scale : bottom * scale, left * scale : right * scale]
                measured = self._panel(singles).measure(
                    self._floats(large), None, self._floats(small)
                )
                found.append((small[0].numel(), measured))
            values |= self._joined(singles, found)
        return values

    def add(self, gathering: Gathering, image: Tensor) -> None:
        """Add an image (C, H, W) to the collection of a set metric; of a large one its middle."""
        if image[0].numel() > LARGE:
            for dim in (1, 2):
                side = min(image.shape[dim], 2 * SIDE)
                image = image.narrow(dim, (image.shape[dim] - side) // 2, side)
        with single_precision():
            gathering.add(self._floats(image))

    def _floats(self, image: Tensor) -> Tensor:
        return floats(image.to(self.device))

    def _pairs(
        self, names: list[str], sr: Tensor, hr: Tensor, gray: bool, overlap: int
    ) -> dict[str, float | None]:
        found = []
        for top, left, bottom, right in (
            tiles(sr.shape[1], sr.shape[2], SIDE, overlap) if names else ()
        ):
            one, other = (self._floats(image[:, top:bottom, left:right]) for image in (sr, hr))
            measured = self._panel(tuple(names)).measure(one, other, None, gray)
            found.append(((bottom - top - overlap) * (right - left - overlap), measured))
        return self._joined(tuple(names), found)

    def _panel(self, names: tuple[str, ...]) -> Panel:
        """The same metrics without a border, which tiles do not have."""
        if names not in self._of_tiles:
            degrader = self.panel._setting.degrader
            made = Panel(self.panel.channel, 0, names, degrader)
            self._of_tiles[names] = made.take(self.panel.sensor)
        return self._of_tiles[names]

    def _joined(
        self, names: tuple[str, ...], found: list[tuple[int, dict[str, float | None]]]
    ) -> dict[str, float | None]:
        parts = self.panel.parts
        return {
            name: _mean(
                [(weight, measured[name]) for weight, measured in found],
                parts[name].unit == "dB" and parts[name].better == HIGHER,
            )
            for name in names
        }


def tiles(height: int, width: int, side: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Cover an image with overlapping tiles, (top, left, bottom, right) each."""
    for top in range(0, height - overlap, side):
        for left in range(0, width - overlap, side):
            yield top, left, min(top + side + overlap, height), min(left + side + overlap, width)


def _of_lr(scale: int) -> int:
    """LR pixels of a tile: whole blocks of what a degradation may code as JPEG."""
    side = SIDE // scale
    return side // BLOCKS * BLOCKS or side


def _mean(weighted: list[tuple[int, float | None]], psnr: bool) -> float | None:
    """The mean of the tiles that have a value; of PSNRs that of the errors they stand for."""
    known = [(weight, value) for weight, value in weighted if value is not None]
    total = sum(weight for weight, _ in known)
    if not total:
        return None
    if not psnr:
        return sum(weight * value for weight, value in known) / total
    error = sum(weight * 10 ** (-value / 10) for weight, value in known) / total
    return -10 * math.log10(error) if error else math.inf
