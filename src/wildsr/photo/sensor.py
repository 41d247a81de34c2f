"""What the pixels of a data set are: channels, type, and the values of black and white."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wildsr.photo.rows import Ahead, Rows
from wildsr.photo.samples import TYPES, Range, Samples
from wildsr.pixels import LUMA

WHITES = {"8": 255.0, "16": 65535.0, "float": 1.0}  # of each type


@dataclass(frozen=True)
class Sensor:
    """The kind of photos that a training is on; the default is the 8-bit RGB of cameras.

    Attributes:
        channels: 1 for gray, 3 for RGB, any number for others.
        depth: "8", "16" or "float": how the photos are kept.
        lr: values of black and white of the LR photos, and of their truth; None is that of the
            type: 0 and 255, 0 and 65535, 0 and 1.
        hr: the same of the sharp photos.
        bands: of many channels the three that are shown as red, green and blue, and that networks
            trained on RGB look at; None takes the first three.
    """

    channels: int = 3
    depth: str = "8"
    lr: Range | None = None
    hr: Range | None = None
    bands: tuple[int, ...] | None = None

    @property
    def deep(self) -> bool:
        """Whether values have more than 256 levels, or a range of their own."""
        return self.depth != "8" or self.lr is not None or self.hr is not None

    @property
    def plain(self) -> bool:
        """Whether these are 8-bit RGB photos."""
        return self.channels == 3 and not self.deep

    @property
    def dtype(self) -> np.dtype[Any]:
        """How the photos are kept."""
        return TYPES[self.depth]

    def span(self, side: str = "lr") -> Range:
        """Black and white, in the photos' values, of the "lr" or the "hr" photos."""
        found = self.lr if side == "lr" else self.hr
        return (0.0, WHITES[self.depth]) if found is None else found

    def seen(self, pixels: Samples, side: str = "lr") -> Samples:
        """What networks see of pixels of this kind: uint8, or float32 with the range in [0, 1]."""
        return unit_of(pixels, self.span(side)) if self.deep else pixels

    @classmethod
    def of(cls, settings: Mapping[str, Any] | None) -> Sensor:
        """The sensor that a configuration states; of one without, 8-bit RGB."""
        if settings is None:
            return cls()

        def span(value: Sequence[float] | None) -> Range | None:
            return None if value is None else (float(value[0]), float(value[1]))

        bands = settings.get("bands")
        return cls(
            int(settings["channels"]),
            str(settings["depth"]),
            span(settings.get("lr")),
            span(settings.get("hr")),
            None if bands is None else tuple(int(band) for band in bands),
        )

    def overrides(self) -> list[str]:
        """What makes a configuration state this sensor."""

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
        """The sensor in words."""
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


def unit_of(pixels: Samples, span: Range) -> npt.NDArray[np.float32]:
    """Values between black and white as float32 in [0, 1]; what lies outside is cut off."""
    low, high = span
    unit = (pixels.astype(np.float32) - np.float32(low)) * np.float32(1 / (high - low))
    return np.clip(unit, 0, 1, out=unit)


def values_of(unit: npt.NDArray[Any], span: Range, dtype: np.dtype[Any]) -> Samples:
    """[0, 1] as values between black and white in the type of a file, rounded to the nearest."""
    low, high = span
    values = unit.astype(np.float32) * np.float32(high - low) + np.float32(low)
    if dtype.kind != "f":
        most = float(np.iinfo(dtype).max)
        values = np.rint(np.clip(values, 0, most))
    return values.astype(dtype)


class Ranged:
    """Rows of an image whose black and white are not those of its type, as floats in [0, 1]."""

    def __init__(self, rows: Rows, span: Range) -> None:
        self.height, self.width, self.channels = rows.height, rows.width, rows.channels
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self._rows, self._span = rows, span

    def read(self, count: int) -> Any:
        """The next ``count`` rows."""
        return unit_of(self._rows.read(count), self._span)

    def again(self) -> Rows:
        """The same image from its first row."""
        return Ranged(self._rows.again(), self._span)

    def close(self) -> None:
        """Stop reading, where rows are read ahead."""
        if isinstance(self._rows, Ahead):
            self._rows.close()


def made_into(pixels: Samples, channels: int, dtype: np.dtype[Any]) -> Samples:
    """Pixels of one kind as those of another.

    Gray is repeated; RGB becomes gray by its luma; of more channels the first are taken. Integers
    of fewer bits are spread over those of more, and over [0, 1] where they become floats.

    Raises:
        ValueError: fewer channels, or floats that are to be integers.
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
