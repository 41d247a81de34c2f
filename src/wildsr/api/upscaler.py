"""An upscaler for arrays, tensors and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from wildsr.api.images import Image, tensor_of
from wildsr.inference import upscaler as inference
from wildsr.inference.file import Settings, upscale_file
from wildsr.inference.strips import upscale_image
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
            image: a numpy array, (H, W) or (H, W, C), uint8, uint16 or floats in [0, 1]; C is 1 or
                3, and in integer arrays also 2 or 4, the last one alpha. Or a torch tensor,
                (C, H, W) or (B, C, H, W), C = 1 or 3, uint8 or floats in [0, 1].

        Returns:
            The same type, dtype, channels and device, with sides `scale` times as long. Floats are
            clamped
            to [0, 1] and not rounded to 8 bits; there is no gradient.

        Raises:
            UserError: another type, shape or range, or too little memory for the smallest tile.
        """
        if isinstance(image, np.ndarray) and _whole_numbers(image):
            return self._integers(image)
        lr, back = tensor_of(image, "image")
        made: Image = back(self._tensor(lr))
        return made

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


def _whole_numbers(image: npt.NDArray[Any]) -> bool:
    """Whether it is an image as files hold them."""
    shaped = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (1, 2, 3, 4))
    return image.dtype in (np.uint8, np.uint16) and image.size > 0 and shaped
