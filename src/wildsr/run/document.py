"""The values of a ``camera.json``: how each is written, and checked when it is read."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from wildsr.degradation.coding import Coding, JPEGCoding, WebPCoding
from wildsr.degradation.defects import Defects
from wildsr.degradation.fringes import Fringes
from wildsr.error import UserError, shortened
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS
from wildsr.network.degrader.sensor import SensorNoise
from wildsr.network.degrader.stored import SUBSAMPLINGS, VALUES
from wildsr.photo.sensor import MOST_CHANNELS, WHITES, Sensor

STEPS = 32767  # the largest that libjpeg writes
APART = 2.0  # LR pixels that a channel may be displaced
WIDEST = 5.0  # by which a channel's blur may differ, on the scales of the parameters
FARTHEST = 1e300  # values of a sensor
ROUNDED = 1e-4  # by which numbers in the file may leave the range of a parameter


def of_coding(coding: Coding) -> dict[str, Any]:
    """A coding as plain data, as :meth:`Values.coding` reads it."""
    if isinstance(coding, WebPCoding):
        return {"webp_quality": coding.quality}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in vars(coding).items()
    }


class Values:
    """Reads values of a document, each refused in one sentence unless it is what it has to be.

    Args:
        where: the file, for messages.
    """

    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, key: str, must: str, got: object) -> UserError:
        """The error that names the key, what it must be and what it is."""
        what = f"`{key}`" if key else "it"
        return UserError(
            f"{self.where} is no camera.json: {what} must be {must}, but got {shortened(got)}."
        )

    def mapping(self, value: Any, key: str, names: tuple[str, ...]) -> dict[str, Any]:
        """Names with values, among them ``names``."""
        if not isinstance(value, dict):
            raise self.wrong(key, "names with values", value)
        missing = [name for name in names if name not in value]
        if missing:
            raise self.wrong(f"{key}.{missing[0]}".lstrip("."), "given", None)
        return value

    def items(self, value: Any, key: str, least: int, most: int) -> list[Any]:
        """A list of so many values."""
        if not (isinstance(value, list) and least <= len(value) <= most):
            many = f"{least}" if least == most else f"{least} to {most}"
            raise self.wrong(key, f"a list of {many} values", value)
        return value

    def one_of(self, value: Any, key: str, choices: tuple[int, ...]) -> int:
        """One of these integers."""
        if isinstance(value, bool) or not isinstance(value, int) or value not in choices:
            must = f"one of {list(choices)}" if len(choices) > 1 else str(choices[0])
            raise self.wrong(key, must, value)
        return value

    def whole(self, value: Any, key: str, least: int, most: int) -> int:
        """An integer within these bounds."""
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"an integer of {least} to {most}", value)
        return value

    def number(self, value: Any, key: str, least: float, most: float) -> float:
        """A finite number within these bounds."""
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not (real and least <= value <= most):  # NaN is not either
            raise self.wrong(key, f"a number of {least:.6g} to {most:.6g}", value)
        return float(value)

    def range(self, value: Any, key: str) -> tuple[float, float]:
        """Two rising numbers."""
        ends = self.items(value, key, 2, 2)
        low, high = (
            self.number(end, f"{key}.{n}", -FARTHEST, FARTHEST) for n, end in enumerate(ends)
        )
        if not low < high:
            raise self.wrong(key, "two rising numbers", value)
        return low, high

    def sensor(self, value: Any) -> tuple[Sensor, SensorNoise]:
        """The kind of photos, and what its noise has beside the parameters."""
        names = ("channels", "depth", "range", "range_hr", "black_level", "noise_of_channels")
        found = self.mapping(value, "sensor", names)
        channels = self.whole(found["channels"], "sensor.channels", 1, MOST_CHANNELS)
        depth = found["depth"]
        if not (isinstance(depth, str) and depth in WHITES):
            raise self.wrong("sensor.depth", f"one of {list(WHITES)}", depth)
        spans = [self.range(found[key], f"sensor.{key}") for key in ("range", "range_hr")]
        own = (0.0, WHITES[depth])
        lr, hr = (None if span == own else span for span in spans)
        low, high = spans[0]
        level = self.number(found["black_level"], "sensor.black_level", low, high)
        levels: tuple[float, ...] = ()
        if found["noise_of_channels"] is not None:
            key = "sensor.noise_of_channels"
            listed = self.items(found["noise_of_channels"], key, channels, channels)
            levels = tuple(self.number(v, f"{key}.{n}", 0, 1e3) for n, v in enumerate(listed))
        noise = SensorNoise((level - low) / (high - low), levels)
        return Sensor(channels, depth, lr, hr), noise

    def blurs(self, value: Any, channels: int) -> list[list[float]]:
        """What each channel adds to the blur of all, three numbers for each."""
        key = "blur_of_channels"
        rows = self.items(value, key, channels, channels)
        return [
            [
                self.number(v, f"{key}.{n}", -WIDEST, WIDEST)
                for v in self.items(row, f"{key}.{n}", 3, 3)
            ]
            for n, row in enumerate(rows)
        ]

    def defects(self, value: Any) -> Defects:
        """Impulses and stripes."""
        key, names = "defects", [field.name for field in fields(Defects)]
        found = self.mapping(value, key, tuple(names))
        values = self.items(found["values"], f"{key}.values", 1, VALUES)
        shares = {n: self.number(found[n], f"{key}.{n}", 0, 1) for n in names if n != "values"}
        taken = tuple(self.number(v, f"{key}.values.{n}", 0, 1) for n, v in enumerate(values))
        return Defects(**shares, values=taken)

    def fringes(self, value: Any, channels: int) -> Fringes:
        """Displacements of each channel."""
        found = self.mapping(value, "fringes", ("moved", "magnified"))
        rows = self.items(found["moved"], "fringes.moved", channels, channels)
        moved = []
        for n, row in enumerate(rows):
            x, y = self.items(row, f"fringes.moved.{n}", 2, 2)
            key = f"fringes.moved.{n}"
            moved.append((self.number(x, key, -APART, APART), self.number(y, key, -APART, APART)))
        key = "fringes.magnified"
        radial = self.items(found["magnified"], key, channels, channels)
        outwards = tuple(self.number(v, f"{key}.{n}", -APART, APART) for n, v in enumerate(radial))
        return Fringes(tuple(moved), outwards)

    def camera(self, value: Any, key: str) -> list[float]:
        """The parameters of one camera, each within its range."""
        numbers = self.items(value, key, len(PARAMETERS), len(PARAMETERS))
        ranges = zip(PARAMETERS, numbers, LOWEST.tolist(), HIGHEST.tolist(), strict=True)
        for name, number, low, high in ranges:
            real = isinstance(number, int | float) and not isinstance(number, bool)
            if not (real and low - ROUNDED <= number <= high + ROUNDED):  # NaN is not either
                raise self.wrong(f"{key}.{name}", f"a number of {low:.4g} to {high:.4g}", number)
        return [float(number) for number in numbers]

    def coding(self, value: Any, key: str) -> Coding:
        """A coding, as :func:`of_coding` writes it."""
        if isinstance(value, dict) and "webp_quality" in value:
            quality = self.mapping(value, key, ("webp_quality",))["webp_quality"]
            return WebPCoding(self.whole(quality, f"{key}.webp_quality", 0, 100))
        names = ("luminance", "chrominance", "subsampling")
        found = self.mapping(value, key, names)
        tables = []
        for name in names[:2]:
            steps = self.items(found[name], f"{key}.{name}", 64, 64)
            tables.append(
                tuple(self.whole(s, f"{key}.{name}.{n}", 1, STEPS) for n, s in enumerate(steps))
            )
        subsampling = found["subsampling"]
        if not (isinstance(subsampling, str) and subsampling in SUBSAMPLINGS):
            raise self.wrong(f"{key}.subsampling", f"one of {list(SUBSAMPLINGS)}", subsampling)
        return JPEGCoding(tables[0], tables[1], subsampling)
