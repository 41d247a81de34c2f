"""Read and write ``camera.json``: a measured degradation as a file.

The file needs neither the run that wrote it nor its photos. ``docs/camera.md`` lists its keys.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wildsr import __version__
from wildsr.argument import SCALES
from wildsr.atomic import write_text
from wildsr.calibration.measure import Measured
from wildsr.config.plain import read_json
from wildsr.degradation.coding import Coding, JPEGCoding, WebPCoding
from wildsr.degradation.defects import SOUND, Defects
from wildsr.degradation.depth import stored
from wildsr.error import UserError, shortened
from wildsr.network.degrader.measured import (
    CHANNEL,
    POPULATION,
    QUIET,
    SHARED,
    SUBSAMPLINGS,
    VALUES,
    MeasuredCamera,
    SensorNoise,
)
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS, physical
from wildsr.photo.sensor import MOST_CHANNELS, RGB, WHITES, Sensor

FILE = "camera.json"
SCHEMA = 1
LARGEST = 8 << 20  # bytes; one of 256 cameras with 256 tables has less than 1 MB
STEPS = 32767  # the largest that libjpeg writes
WIDEST = 5.0  # by which a channel's blur may differ, on the scales of the parameters
FARTHEST = 1e300  # values of a sensor
ROUNDED = 1e-4  # by which numbers in the file may leave the range of a parameter


class Profile(nn.Module):
    """The degradation in a ``camera.json``: each image by a camera drawn from its population.

    Args:
        file: the path of a ``camera.json``, as ``train``, ``look`` or ``export format=camera``
            writes it.
        scale: HR size / LR size, s; the file's.

    Attributes:
        sensor: the kind of photos that the camera was measured on.

    Raises:
        UserError: the file cannot be read, is damaged, or has another scale.
    """

    deep = False  # see :func:`wildsr.degradation.depth.deepen`

    def __init__(self, file: str, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.camera, self.sensor = read_profile(Path(file).expanduser())
        if self.camera.scale != scale:
            raise UserError(
                f"Argument `scale` must be that of the camera {file}, {self.camera.scale}, "
                f"but got {scale!r}."
            )

    @torch.no_grad()
    def forward(self, hr: Tensor) -> Tensor:
        """(B, C, sH, sW) in [0, 1] -> (B, C, H, W) in [0, 1], multiples of 1/255 unless deepened.

        [0, 1] is the range of the sensor. Random: the numbers come from torch's global generator.

        Raises:
            UserError: the camera has a noise of its own for each of another number of channels.
        """
        own = self.sensor.channels
        each = self.camera.blur_of is not None  # then they are not to be exchanged
        if hr.shape[1] != own and (each or not {hr.shape[1], own} <= {1, 3}):
            raise UserError(
                f"The camera in `degradation.file` is of {own} channel{'s' * (own > 1)}, but the "
                f"photos have {hr.shape[1]}."
            )
        lr: Tensor = self.camera(hr, self.camera.draws(hr))
        return stored(lr, self.deep).clamp(0, 1)

    def describe(self) -> list[str]:
        """The median camera's degradation, and the fraction of images coded, in words."""
        said = self.camera.physical()
        lines = [self.camera.sentence(), f"JPEG: {said['jpeg_share']:.0%} of the pictures"]
        if "webp_share" in said:
            lines.append(f"WebP: {said['webp_share']:.0%} of the pictures")
        return lines


def profile(camera: MeasuredCamera, measured: Measured, sensor: Sensor = RGB) -> dict[str, Any]:
    """A measured camera as plain data: the document ``camera.json``.

    Args:
        camera: that the measurement was taken over by.
        measured: what was found.
        sensor: the kind of photos that it was found on.
    """
    found = measured.calibration
    groups = []
    if found is not None:
        total = sum(map(len, found.members))
        for group, members, rest in zip(
            found.groups, found.members, found.unexplained, strict=True
        ):
            groups.append(
                {
                    "share": len(members) / total,
                    "photos": [measured.names[index] for index in members],
                    "physical": physical(group.solution.camera, camera.scale),
                    "misfit": group.misfit,
                    "doubt": group.doubt,
                    "bicubic": group.bicubic,
                    "unexplained": rest,
                }
            )
    return {
        **of_camera(camera, sensor),
        "sentence": measured.sentence(camera.scale),
        "codings": measured.codings.to_dict(),
        "cameras": groups,
    }


