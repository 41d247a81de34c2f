"""Inspect the data before training: sizes, unreadable files, likely mix-ups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wildsr.data.crops import large_enough
from wildsr.data.packed import PackedStore
from wildsr.error import UserError
from wildsr.photo.image import bare_stem

_TRUST = "If this is intended, `data.trust=true` lets it pass."
_NAMED = 5  # skipped files that the report names


class Lines(Protocol):
    """A report on the data that can be printed as lines."""

    def lines(self) -> list[str]:
        """The lines; warnings begin with "warning:"."""


@dataclass(frozen=True)
class Side:
    """The content of one folder. Sizes are (height, width), ordered by area."""

    argument: str
    count: int
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    patch: int
    too_small: int
    skipped: dict[str, str]

    def lines(self) -> list[str]:
        """Describe the folder, sizes as width x height."""
        sizes = (self.smallest, self.median, self.largest)
        smallest, median, largest = (f"{width}x{height}" for height, width in sizes)
        text = [
            f"{self.argument}: {self.count} images, {smallest} to {largest}, median {median}, "
            f"patches {self.patch}x{self.patch}"
        ]
        if self.too_small:
            text.append(
                f"warning: {self.too_small} of {self.count} images of {self.argument} are smaller "
                "than the patch and never drawn"
            )
        if self.skipped:
            text.append(f"warning: {len(self.skipped)} files of {self.argument} cannot be read:")
            text += [f"  {name}: {reason}" for name, reason in list(self.skipped.items())[:_NAMED]]
            if len(self.skipped) > _NAMED:
                text.append(f"  and {len(self.skipped) - _NAMED} more")
        return text


@dataclass(frozen=True)
class Report:
    """The result of :func:`inspect`; ``notes`` concern both folders together."""

    lr: Side
    hr: Side
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report as lines; warnings begin with "warning:"."""
        return [*self.lr.lines(), *self.hr.lines(), *self.notes]


def inspect(
    lr: PackedStore, hr: PackedStore, scale: int, patch: int, trust: bool = False
) -> Report:
    """Summarise two folders and refuse those that cannot be trained on as they are.

    Args:
        lr: real LR photos.
        hr: sharp photos.
        scale: HR pixels per LR pixel.
        patch: side of an LR patch in LR pixels; HR patches have ``patch * scale``.
        trust: accept folders that look swapped or wrongly scaled.

    Raises:
        UserError: both folders are the same set, no image is as large as the patch, or the
            folders look swapped or of another scale.
    """
    if lr.key == hr.key:
        raise UserError(
            f"Arguments `{lr.argument}` and `{hr.argument}` must be different sets of images, "
            f"but both hold the same {len(lr)} files."
        )
    notes = [] if trust else _compare_names(lr, hr, scale)
    large_enough(lr, patch)
    large_enough(hr, patch * scale)
    if not trust:
        _compare_areas(lr, hr, scale)
    return Report(_side(lr, patch), _side(hr, patch * scale), tuple(notes))


def _side(store: PackedStore, patch: int) -> Side:
    by_area = store.sizes[np.argsort(store.sizes.prod(axis=1), kind="stable")].tolist()
    smallest, median, largest = (tuple(by_area[i]) for i in (0, len(by_area) // 2, -1))
    too_small = int((store.sizes < patch).any(axis=1).sum())
    return Side(
        store.argument, len(store), smallest, median, largest, patch, too_small, store.skipped
    )


def _compare_names(lr: PackedStore, hr: PackedStore, scale: int) -> list[str]:
    """If the folders hold the same photos by name, their sizes tell the scale between them."""
    lr_sizes = {bare_stem(name): size for name, size in zip(lr.names, lr.sizes, strict=True)}
    hr_sizes = {bare_stem(name): size for name, size in zip(hr.names, hr.sizes, strict=True)}
    shared = sorted(lr_sizes.keys() & hr_sizes.keys())
    if 2 * len(shared) < min(len(lr_sizes), len(hr_sizes)):
        return []
    lr_shared = np.stack([lr_sizes[stem] for stem in shared])
    hr_shared = np.stack([hr_sizes[stem] for stem in shared])
    names = f"`{lr.argument}` and `{hr.argument}` share {len(shared)} file names"
    if _fits(lr_shared, hr_shared, scale):
        return [f"note: {names} and look like pairs; only `data=pairs` trains on them as such"]
    for factor in (2, 3, 4, 8):
        if _fits(hr_shared, lr_shared, factor):
            raise UserError(
                f"Arguments {names}, and images of `{lr.argument}` are {factor} times as large as "
                f"those of `{hr.argument}`: the two are swapped. {_TRUST}"
            )
    for factor in (1, 2, 3, 4, 8):
        if _fits(lr_shared, hr_shared, factor):
            sizes = "both have the same sizes" if factor == 1 else f"hr is {factor} times lr"
            raise UserError(f"Arguments {names}: scale is {scale} but {sizes}. {_TRUST}")
    return []


def _fits(small: npt.NDArray[np.int64], large: npt.NDArray[np.int64], factor: int) -> bool:
    """Whether half of the pairs differ by this factor in both directions, up to cropping."""
    tolerance = np.maximum(factor, 0.03 * large)
    return bool((abs(large - factor * small) < tolerance).all(axis=1).mean() >= 0.5)


def _compare_areas(lr: PackedStore, hr: PackedStore, scale: int) -> None:
    if scale == 1:  # Both sides have the same resolution: sizes say nothing.
        return
    lr_area, hr_area = (float(np.median(store.sizes.prod(axis=1))) for store in (lr, hr))
    if lr_area >= 0.9 * scale**2 * hr_area:
        raise UserError(
            f"Arguments `{lr.argument}` and `{hr.argument}` look swapped: at scale {scale} the "
            f"median image of `{lr.argument}` has {lr_area / hr_area:.0f} times the pixels of "
            f"`{hr.argument}`. {_TRUST}"
        )
