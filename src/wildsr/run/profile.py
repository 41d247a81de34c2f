"""Read and write ``camera.json``: a measured degradation as a file.

The file needs neither the run that wrote it nor its photos. ``docs/camera.md`` lists its keys.
"""

from __future__ import annotations

import json
from dataclasses import asdict
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
from wildsr.degradation.defects import SOUND, Defects
from wildsr.degradation.depth import stored
from wildsr.degradation.fringes import NONE, Fringes
from wildsr.error import UserError
from wildsr.network.degrader.measured import (
    CHANNEL,
    POPULATION,
    SHARED,
    MeasuredCamera,
)
from wildsr.network.degrader.physics import PARAMETERS, physical
from wildsr.network.degrader.sensor import QUIET
from wildsr.photo.sensor import RGB, Sensor
from wildsr.run.document import Values, of_coding

FILE = "camera.json"
SCHEMA = 1
LARGEST = 8 << 20  # bytes; one of 256 cameras with 256 tables has less than 1 MB


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
        "population": _of_population(camera),
        **({"defects": _of_defects(camera.defects())} if camera.defects() else {}),
        **({"fringes": _of_fringes(camera.fringes())} if camera.fringes() else {}),
        **({} if camera.blur_of is None else {"blur_of_channels": camera.blur_of.tolist()}),
    }


def _of_population(camera: MeasuredCamera) -> dict[str, list[Any]]:
    """The cameras, which coding each has (None for none), and each distinct coding once."""
    codings = camera.codings()
    kinds = list(dict.fromkeys(kind for kind in codings if kind is not None))
    places = {kind: place for place, kind in enumerate(kinds)}
    return {
        "cameras": [[round(value, 5) for value in row] for row in camera.cameras.tolist()],
        "coding": [None if kind is None else places[kind] for kind in codings],
        "codings": [of_coding(kind) for kind in kinds],
    }


def _of_defects(defects: Defects) -> dict[str, Any]:
    return {**asdict(defects), "values": list(defects.values)}


def _of_fringes(fringes: Fringes) -> dict[str, Any]:
    return {"moved": [list(one) for one in fringes.moved], "magnified": list(fringes.magnified)}


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
    check = Values(where)
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
    fringes = check.fringes(whole["fringes"], sensor.channels) if "fringes" in whole else NONE
    kind = SHARED if blurs is None else CHANNEL
    camera = MeasuredCamera(scale, sensor.channels, sensor.deep, kind)
    own: list[Coding | None] = []
    for number, index in enumerate(chosen):
        if index is None:
            own.append(None)
            continue
        place = check.whole(index, f"population.coding.{number}", 0, len(codings) - 1)
        own.append(codings[place])
    camera.set(torch.tensor(cameras), own, noise, blurs, defects, fringes)
    return camera, sensor
