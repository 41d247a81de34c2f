"""The kind of pixels in a data set: channels, data type, and the values of black and white."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wildsr.argument import check_integer
from wildsr.error import UserError, shortened
from wildsr.photo.rows import Ahead, Rows
from wildsr.photo.samples import TYPES, Range, Samples
from wildsr.pixels import LUMA

MOST_CHANNELS = 1024
WHITES = {"8": 255.0, "16": 65535.0, "float": 1.0}  # value of white by depth


@dataclass(frozen=True)
class Sensor:
    """The kind of photos that a network is trained on; by default cameras' 8-bit RGB.

    Attributes:
        channels: 1 for gray, 3 for RGB, any number for others.
        depth: "8", "16" or "float": the data type of the photos.
        lr: values of black and white in the LR photos and their ground truth; None takes the
            type's: 0 and 255, 0 and 65535, 0 and 1.
        hr: the same for the unpaired HR photos.
        bands: of many channels, the three that are displayed as red, green and blue and given to
            networks trained on RGB; None takes the first three.
    """

    channels: int = 3
    depth: str = "8"
    lr: Range | None = None
    hr: Range | None = None
    bands: tuple[int, ...] | None = None

    @property
    def deep(self) -> bool:
        """Whether values have more than 256 levels, or black and white are not the type's."""
        return self.depth != "8" or self.lr is not None or self.hr is not None

    @property
    def plain(self) -> bool:
        """Whether these are 8-bit RGB photos."""
        return self.channels == 3 and not self.deep

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy data type of the photos."""
        return TYPES[self.depth]

    def span(self, side: str = "lr") -> Range:
        """Black and white of the "lr" or the "hr" photos, in the photos' values."""
        found = self.lr if side == "lr" else self.hr
        return (0.0, WHITES[self.depth]) if found is None else found

    def seen(self, pixels: Samples, side: str = "lr") -> Samples:
        """Convert pixels to what networks get: uint8 as it is, else float32 scaled to [0, 1].

        Args:
            pixels: (H, W, C), or any shape.
            side: "lr" or "hr": whose black and white are taken.
        """
        return unit_of(pixels, self.span(side)) if self.deep else pixels

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None) -> Sensor:
        """The sensor in a configuration; 8-bit RGB if it has none.

        Raises:
            UserError: it is damaged, as in a run's or a weights file from elsewhere.
        """
        if settings is None:
            return cls()

        def span(key: str) -> Range | None:
            value = settings.get(key)
            if value is None:
                return None
            low, high = (float(end) for end in value)
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError
            return low, high

        try:
            channels, depth, bands = settings["channels"], settings["depth"], settings.get("bands")
            check_integer("`sensor.channels`", channels, 1, MOST_CHANNELS)
            if depth not in WHITES:
                raise ValueError
            shown = None if bands is None else tuple(int(band) for band in bands)
            if shown is not None and (
                len(shown) != 3 or not 0 <= min(shown) <= max(shown) < channels
            ):
                raise ValueError
            return cls(channels, depth, span("lr"), span("hr"), shown)
        # What is no mapping, and what OmegaConf finds in it, has errors of every kind.
        except Exception as error:
            raise UserError(
                "`sensor` must have the `channels` and `depth` (8, 16 or float) of photos, their "
                "black and white (`lr`, `hr`: null or two rising numbers) and `bands` (null or "
                f"three channels), but got {shortened(str(settings))}."
            ) from error

    def overrides(self) -> list[str]:
        """The configuration overrides that describe this sensor."""

        def listed(value: Sequence[float] | None) -> str:
            return "null" if value is None else f"[{','.join(map(repr, value))}]"

        return [
            "sensor.known=true",
            f"sensor.channels={self.channels}",
            f"sensor.depth='{self.depth}'",
            f"sensor.deep={str(self.deep).lower()}",
            f"sensor.lr={listed(self.lr)}",
            f"sensor.hr={listed(self.hr)}",
            f"sensor.bands={listed(self.bands)}",
        ]

    def sentence(self) -> str:
        """The sensor in words, for the user."""
        what = {1: "gray", 3: "RGB"}.get(self.channels, f"{self.channels} channels")
        depth = "floating-point numbers" if self.depth == "float" else f"{self.depth} bits"
        if self.span("lr") == self.span("hr"):
            return (
                f"{what}, {depth}, black {_number(self.span()[0])}, white {_number(self.span()[1])}"
            )
        spans = [
            f"{s} {_number(self.span(s)[0])} to {_number(self.span(s)[1])}" for s in ("lr", "hr")
        ]
        return f"{what}, {depth}, black to white: {', '.join(spans)}"