def of_camera(camera: MeasuredCamera, sensor: Sensor | None = None) -> dict[str, Any]:
    """The part of the document that it takes to use a camera again.

    Args:
        camera: the camera.
        sensor: the kind of photos that it is of; None for 8-bit ones of its channels.
    """
    sensor = sensor or Sensor(camera.channels)
    return {
        "schema": SCHEMA,
        "wildsr": __version__,
        "scale": camera.scale,
        "sentence": camera.sentence(),
        **({} if sensor.plain else {"sensor": _of_sensor(camera, sensor)}),
        "parameters": list(PARAMETERS),
        "population": camera.population(),
        **({"defects": _of_defects(camera.defects())} if camera.defects() else {}),
        **({} if camera.blur_of is None else {"blur_of_channels": camera.blur_of.tolist()}),
    }


def _of_defects(defects: Defects) -> dict[str, Any]:
    return {**asdict(defects), "values": list(defects.values)}


def _of_sensor(camera: MeasuredCamera, sensor: Sensor) -> dict[str, Any]:
    """Channels, depth, black and white, and what noise has beside the parameters."""
    low, high = sensor.span("lr")
    black = 0.0 if camera.black is None else float(camera.black)
    levels = None if camera.noise_of is None else [float(v) for v in camera.noise_of]
    return {
        "channels": sensor.channels,
        "depth": sensor.depth,
        "range": [low, high],
        "range_hr": list(sensor.span("hr")),
        "black_level": low + black * (high - low),
        "noise_of_channels": levels,
    }


def write_profile(folder: Path, document: dict[str, Any], name: str = FILE) -> Path:
    """Write ``camera.json`` into a folder, or under another name; returns its path."""
    path = folder / name
    write_text(path, json.dumps(document, indent=1) + "\n")
    return path


