"""A data set that is one photo: both domains are crops of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wildsr.data.module import Folders
from wildsr.data.validation import ValidationPhotos
from wildsr.error import UserError
from wildsr.photo.image import LIMIT, SUFFIXES, UnreadableImage
from wildsr.photo.samples import read_samples


@dataclass(frozen=True)
class Alone:
    """The report on a single photo; sizes are (height, width)."""

    name: str
    size: tuple[int, int]
    patch: int
    scale: int

    def lines(self) -> list[str]:
        """Describe the photo, sizes as width x height."""
        height, width = self.size
        large = self.patch * self.scale
        return [
            f"data.lr: {self.name}, {width}x{height}; its own crops of {large}x{large} are shrunk, "
            f"those of {self.patch}x{self.patch} are what it looks like"
        ]


class Photo(Folders):
    """The data module of a single photo: ``hr`` and ``real_lr`` are random crops of it.

    Those of ``real_lr`` are smaller. For methods that learn from nothing but the photo that they
    upscale (ZSSR). The photo is also upscaled for validation and at the end, and compared with its
    ground truth if there is one.

    Args:
        lr: the photo, an image file.
        scale: HR pixels per LR pixel: 1, 2, 3, 4 or 8.
        patch: side of a ``real_lr`` crop; those of ``hr`` have ``patch * scale``.
        batch: crops of each kind in a batch, on every device.
        seed: of the crops.
        val_hr: the ground truth, an image file ``scale`` times as large.
        cache: where the decoded photo is kept; None: :func:`wildsr.data.store.default_cache`.
        workers: processes that cut crops.
        limit: megapixels of the photo and its truth; None: no limit.
        channels: see :class:`~wildsr.data.module.Folders`, as for the next four.
        depth: "8", "16", "float" or "auto".
        range: values of black and white.
        bands: the three channels to show.
        sensor: the kind of photo that a resumed run has recorded.

    Raises:
        UserError: a number out of range.
    """

    label = "photo"  # in the names of runs

    def __init__(
        self,
        lr: str,
        scale: int,
        patch: int,
        batch: int,
        seed: int,
        val_hr: str | None = None,
        cache: str | None = None,
        workers: int = 0,
        limit: float | None = LIMIT,
        channels: int | str = "auto",
        depth: int | str = "auto",
        range: Any = "auto",
        bands: Sequence[int] | None = None,
        sensor: Mapping[str, Any] | None = None,
    ) -> None:
        shared: dict[str, Any] = {
            "cache": cache,
            "workers": workers,
            "limit": limit,
            "sensor": sensor,
        }
        shared |= {"channels": channels, "depth": depth, "range": range, "bands": bands}
        super().__init__(lr, lr, scale, patch, batch, seed, **shared)
        self.truth = val_hr

    def prepare_data(self) -> None:
        """Decode the photo into the cache, unless it is there (one process on each machine)."""
        self._open(self.lr, "data.lr")

    def setup(self, stage: str | None = None) -> None:
        """Open the photo and check that it is large enough.

        Raises:
            UserError: it is too small, or the ground truth is not an image file.
        """
        if self.report is not None:
            return
        path = self._photo()
        self.lr_store = self.hr_store = self._open(self.lr, "data.lr")
        self._take_ranges()
        height, width = self.lr_store.sizes[0].tolist()
        largest = min(height, width) // self.scale
        if largest < self.patch:
            remedy = f"use `data.patch={largest}`" if largest >= 8 else "it is too small"
            raise UserError(
                f"Argument `data.lr` must be a photo of at least {self.patch * self.scale} pixels "
                f"a side, `data.patch` times `scale`, but {path} has {width}x{height}; {remedy}."
            )
        truth = None if self.truth is None else _file(self.truth, "data.val_hr")
        self.photos = ValidationPhotos(
            [(path, truth)], self.scale, ("data.lr", "data.val_hr"), self.limit, self.kind()
        )
        self.report = Alone(path.name, (height, width), self.patch, self.scale)

    def trained_on(self) -> dict[str, int]:
        """One LR photo, and no sharp ones."""
        return {"lr": 1, "hr": 0}

    def _list(self, folder: str, argument: str) -> list[Path]:
        return [self._photo()]

    def _photo(self) -> Path:
        path = _file(self.lr, "data.lr")
        try:
            read_samples(path, self.limit)
        except UnreadableImage as error:
            raise UserError(f"Argument `data.lr`: {error}") from error
        return path


def _file(name: str, argument: str) -> Path:
    """The image file of this name.

    Raises:
        UserError: there is none; a folder.
    """
    path = Path(name).expanduser()
    kinds = f"one image file ({', '.join(suffix[1:] for suffix in SUFFIXES)})"
    if path.is_dir():
        raise UserError(f"Argument `{argument}` must be {kinds}, but {path} is a folder.")
    if not path.is_file():
        raise UserError(f"Argument `{argument}` must be {kinds}, but {path} does not exist.")
    return path
