"""Measure the camera of the LR photos, before the first iteration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wildsr import __version__
from wildsr.atomic import write_text
from wildsr.calibration.calibrate import Calibration, calibrate
from wildsr.data.codings import codings_of
from wildsr.data.module import Folders
from wildsr.degradation.coding import Coding
from wildsr.error import UserError
from wildsr.forensics.coding import Coding as Seen
from wildsr.forensics.coding import filled
from wildsr.forensics.folder import Codings
from wildsr.network.degrader.measured import SUBSAMPLINGS, MeasuredCamera, sentence
from wildsr.network.degrader.physics import PARAMETERS, physical
from wildsr.photo.image import list_images

FILE = "camera.json"
MOST = 100  # photos of each folder that are looked at, evenly from all of it
SCHEMA = 1


@dataclass(frozen=True)
class Measured:
    """What was found of the camera of a folder.

    Attributes:
        codings: of the photos that were looked at.
        calibration: the cameras; None where the photos are too small to measure any.
        reason: why there is none.
        names: of the photos that were looked at.
    """

    codings: Codings
    calibration: Calibration | None
    reason: str | None
    names: tuple[str, ...]

    def sentence(self, scale: int) -> str:
        """What was decided, in one sentence."""
        if self.calibration is None:
            return f"{self.codings}; no camera was measured ({self.reason}): the usual one is taken"
        groups = self.calibration.groups
        total = sum(map(len, self.calibration.members))
        words = []
        for group, members in zip(groups, self.calibration.members, strict=True):
            said = sentence(physical(group.solution.camera, scale))
            if group.doubt > 0:
                said += (
                    f" (doubtful: {group.doubt:.0%} of the pictures are taken with milder blurs)"
                )
            words.append(said if len(groups) == 1 else f"{len(members)} of {total} photos: {said}")
        cameras = "" if len(groups) == 1 else f"{len(groups)} cameras, "
        found = f"found in {self.calibration.seconds:.0f} s, then frozen"
        return f"{self.codings}; {cameras}{'; '.join(words)}; {found}"


def measure(data: Folders, seed: int) -> Measured:
    """The codings and the cameras of ``data.lr``, by pictures that cameras make of ``data.hr``.

    The same for the same photos and seed, in every process.
    """
    paths = list_images(data.lr, "data.lr")
    chosen = _spread(len(data.lr_store))
    seen = codings_of(data.lr_store, paths, chosen)
    names = tuple(data.lr_store.names[index] for index in chosen)
    photos = [np.array(data.lr_store.image(index)) for index in chosen]
    sharp = [np.array(data.hr_store.image(index)) for index in _spread(len(data.hr_store), 200)]
    with torch.random.fork_rng():
        try:
            found = calibrate(photos, [as_table(one) for one in seen], sharp, data.scale, seed)
        except UserError as error:
            return Measured(Codings.of(seen), None, str(error).rstrip("."), names)
    return Measured(Codings.of(seen), found, None, names)


def take_over(camera: MeasuredCamera, measured: Measured, seed: int) -> None:
    """Let a camera be the one that was measured; where none was, it keeps what is usual.

    The tables of JPEG are taken over either way.
    """
    if measured.calibration is not None:
        camera.set(*measured.calibration.population(seed=seed))
        return
    codings = [as_table(one) for one in measured.codings.photos]
    camera.set(camera.cameras[: len(codings)].clone(), codings)


def as_table(seen: Seen) -> Coding | None:
    """A coding with all of its steps, to code pictures anew; None where there is no JPEG."""
    if seen.luma is None:
        return None
    luma = filled(seen.luma)
    chroma = filled(seen.chroma, True) if seen.chroma is not None else None
    if chroma is None:
        chroma = luma if seen.quality is None else Coding.libjpeg(seen.quality).chrominance
    known = seen.subsampling if seen.subsampling in SUBSAMPLINGS else "4:2:0"
    return Coding(luma, chroma, known)


def profile(camera: MeasuredCamera, measured: Measured) -> dict[str, Any]:
    """The camera as plain data: the document ``camera.json``; see docs/camera.md for its keys."""
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
                    "unexplained": rest,
                }
            )
    return {
        "schema": SCHEMA,
        "wildsr": __version__,
        "scale": camera.scale,
        "sentence": measured.sentence(camera.scale),
        "codings": measured.codings.to_dict(),
        "cameras": groups,
        "population": camera.population(),
        "parameters": list(PARAMETERS),
    }


def write_profile(folder: Path, document: dict[str, Any]) -> Path:
    """Write ``camera.json`` into a folder; its path."""
    path = folder / FILE
    write_text(path, json.dumps(document, indent=1) + "\n")
    return path


def said_of(folder: Path) -> str | None:
    """The sentence of a run's ``camera.json``; None where there is none."""
    try:
        return str(json.loads((folder / FILE).read_text("utf-8"))["sentence"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _spread(count: int, most: int = MOST) -> Sequence[int]:
    """At most so many indices, evenly from all."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, min(count, most)).round())]
