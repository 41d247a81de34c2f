"""A pair made of an ordinary photo: gray or RGB of 8 or 16 bits, with or without alpha."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from wildsr.archive.place import PairPaths
from wildsr.atomic import Partial
from wildsr.error import UserError
from wildsr.inference import alpha as transparency
from wildsr.inference.degrading import (
    FileDegrader,
    Floats,
    PairFiles,
    PairSettings,
    block_mean,
)
from wildsr.inference.raster import own_range
from wildsr.photo.encode import FORMATS, Encoder, Target
from wildsr.photo.rows import on_white
from wildsr.photo.samples import Range, write_tiff
from wildsr.photo.sensor import span_of, unit_of, values_of
from wildsr.photo.stream import Photo

QUALITY = 95  # of JPEG files, where none is asked for


class PhotoPair(PairFiles):
    """A pair that is being made of an ordinary photo.

    Args:
        photo: the sharp one.
        targets: the files: PNG or TIFF; the LR may be JPEG.
        degrader: the degradation.
        settings: how they are written.

    Attributes:
        size: (width, height) of the LR.
        target: the LR's file.

    Raises:
        UnreadableImage: it is too small.
        UserError: a depth that the format or JPEG does not know, channels that the degradation
            does not take.
    """

    def __init__(
        self,
        photo: Photo,
        targets: PairPaths,
        degrader: FileDegrader,
        settings: PairSettings,
    ) -> None:
        self.photo, self.degrader, self.quality = photo, degrader, settings.quality
        self.target = targets.lr
        degrader.check(photo.path, photo.height, photo.width)
        self.alpha = photo.channels in (2, 4)
        degrader.check_channels(photo.channels - self.alpha, photo.path)
        scale = degrader.scale
        self.size = (photo.width // scale, photo.height // scale)
        self.dtype = self._dtype(settings.files.depth, targets)
        coded = self.quality is not None or _is_jpeg(targets)
        if coded and self.dtype != np.uint8:
            raise UserError(
                f"JPEG (`quality`, `format=jpeg`) has 8 bits, but the pair of {photo.path} has "
                "more; depth=8 makes one of 8 bits."
            )
        white = span_of(photo.dtype)
        self.seen, self.made = white, white  # black and white of the HR, and of the LR
        if not self.alpha:
            self.seen = own_range(degrader.sensor, photo.dtype, "hr") or white
            self.made = own_range(degrader.sensor, photo.dtype, "lr") or white
        self.partials = [Partial(targets.hr)]
        try:
            self.partials.append(Partial(targets.lr))
        except BaseException:
            self.abandon()
            raise

    def _dtype(self, depth: int | str | None, targets: PairPaths) -> np.dtype[Any]:
        if depth is None:
            return self.photo.dtype
        format = FORMATS[targets.hr.suffix.lower().removeprefix(".")]
        if depth == "float" and (format != "tif" or self.alpha or _is_jpeg(targets)):
            raise UserError(
                f"Argument `depth`: pairs of floats of {self.photo.path} need format=tif, and a "
                "photo without alpha."
            )
        return np.dtype({8: np.uint8, 16: np.uint16, "float": np.float32}[depth])

    def compute(self) -> None:
        """Write both files under other names."""
        try:
            self._write()
        except BaseException:
            self.abandon()
            raise

    def _write(self) -> None:
        width, height = self.size
        scale, photo = self.degrader.scale, self.photo
        rows = photo.read(photo.height)[: height * scale, : width * scale]  # all: it may be damaged
        colours = rows[..., :-1] if self.alpha else rows
        unit = unit_of(colours, self.seen)
        if self.alpha:
            opacity = rows[..., -1:].astype(np.float32) / np.float32(np.iinfo(rows.dtype).max)
            filled = transparency.fill(_tensor(unit), _tensor(opacity))[0]
            made = self.degrader(filled.permute(1, 2, 0).numpy())
            small = np.concatenate([made, block_mean(opacity, scale)], -1)
        else:
            small = self.degrader(unit)
        sharp = rows
        if self.dtype != rows.dtype:
            sharp = self._values(unit_of(rows, self.seen), self.seen)
        self._encode(0, sharp)
        self._encode(1, self._values(small, self.made))

    def _values(self, unit: Floats, span: Range) -> Any:
        """[0, 1] as numbers of the files: between the range's ends, or all of another type."""
        if self.dtype != self.photo.dtype:
            span = span_of(self.dtype)
        return values_of(unit, span, self.dtype)

    def _encode(self, side: int, pixels: Any) -> None:
        partial, photo = self.partials[side], self.photo
        format = FORMATS[partial.target.suffix.lower().removeprefix(".")]
        if format == "jpg":
            _save_jpeg(pixels, self.quality or QUALITY, photo, partial)
            return
        if side == 1 and self.quality is not None:
            pixels = _through_jpeg(pixels, self.quality)
        if pixels.dtype.kind == "f":
            write_tiff(partial.path, pixels)
            return
        height, width = pixels.shape[:2]
        target = Target(format, width, height, QUALITY, pixels.dtype)
        encoder = Encoder(partial.path, (width, height), target, photo)
        encoder.take([np.ascontiguousarray(pixels)])
        encoder.finish()


def _is_jpeg(targets: PairPaths) -> bool:
    return FORMATS.get(targets.lr.suffix.lower().removeprefix(".")) == "jpg"


def _tensor(pixels: Floats) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def _picture(colours: Any) -> Image.Image:
    return Image.fromarray(
        np.ascontiguousarray(colours[..., 0] if colours.shape[2] == 1 else colours)
    )


def _save_jpeg(pixels: Any, quality: int, photo: Photo, partial: Partial) -> None:
    """Write a JPEG file with the photo's EXIF and profile; what is transparent lies on white."""
    if pixels.shape[2] in (2, 4):
        pixels = on_white(pixels)
    more: dict[str, Any] = {} if photo.exif is None else {"exif": photo.exif}
    if profile := photo.blobs.get("icc-profile-data"):
        more["icc_profile"] = profile
    _picture(pixels).save(partial.path, "JPEG", quality=quality, **more)


def _through_jpeg(pixels: Any, quality: int) -> Any:
    """Pixels of 8 bits as JPEG of this quality has them; alpha stays."""
    count = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    coded = io.BytesIO()
    _picture(pixels[..., :count]).save(coded, "JPEG", quality=quality)
    decoded = np.array(Image.open(coded)).reshape(*pixels.shape[:2], count)
    return np.concatenate([decoded, pixels[..., count:]], -1)
