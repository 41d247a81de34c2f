"""Metrics between all results of an upscaler and sharp photos (FID, KID, SWD, NIQE)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.evaluation.fits import fit_file, read_fit, write_fit
from wildsr.evaluation.outcome import Measured
from wildsr.evaluation.tiled_panel import Bounded
from wildsr.inference.device import measuring_device
from wildsr.metric import niqe
from wildsr.metric.kind import Set
from wildsr.metric.panel import Gathering, Panel

CPU = torch.device("cpu")
SHARP = 64  # photos of a folder that serve as the reference
OfSets = Mapping[tuple[str, str | None], Mapping[str, float | None]]  # by row and set


def some_of(paths: Sequence[Path]) -> Sequence[Path]:
    """At most 64 sharp photos, evenly spread over a folder, for the metrics of sets."""
    return paths[:: -(-len(paths) // SHARP)] if paths else paths


def of_sets(
    measured: Sequence[Measured],
    rows: Sequence[str],
    sets: Mapping[str, ValidationPhotos],
    panel: Panel,
    sharp: Sequence[Path] = (),
    device: torch.device = CPU,
) -> OfSets:
    """Compute set metrics over all photos of each set, and over those of all sets.

    Args:
        measured: all photos on all rows.
        rows: names of the upscalers.
        sets: name -> photos.
        panel: the metrics.
        sharp: reference photos; if empty, the ground truth of each set.
        device: where networks run.
    """
    bounded = Bounded(panel, measuring_device(device))
    gathered = {(row, name): panel.gather() for row in rows for name in sets}
    # Sets with the same sharp photos share their reference, which counts once in that of all sets.
    seen = {name: tuple(sharp) or photos.truths for name, photos in sets.items()}
    references = {paths: panel.gather() for paths in seen.values()}
    if any(isinstance(metric, Set) for metric in panel.parts.values()):
        photos_of = {paths: sets[name] for name, paths in seen.items()}
        for paths, gathering in references.items():
            _take_sharp(gathering, bounded, photos_of[paths], sharp)
        for one in measured:
            whole = gathered[one.outcome.row, one.outcome.photo_set]
            for kept, tensor in zip(whole.kept.values(), one.described, strict=False):
                if tensor is not None:
                    kept.append(tensor)
    return _of_sets(panel, rows, gathered, {name: references[seen[name]] for name in sets})


def _take_sharp(
    gathering: Gathering, bounded: Bounded, photos: ValidationPhotos, sharp: Sequence[Path]
) -> None:
    """Describe the sharp photos; the model of NIQE is fitted once, and kept beside the photos'."""
    paths = list(sharp) or photos.truths
    keeps = niqe.describe in gathering.kept and bool(paths) and not photos.elsewhere
    file = fit_file(paths, photos.limit, photos.sensor) if keeps else None
    fit = None if file is None else read_fit(file)
    if fit is not None:
        del gathering.kept[niqe.describe]
    for image in sharp_images(photos, sharp) if gathering.kept else ():
        bounded.add(gathering, image)
    if fit is None and file is not None:
        fit = write_fit(file, gathering.kept[niqe.describe])
    if fit is not None:
        gathering.kept[niqe.describe] = [fit]


def sharp_images(photos: ValidationPhotos, paths: Sequence[Path]) -> Iterator[Tensor]:
    """The reference images of set metrics, (3, H, W): the given files, else the ground truth.

    Unreadable files are skipped, and so is the truth of a photo that was that of another.
    """
    for path in paths:
        with contextlib.suppress(UserError):
            yield torch.from_numpy(photos.read(path)).permute(2, 0, 1)
    seen: set[Path] = set()
    for index in range(0 if paths else len(photos)):
        truth = photos.photos[index][1]
        if truth is not None and truth not in seen:
            with contextlib.suppress(UserError):
                yield photos[index]["hr"]
                seen.add(truth)


def _of_sets(
    panel: Panel,
    names: Sequence[str],
    gathered: Mapping[tuple[str, str], Gathering],
    reference: Mapping[str, Gathering],
) -> OfSets:
    """The set metrics of each row on each set, and on all photos together (None)."""
    values: dict[tuple[str, str | None], Mapping[str, float | None]] = {}
    for row in names:
        for name, sharp in reference.items():
            values[row, name] = panel.compare(gathered[row, name], sharp)
        together = [_together(panel, [gathered[row, name] for name in reference])]
        together.append(_together(panel, list({id(g): g for g in reference.values()}.values())))
        values[row, None] = panel.compare(*together)
    return values


def _together(panel: Panel, parts: Sequence[Gathering]) -> Gathering:
    whole = panel.gather()
    for part in parts:
        for describe, kept in part.kept.items():
            whole.kept[describe] += kept
    return whole
