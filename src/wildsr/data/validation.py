"""Whole photos for validation and evaluation, with ground truth if there is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset

from wildsr.data.pairs import check_pair
from wildsr.data.store import read_kind
from wildsr.photo.folder import flat_names
from wildsr.photo.image import LIMIT, one_channel, read_image
from wildsr.photo.samples import Samples
from wildsr.photo.sensor import RGB, Sensor


class ValidationPhotos(Dataset[dict[str, Any]]):
    """Whole photos, read on access: ``{"name": str, "lr": uint8 (3, h, w)}``.

    With a ground truth, ``"hr"`` is uint8 (3, sh, sw), cropped by up to ``s - 1`` spare rows at the
    bottom and columns at the right; ``"gray"`` says whether its file has one channel.

    Args:
        photos: LR files and their HR files, or None without ground truth.
        scale: HR pixels per LR pixel, s.
        arguments: what the user calls the LR and the HR folder, for error messages.
        limit: megapixels of a photo that is read; None for any number.
        sensor: what the photos are made into; of other sensors than 8-bit cameras they are float32
            (channels, h, w) from black to white, [0, 1].
        fetch: called with each file before it is read, where they lie elsewhere.
    """

    def __init__(
        self,
        photos: Sequence[tuple[Path, Path | None]],
        scale: int,
        arguments: tuple[str, str] = ("data.val_lr", "data.val_hr"),
        limit: float | None = LIMIT,
        sensor: Sensor = RGB,
        fetch: Callable[[Path], None] | None = None,
    ) -> None:
        self.fetch = fetch
        self.photos, self.scale, self.arguments = list(photos), scale, arguments
        self.limit, self.sensor = limit, sensor
        paths = [lr for lr, _ in self.photos]
        self.names = [path.stem for path in paths]
        if len({name.lower() for name in self.names}) < len(paths):
            self.names = flat_names(paths)

    @property
    def elsewhere(self) -> bool:
        """Whether the files only stand for photos in another place."""
        return self.fetch is not None

    @property
    def truths(self) -> tuple[Path, ...]:
        """The files of the ground truth, each once."""
        return tuple(dict.fromkeys(hr for _, hr in self.photos if hr is not None))

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> dict[str, Any]:
        lr_path, hr_path = self.photos[index]
        lr = self.read(lr_path)
        item: dict[str, Any] = {
            "name": self.names[index],
            "lr": torch.from_numpy(lr).permute(2, 0, 1),
        }
        if hr_path is not None:
            hr = self.read(hr_path)
            sizes = lr.shape[:2], hr.shape[:2]
            check_pair((lr_path, hr_path), sizes, self.scale, self.arguments)
            height, width = self.scale * lr.shape[0], self.scale * lr.shape[1]
            item["hr"] = torch.from_numpy(hr[:height, :width]).permute(2, 0, 1)
            item["gray"] = self.sensor.plain and one_channel(hr_path)
        return item

    def read(self, path: Path) -> Samples:
        """Read a photo: (h, w, channels), uint8 or floats in [0, 1].

        Raises:
            UnreadableImage: it cannot be decoded.
        """
        if self.fetch is not None:
            self.fetch(path)
        return read_photo(path, self.limit, self.sensor)


def read_photo(path: Path, limit: float | None, sensor: Sensor) -> Samples:
    """Read a photo as networks of a sensor get it: (h, w, channels), uint8 or floats in [0, 1].

    Args:
        path: of the photo.
        limit: megapixels of a photo that is read; None for any number.
        sensor: what it is made into.

    Raises:
        UnreadableImage: it cannot be decoded.
    """
    if sensor.plain:
        return read_image(path, limit)
    return sensor.seen(read_kind(path, limit, sensor))
