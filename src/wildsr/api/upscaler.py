"""An upscaler for arrays, tensors and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wildsr.api.images import Image, channels_in, planes_of
from wildsr.error import UserError
from wildsr.inference import upscaler as inference
from wildsr.inference.bands import FLOAT, upscale_values
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.raster import own_range
from wildsr.inference.strips import upscale_image
from wildsr.pixels import white
from wildsr.run import load


def load_upscaler(
    run: str | Path | None = None,
    weights: str | Path | None = None,
    *,
    device: str = "auto",
    strength: float | None = None,
    **options: Any,
) -> Upscaler:
    """Load an upscaler from a run's folder or from a weights file.

    Args:
        run: the folder of a run; the averaged (EMA) networks of its newest checkpoint are loaded.
        weights: a weights file instead: one written by wildsr, or of any architecture that spandrel
            knows.
        device: "auto", "cpu", "cuda" (or "cuda:1") or "mps".
        strength: for a run with a finish stage, from 0 (the faithful upscaler) to 1 (the sharp
            one); None for the run's own default.
        options: further arguments of :func:`wildsr.run.load.load_upscaler`: `engine`,
            `precision`, `ensemble`, `colour_fix`, `tile`, `overlap`, `batch`; and `trust`, which
            allows a run to name classes outside wildsr, whose code then runs.

    Raises:
        UserError: no such run, file, device or option, or a file that cannot be read.

    Examples:
        >>> import numpy, wildsr
        >>> upscaler = wildsr.load_upscaler(run="runs/first")
        >>> photo = numpy.zeros((24, 32, 3), numpy.uint8)
        >>> upscaler.upscale(photo).shape
        (96, 128, 3)
        >>> upscaler.upscale_file("lr/photo0.png", "large.png")
        PosixPath('large.png')
    """
    return Upscaler(load.load_upscaler(run, weights, device=device, strength=strength, **options))


class Upscaler:
    """A trained upscaler for photos of any size; made by :func:`load_upscaler`.

    Attributes:
        name: of the run or of the weights file.
        scale: size of the result / size of the photo.
        device: where it computes.
    """

    def __init__(self, loaded: inference.Upscaler) -> None:
        self._loaded = loaded
        self.name, self.scale, self.device = loaded.name, loaded.scale, loaded.device

    def __repr__(self) -> str:
        return f"Upscaler({self.name!r}, scale={self.scale}, device={str(self.device)!r})"

    def upscale(self, image: Image) -> Image:
        """Upscale an image; an array gives an array, a tensor gives a tensor.

        Large images are processed in overlapping tiles, which are blended without visible seams.

        Args:
            image: a numpy array, (H, W) or (H, W, C), uint8, uint16 or floats in [0, 1]; C is that
                of the run's sensor, of gray and RGB ones 1 or 3, and in arrays of integers there
                may be one more, alpha. An RGB or gray network takes more than four channels one by
                one. Where the sensor has a range of its own, arrays of its type are in its numbers
                (`data.range`). Or a torch tensor, (C, H, W) or (B, C, H, W), uint8 or floats in
                [0, 1].

        Returns:
            The same type, channels and device, with sides `scale` times as long. Floats stay within
            [0, 1], and are not rounded to 8 bits; of a range of their own, what lies outside is
            enlarged and added, and NaN stay where they are. There is no gradient.

        Raises:
            UserError: another type, shape or range, or too little memory for the smallest tile.
        """
        channels, loaded = channels_in(image), self._loaded
        self._check_channels(image, channels)
        if isinstance(image, np.ndarray):
            alpha = channels not in _taken(loaded.channels)
            of_files = image.dtype.kind == "f" or image.dtype not in (np.uint8, np.uint16)
            span = None if alpha else own_range(loaded.sensor, FLOAT if of_files else image.dtype)
            if span is not None and image.dtype.kind in "iuf" and image.size:
                return upscale_values(loaded, image, span)
            if channels > 4 and loaded.channels in (1, 3):
                return upscale_values(loaded, image, (0.0, white(image.dtype)))
            if image.dtype in (np.uint8, np.uint16) and image.size:
                return self._integers(image)
        lr, back = planes_of(image, "image")
        made: Image = back(self._tensor(lr))
        return made

    def _check_channels(self, image: Image, channels: int) -> None:
        """Refuse channels that the network does not take.

        Raises:
            UserError: saying how many it takes.
        """
        own, whole = self._loaded.channels, isinstance(image, np.ndarray)
        if whole and own in (1, 3) and image.ndim == 3 and image.shape[0] == own < 4 < channels:
            raise UserError(
                "Argument `image` must be (H, W, C) as an array, but its shape "
                f"{tuple(image.shape)} is that of (C, H, W); tensors are (C, H, W)."
            )
        known = whole and image.dtype in (np.uint8, np.uint16)
        taken: set[int] = _taken(own)
        more = {channels - 1} & taken if known else set()  # one is alpha
        if channels in {0, *taken} or more or (own in (1, 3) and channels > 4 and whole):
            return
        said = " or ".join(str(number) for number in sorted(taken))
        raise UserError(
            f"Argument `image` must have {said} channel{'s' * (said != '1')}, as the photos that "
            f"{self.name} has learned from, but got {channels} (shape {tuple(image.shape)})."
        )

    def upscale_file(self, input: str | Path, output: str | Path, **settings: Any) -> Path:
        """Upscale one photo into a file, which appears when it is complete.

        Orientation, colour profile, alpha and 16 bits are kept where the format supports them; an
        existing file is replaced.

        Args:
            input: the photo.
            output: the result; its suffix names the format: PNG, JPEG, WebP, TIFF, HEIC, AVIF,
                and for measured values NPY, NPZ and DICOM.
            settings: `outscale` (size of the result / size of the photo), `quality` of JPEG, WebP,
                HEIC and AVIF, `depth`, `format`, `limit`, and for photos of measured values
                (TIFF, DICOM, ...) `bands`, `page`, `range`, `identity`: see
                :class:`wildsr.inference.settings.Settings`.

        Returns:
            `output` as a path.

        Raises:
            UserError: the photo is missing or damaged, a setting is invalid, or `output` cannot be
                written.
        """
        return upscale_file(self._loaded, Path(input), Path(output), Settings(**settings))

    def _tensor(self, lr: Tensor) -> Tensor:
        images = lr.permute(0, 2, 3, 1).cpu().numpy()
        kind = np.dtype(np.float32)
        made = [torch.from_numpy(upscale_image(self._loaded, image, kind)) for image in images]
        return torch.stack(made).permute(0, 3, 1, 2).to(lr.device)

    def _integers(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """As files are upscaled: with alpha, and in strips."""
        whole = image if image.ndim == 3 else image[..., None]
        made = upscale_image(self._loaded, whole, image.dtype)
        return made[..., 0] if image.ndim == 2 else made


def _taken(own: int) -> set[int]:
    """The numbers of colours that a network of ``own`` channels takes at once."""
    return {1, 3} if own in (1, 3) else {own}
