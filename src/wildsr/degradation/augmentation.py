"""The steps of degradation pipelines as augmentations for Kornia.

    from kornia.augmentation import AugmentationSequential, RandomHorizontalFlip
    from wildsr.degradation.augmentation import RandomJPEG, RandomSensor

    augment = AugmentationSequential(RandomHorizontalFlip(), RandomSensor(), RandomJPEG((30, 95)))
    noisy = augment(images)          # (B, 3, H, W) in [0, 1], on any device, with a gradient

Each class is a pipeline step (:mod:`wildsr.degradation.pipeline`) with the same arguments and
Kornia's ``p``, ``same_on_batch`` and ``keepdim``. Every sample has its own random parameters;
``augment(images, params=augment._params)`` repeats the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from kornia.augmentation import IntensityAugmentationBase2D
from kornia.augmentation.random_generator import RandomGeneratorBase
from torch import Tensor

from wildsr.degradation.pipeline.blur import Blur, Sharpen, Sinc
from wildsr.degradation.pipeline.canvas import Canvas
from wildsr.degradation.pipeline.media import Dither, Halftone, Tape, TextureBlocks
from wildsr.degradation.pipeline.noise import JPEG, Noise, Sensor
from wildsr.degradation.pipeline.pipeline import Step
from wildsr.degradation.pipeline.scanner import Speckle, Stripes
from wildsr.error import UserError


class _Seeds(RandomGeneratorBase):
    """One seed for each sample, from torch's global generator, as Kornia draws everything."""

    def make_samplers(self, device: torch.device, dtype: torch.dtype) -> None:
        """Nothing to make: seeds are whole numbers on the CPU."""

    def forward(
        self, batch_shape: tuple[int, ...], same_on_batch: bool = False
    ) -> dict[str, Tensor]:
        """(B,) whole numbers."""
        count = int(batch_shape[0])
        drawn = torch.randint(2**62, (1 if same_on_batch else count,))
        return {"seed": drawn.expand(count).clone()}


class RandomDegradation(IntensityAugmentationBase2D):
    """Any pipeline step that keeps the image size, as a Kornia augmentation.

    Args:
        step: of :mod:`wildsr.degradation.pipeline`; also ``Steps``, ``Choice``, ``RandomOrder``.
        p: probability that a sample is degraded.
        same_on_batch: draw once for the whole batch.
        keepdim: return (C, H, W) for (C, H, W).

    Raises:
        UserError: ``step`` is not a pipeline step; when called, the step changes the size or
            refuses the image.
    """

    def __init__(
        self, step: Step, p: float = 1.0, same_on_batch: bool = False, keepdim: bool = False
    ) -> None:
        super().__init__(p=p, same_on_batch=same_on_batch, keepdim=keepdim)
        if not isinstance(step, Step):
            raise UserError(
                f"Argument `step` must be a step of a pipeline, but got {type(step).__name__}."
            )
        self.step = step
        self._param_generator = _Seeds()

    def apply_transform(
        self,
        input: Tensor,
        params: Mapping[str, Tensor],
        flags: Mapping[str, Any],
        transform: Tensor | None = None,
    ) -> Tensor:
        """Degrade (B, C, H, W) with the random numbers seeded by ``params["seed"]`` (B,).

        Raises:
            UserError: the step changes the size, or refuses the image.
        """
        seeds = [int(seed) for seed in params["seed"].tolist()]
        if not seeds:
            return input
        height, width = input.shape[-2:]
        draws = [np.random.default_rng(seed) for seed in seeds]
        size = (int(height), int(width))
        canvas = Canvas(input, [size] * len(seeds), size, size, draws, [[] for _ in seeds])
        if input.device.type == "cpu":  # there each sample has its own generator
            out = self.step(canvas).image
        else:
            with torch.random.fork_rng([input.device], device_type=input.device.type):
                torch.manual_seed(seeds[0])
                out = self.step(canvas).image
        if out.shape != input.shape:
            raise UserError(
                f"Argument `step`: {type(self.step).__name__} made {tuple(out.shape[-2:])} of "
                f"{(height, width)}, but an augmentation of intensity keeps the size."
            )
        return out.to(input.dtype)


class _Named(RandomDegradation):
    """A step with the arguments of its own class, and Kornia's."""

    made: type[Step]

    def __init__(
        self,
        *arguments: Any,
        p: float = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        **named: Any,
    ) -> None:
        super().__init__(self.made(*arguments, **named), p, same_on_batch, keepdim)


class RandomJPEG(_Named):
    """Compresses as libjpeg does, differentiably; arguments of ``JPEG``."""

    made = JPEG


class RandomNoise(_Named):
    """Adds Gaussian, Poisson, sensor or speckle noise; arguments of ``Noise``."""

    made = Noise


class RandomSensor(_Named):
    """Adds noise before demosaicking; arguments of ``Sensor``."""

    made = Sensor


class RandomBlur(_Named):
    """Blurs by a random kernel for each sample; arguments of ``Blur``."""

    made = Blur


class RandomSinc(_Named):
    """Filters with a sinc kernel, which rings like sharp resizing; arguments of ``Sinc``."""

    made = Sinc


class RandomUnsharpMask(_Named):
    """Sharpens by an unsharp mask; arguments of ``Sharpen``."""

    made = Sharpen


class RandomHalftone(_Named):
    """Prints as a halftone; arguments of ``Halftone``."""

    made = Halftone


class RandomDither(_Named):
    """Reduces to a few colours by dithering; arguments of ``Dither``."""

    made = Dither


class RandomTextureBlocks(_Named):
    """Compresses as textures (BC1, BC4); arguments of ``TextureBlocks``."""

    made = TextureBlocks


class RandomTape(_Named):
    """Records on analogue video tape; arguments of ``Tape``."""

    made = Tape


class RandomStripes(_Named):
    """Adds the stripes of a line sensor; arguments of ``Stripes``."""

    made = Stripes


class RandomSpeckle(_Named):
    """Multiplies by the speckle of radar or ultrasound; arguments of ``Speckle``."""

    made = Speckle