def said_of(folder: Path) -> str | None:
    """The sentence in a run's ``camera.json``; None if there is none."""
    try:
        return str(json.loads((folder / FILE).read_text("utf-8"))["sentence"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_profile(path: Path) -> tuple[MeasuredCamera, Sensor]:
    """The camera that a ``camera.json`` describes, and its sensor; every value is checked.

    Raises:
        UserError: it cannot be read, or a value is wrong; the message names the first such key.
    """
    return checked_profile(read_json(path, LARGEST), str(path))


def checked_profile(document: Any, where: str) -> tuple[MeasuredCamera, Sensor]:
    """The camera of a document, and the kind of photos that it is of.

    Args:
        document: contents of a ``camera.json``.
        where: its file, for messages.

    Raises:
        UserError: a value is wrong; the message names the first such key.
    """
    check = _Check(where)
    whole = check.mapping(document, "", ("schema", "scale", "parameters", "population"))
    check.one_of(whole["schema"], "schema", (SCHEMA,))
    scale = check.one_of(whole["scale"], "scale", SCALES)
    if whole["parameters"] != list(PARAMETERS):
        raise check.wrong("parameters", f"the list {list(PARAMETERS)}", whole["parameters"])
    population = check.mapping(whole["population"], "population", ("cameras", "coding", "codings"))
    rows = check.items(population["cameras"], "population.cameras", 1, POPULATION)
    cameras = [check.camera(row, f"population.cameras.{number}") for number, row in enumerate(rows)]
    kinds = check.items(population["codings"], "population.codings", 0, POPULATION)
    codings = [check.coding(one, f"population.codings.{n}") for n, one in enumerate(kinds)]
    chosen = check.items(population["coding"], "population.coding", len(rows), len(rows))
    sensor, noise = RGB, QUIET
    if "sensor" in whole:  # of other photos than 8-bit RGB
        sensor, noise = check.sensor(whole["sensor"])
    blurs = None
    if "blur_of_channels" in whole:
        blurs = torch.tensor(check.blurs(whole["blur_of_channels"], sensor.channels))
    defects = check.defects(whole["defects"]) if "defects" in whole else SOUND
    kind = SHARED if blurs is None else CHANNEL
    camera = MeasuredCamera(scale, sensor.channels, sensor.deep, kind)
    own: list[Coding | None] = []
    for number, index in enumerate(chosen):
        if index is None:
            own.append(None)
            continue
        place = check.whole(index, f"population.coding.{number}", 0, len(codings) - 1)
        own.append(codings[place])
    camera.set(torch.tensor(cameras), own, noise, blurs, defects)
    return camera, sensor


class _Check:
    """Values of a document, each refused in one sentence unless it is what it has to be."""

    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, key: str, must: str, got: object) -> UserError:
        what = f"`{key}`" if key else "it"
        return UserError(
            f"{self.where} is no camera.json: {what} must be {must}, but got {shortened(got)}."
        )

    def mapping(self, value: Any, key: str, names: tuple[str, ...]) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.wrong(key, "names with values", value)
        missing = [name for name in names if name not in value]
        if missing:
            raise self.wrong(f"{key}.{missing[0]}".lstrip("."), "given", None)
        return value

    def items(self, value: Any, key: str, least: int, most: int) -> list[Any]:
        if not (isinstance(value, list) and least <= len(value) <= most):
            many = f"{least}" if least == most else f"{least} to {most}"
            raise self.wrong(key, f"a list of {many} values", value)
        return value

    def one_of(self, value: Any, key: str, choices: tuple[int, ...]) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value not in choices:
            must = f"one of {list(choices)}" if len(choices) > 1 else str(choices[0])
            raise self.wrong(key, must, value)
        return value

    def whole(self, value: Any, key: str, least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"an integer of {least} to {most}", value)
        return value

    def number(self, value: Any, key: str, least: float, most: float) -> float:
        real = isinstance(value, int | float) and not isinstance(value, bool)
        if not (real and least <= value <= most):  # NaN is not either
            raise self.wrong(key, f"a number of {least:.6g} to {most:.6g}", value)
        return float(value)

    def range(self, value: Any, key: str) -> tuple[float, float]:
        ends = self.items(value, key, 2, 2)
        low, high = (
            self.number(end, f"{key}.{n}", -FARTHEST, FARTHEST) for n, end in enumerate(ends)
        )
        if not low < high:
            raise self.wrong(key, "two rising numbers", value)
        return low, high

    def sensor(self, value: Any) -> tuple[Sensor, SensorNoise]:
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
        key, names = "defects", [field.name for field in fields(Defects)]
        found = self.mapping(value, key, tuple(names))
        values = self.items(found["values"], f"{key}.values", 1, VALUES)
        shares = {n: self.number(found[n], f"{key}.{n}", 0, 1) for n in names if n != "values"}
        taken = tuple(self.number(v, f"{key}.values.{n}", 0, 1) for n, v in enumerate(values))
        return Defects(**shares, values=taken)

    def camera(self, value: Any, key: str) -> list[float]:
        numbers = self.items(value, key, len(PARAMETERS), len(PARAMETERS))
        ranges = zip(PARAMETERS, numbers, LOWEST.tolist(), HIGHEST.tolist(), strict=True)
        for name, number, low, high in ranges:
            real = isinstance(number, int | float) and not isinstance(number, bool)
            if not (real and low - ROUNDED <= number <= high + ROUNDED):  # NaN is not either
                raise self.wrong(f"{key}.{name}", f"a number of {low:.4g} to {high:.4g}", number)
        return [float(number) for number in numbers]

    def coding(self, value: Any, key: str) -> Coding:
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
