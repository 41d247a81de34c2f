"""The sets of photos to evaluate on, with or without ground truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from wildsr.argument import check_scale
from wildsr.config.paths import paths_by_name
from wildsr.config.trust import trusts
from wildsr.data.pairs import pair
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.photo.image import list_images
from wildsr.photo.sensor import RGB, Sensor
from wildsr.photo.stream import size_of
from wildsr.run.photos import opened_data

ARGUMENTS = ("data.lr", "data.hr")


def photo_sets(
    config: DictConfig,
    scales: Mapping[str, int],
    runs: Mapping[str, Path],
    sensor: Sensor = RGB,
) -> tuple[dict[str, ValidationPhotos], int]:
    """Find the photos of each set, and the scale.

    Args:
        config: ``data.lr``, ``data.hr`` and ``scale`` as given by the user.
        scales: the scale of each upscaler, by the user's name for it.
        runs: supply the photos if ``data.lr`` is not given.
        sensor: the kind of pixels to which the photos of ``data.lr`` are converted.

    Returns:
        The photos by set, and the scale.

    Raises:
        UserError: no photos, a ground truth without them, sets that differ, scales that differ.
    """
    if config.data.lr is None:
        if config.data.hr is not None:
            raise UserError("`data.hr` is the truth of `data.lr`, which was not given.")
        if not runs:
            raise UserError(
                "`data.lr` must be given: a folder of LR photos (or `run`, for its own)."
            )
        scale = one_scale(config, scales, [])
        # All runs are judged on one run's photos: that of the first.
        data = opened_data(next(iter(runs.values())), trusts(config))
        return {"validation": data.photos}, scale
    lr, hr = (paths_by_name(config.data[key], f"data.{key}") for key in ("lr", "hr"))
    if hr and len(hr) != len(lr):
        raise UserError(
            f"`data.hr` must name a folder for each of `data.lr`, but got {len(hr)} for {len(lr)}."
        )
    if isinstance(config.data.lr, Mapping) and isinstance(config.data.hr, Mapping):
        for name in lr:
            if name not in hr:
                raise UserError(f"`data.hr` must have the sets of `data.lr`, but {name!r} is not.")
        truths = [hr[name] for name in lr]
    else:
        truths = list(hr.values())
    files: dict[str, list[tuple[Path, Path | None]]] = {}
    for index, (name, folder) in enumerate(lr.items()):
        small = list_images(folder, "data.lr")
        if truths:
            large = list_images(truths[index], "data.hr")
            files[name] = [*pair(small, large, "data.lr", "data.hr")]
        else:
            files[name] = [(path, None) for path in small]
    pairs = [(one, other) for found in files.values() for one, other in found if other is not None]
    scale = one_scale(config, scales, pairs)
    return {
        name: ValidationPhotos(found, scale, ARGUMENTS, config.get("limit"), sensor)
        for name, found in files.items()
    }, scale


def one_scale(
    config: DictConfig, scales: Mapping[str, int], pairs: Sequence[tuple[Path, Path]]
) -> int:
    """The scale that all upscalers share, else that of the first readable pair of photos.

    Raises:
        UserError: no scale is given, two of them disagree, or it is not supported.
    """
    said = {**({} if config.scale is None else {"scale": config.scale}), **scales}
    for pair_of_photos in pairs if not said else ():
        small, large = (size_of(path) for path in pair_of_photos)
        if small and large:
            said = {"the photos": round(large[1] / small[1])}
            break
    if not said:
        raise UserError("`scale` must be given: HR size / LR size.")
    if len(set(said.values())) > 1:
        each = ", ".join(f"{what} has {value}" for what, value in said.items())
        raise UserError(f"All upscalers must have one scale, but {each}.")
    scale = next(iter(said.values()))
    check_scale("`scale`", scale)
    return int(scale)
