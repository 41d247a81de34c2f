"""Read and write ``camera.json``: a measured degradation as a file.

The file needs neither the run that wrote it nor its photos. ``docs/camera.md`` lists its keys.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wildsr import __version__
from wildsr.argument import SCALES
from wildsr.atomic import write_text
from wildsr.calibration.measure import Measured
from wildsr.config.plain import read_json
from wildsr.degradation.coding import Coding
from wildsr.error import UserError, shortened
from wildsr.network.degrader.measured import POPULATION, SUBSAMPLINGS, MeasuredCamera
from wildsr.network.degrader.physics import HIGHEST, LOWEST, PARAMETERS, physical
from wildsr.pixels import to_8_bit

FILE = "camera.json"
SCHEMA = 1
LARGEST = 8 << 20  # bytes; one of 256 cameras with 256 tables has less than 1 MB
STEPS = 32767  # the largest that libjpeg writes
ROUNDED = 1e-4  # by which numbers in the file may leave the range of a parameter


class Profile(nn.Module):
    """The degradation in a ``camera.json``: each image by a camera drawn from its population.

    Args:
        file: the path of a ``camera.json``, as ``train``, ``look`` or ``export format=camera``
            writes it.
        scale: HR size / LR size, s; the file's.

    Raises:
        UserError: the file cannot be read, is damaged, or has another scale.
    """

    def __init__(self, file: str, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.camera = read_profile(Path(file).expanduser())
        if self.camera.scale != scale:
            raise UserError(
                f"Argument `scale` must be that of the camera {file}, {self.camera.scale}, "
                f"but got {scale!r}."
            )

    @torch.no_grad()
    def forward(self, hr: Tensor) -> Tensor:
        """(B, 3, sH, sW) in [0, 1] -> multiples of 1/255 in [0, 1], (B, 3, H, W).

        Random: the numbers come from torch's global generator.
        """
        lr: Tensor = self.camera(hr, self.camera.draws(hr))
        return to_8_bit(lr).clamp(0, 1)

    def describe(self) -> list[str]:
        """The median camera's degradation, and the fraction of images with JPEG, in words."""
        share = self.camera.physical()["jpeg_share"]
        return [self.camera.sentence(), f"JPEG: {share:.0%} of the pictures"]


def profile(camera: MeasuredCamera, measured: Measured) -> dict[str, Any]:
    """A measured degradation as plain data: the document ``camera.json``."""
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
        **of_camera(camera),
        "sentence": measured.sentence(camera.scale),
        "codings": measured.codings.to_dict(),
        "cameras": groups,
    }


def of_camera(camera: MeasuredCamera) -> dict[str, Any]:
    """The part of the document that is needed to degrade images again."""
    return {
        "schema": SCHEMA,
        "wildsr": __version__,
        "scale": camera.scale,
        "sentence": camera.sentence(),
        "parameters": list(PARAMETERS),
        "population": camera.population(),
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


def read_profile(path: Path) -> MeasuredCamera:
    """Read the degradation in a ``camera.json``; every value that is used is checked.

    Raises:
        UserError: it cannot be read, or a value is wrong; the message names the first such key.
    """
    return checked_profile(read_json(path, LARGEST), str(path))


def checked_profile(document: Any, where: str) -> MeasuredCamera:
    """Check a document and make the degradation that it describes.

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
    camera = MeasuredCamera(scale)
    own: list[Coding | None] = []
    for number, index in enumerate(chosen):
        if index is None:
            own.append(None)
            continue
        place = check.whole(index, f"population.coding.{number}", 0, len(codings) - 1)
        own.append(codings[place])
    camera.set(torch.tensor(cameras), own)
    return camera


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

    def camera(self, value: Any, key: str) -> list[float]:
        numbers = self.items(value, key, len(PARAMETERS), len(PARAMETERS))
        ranges = zip(PARAMETERS, numbers, LOWEST.tolist(), HIGHEST.tolist(), strict=True)
        for name, number, low, high in ranges:
            real = isinstance(number, int | float) and not isinstance(number, bool)
            if not (real and low - ROUNDED <= number <= high + ROUNDED):  # NaN is not either
                raise self.wrong(f"{key}.{name}", f"a number of {low:.4g} to {high:.4g}", number)
        return [float(number) for number in numbers]

    def coding(self, value: Any, key: str) -> Coding:
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
        return Coding(tables[0], tables[1], subsampling)