RGB = Sensor()  # the 8-bit RGB of cameras


def span_of(dtype: np.dtype[Any]) -> Range:
    """Black and white of a data type: 0 and 1 of floats, 0 and the largest number of integers."""
    return 0.0, 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def unit_of(pixels: Samples, span: Range) -> npt.NDArray[np.float32]:
    """Scale values from [black, white] to float32 in [0, 1], and clip.

    Args:
        pixels: any shape.
        span: (black, white).
    """
    low, high = span
    unit = (pixels.astype(np.float32) - np.float32(low)) * np.float32(1 / (high - low))
    return np.clip(unit, 0, 1, out=unit)


def values_of(unit: npt.NDArray[Any], span: Range, dtype: np.dtype[Any]) -> Samples:
    """Scale [0, 1] to [black, white] in a file's data type; integers are rounded and clipped.

    Args:
        unit: any shape.
        span: (black, white).
        dtype: of the result.
    """
    low, high = span
    values = unit.astype(np.float32) * np.float32(high - low) + np.float32(low)
    if dtype.kind != "f":
        most = float(np.iinfo(dtype).max)
        values = np.rint(np.clip(values, 0, most))
    return values.astype(dtype)


class Ranged:
    """Rows of an image scaled from its own black and white to floats in [0, 1]."""

    def __init__(self, rows: Rows, span: Range) -> None:
        self.height, self.width, self.channels = rows.height, rows.width, rows.channels
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._rows, self._span = rows, span

    def read(self, count: int) -> Any:
        """The next ``count`` rows, (count, width, channels) of float32."""
        return unit_of(self._rows.read(count), self._span)

    def again(self) -> Rows:
        """The same image from its first row."""
        return Ranged(self._rows.again(), self._span)

    def close(self) -> None:
        """Stop the thread that reads ahead, if there is one."""
        if isinstance(self._rows, Ahead):
            self._rows.close()


def made_into(pixels: Samples, channels: int, dtype: np.dtype[Any]) -> Samples:
    """Convert pixels to another number of channels and data type.

    Gray is repeated to RGB; RGB becomes gray by its luma; of more channels the first ones are
    taken. Integers are scaled to the full range of the new integer type, or to [0, 1] for floats.

    Args:
        pixels: (H, W, C).
        channels: of the result.
        dtype: of the result.

    Returns:
        (H, W, channels).

    Raises:
        ValueError: too few channels, one channel of more than three, or floats to integers.
    """
    return _channels(_typed(pixels, dtype), channels, dtype)


def _typed(pixels: Samples, dtype: np.dtype[Any]) -> Samples:
    if pixels.dtype == dtype:
        return pixels
    if pixels.dtype.kind == "f":
        raise ValueError("floating-point pixels among others; data.depth=float takes them")
    most = float(np.iinfo(pixels.dtype).max)
    if dtype.kind == "f":
        return pixels.astype(np.float32) / np.float32(most)
    if dtype == np.uint16:
        return pixels.astype(np.uint16) * np.uint16(257)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _channels(pixels: Samples, channels: int, dtype: np.dtype[Any]) -> Samples:
    own = pixels.shape[2]
    if own == channels:
        return pixels
    if own == 1 and channels == 3:
        return np.repeat(pixels, 3, 2)
    if own == 3 and channels == 1:
        luma = pixels.astype(np.float32) @ np.array(LUMA, np.float32)
        return (np.rint(luma) if dtype.kind != "f" else luma).astype(dtype)[..., None]
    if own > channels > 1:
        return np.ascontiguousarray(pixels[..., :channels])
    raise ValueError(f"{own} channel{'s' * (own > 1)}, where others have {channels}")


def _number(value: float) -> str:
    return f"{value:.6g}"
