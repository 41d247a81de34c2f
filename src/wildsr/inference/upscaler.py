"""An upscaler ready for use: a network with its engine and tiling.

From Python::

    from wildsr.run.load import load_upscaler
    from wildsr.inference.file import upscale_file

    upscaler = load_upscaler(weights="4x_photo.safetensors")              # or run="runs/wild-demo"
    upscale_file(upscaler, "photo.jpg", "out/photo.png", progress=lambda done, all: ...)

    sr = upscaler(lr)                                            # (B, 3, H, W) tensors in [0, 1]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.inference.closeness import BOUND, patches, psnr_to
from wildsr.inference.fastest import PLAIN
from wildsr.inference.memory import bytes_per_pixel, tile_for
from wildsr.inference.tile import CELL, channels_of, receptive_radius
from wildsr.inference.windows import UNBOUNDED_OVERLAP, Overlap, overlap_for
from wildsr.photo.folder import say_once
from wildsr.photo.rows import Rows
from wildsr.photo.sensor import RGB, Sensor

COARSE = (torch.float16, torch.bfloat16, torch.int8)
BATCH = {"cuda": 4}  # tiles computed at once; a CPU is not faster with more than one


@dataclass
class Upscaler:
    """A network with its inference engine, device, precision and tiling.

    Args:
        network: the PyTorch module, with self-ensemble and colour correction around it; memory and
            receptive radius are measured on it.
        engine: what runs the inference: computes the same function as ``network``.
        scale: HR size / LR size.
        name: shown to the user.
        device: where the engine computes.
        dtype: data type that the engine takes and gives.
        tile: side in LR pixels; None chooses it by the free memory.
        overlap: LR pixels; None takes the receptive radius.
        batch: tiles computed at once; None takes 4 on CUDA and 1 elsewhere.
        single: makes the same upscaler in float32. Given where half precision was chosen
            automatically, because results of more than 8 bits need float32, and so do photos on
            which half precision would be visible.
        reference: in that case, ``network`` in float32.
        computed: data type that the engine computes in, if it is another than ``dtype``.
        carrier: the engine's name.
        cost: PSNR in dB between int8 and float32 results, as measured; None for other types.
        sensor: the kind of photos that it was trained on.

    Raises:
        UserError: ``tile`` below 8, ``batch`` below 1 or a negative ``overlap``.
    """

    network: nn.Module
    engine: nn.Module
    scale: int
    name: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    tile: int | None = None
    overlap: int | None = None
    batch: int | None = None
    single: Callable[[], Upscaler] | None = None
    reference: nn.Module | None = None
    computed: torch.dtype | None = None
    carrier: str = PLAIN
    cost: float | None = None
    sensor: Sensor = RGB

    def __post_init__(self) -> None:
        if self.tile is not None and self.tile < CELL:
            raise UserError(f"Argument `tile` must be at least {CELL} pixels, but got {self.tile}.")
        if self.batch is not None and self.batch < 1:
            raise UserError(f"Argument `batch` must be 1 or more, but got {self.batch}.")
        overlap_for(0, self.overlap)  # only the check

    @torch.inference_mode()
    def __call__(self, lr: Tensor) -> Tensor:
        """Run the engine on whole images, without tiles.

        Args:
            lr: (B, C, H, W) in [0, 1].

        Returns:
            (B, C, sH, sW), float32, on the device of ``lr``, not clamped.

        Raises:
            UserError: ``scale`` is not the network's.
        """
        seen = lr.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        sr: Tensor = self.engine(seen)
        expected = (*lr.shape[:2], lr.shape[2] * self.scale, lr.shape[3] * self.scale)
        if sr.shape != expected:
            raise UserError(
                f"Argument `scale` must be that of the network, but got {self.scale}: "
                f"an input of {tuple(lr.shape)} came out as {tuple(sr.shape)}."
            )
        return sr.to(lr.device).float()

    @property
    def kind(self) -> str:
        """The data type that the engine computes in: "float32", "bfloat16", "int8", ..."""
        return str(self.computed or self.dtype).removeprefix("torch.")

    @property
    def means(self) -> str:
        """Engine, data type and PSNR to float32, as a phrase for the user."""
        kind = self.kind if self.single is None else f"{self.kind} or float32"
        cost = "" if self.cost is None else f" ({self.cost:.1f} dB from float32)"
        return f"{self.carrier}, {kind}{cost}"

    def of_depth(self, depth: np.dtype[Any]) -> Upscaler:
        """The upscaler for results of this data type: float32 for more than 8 bits.

        Half-precision formats have 8 or 11 significant bits, and int8 has 8. If the user asked for
        one of them, it stays, and a warning is printed once.
        """
        if depth == np.uint8 or (self.computed or self.dtype) not in COARSE:
            return self
        if self.single is not None:
            return self._exact
        if depth == np.uint16:
            say_once(
                f"results of 16 bits have far fewer levels in {self.kind}; precision=fp32 has all"
            )
        return self

    def suited(self, image: Rows, depth: np.dtype[Any]) -> Upscaler:
        """The upscaler for this image: in float32 where half precision would be visible.

        Half precision that the user asked for stays. If it was chosen automatically, its results
        must come within 50 dB PSNR of float32 on patches of the image, which are the same at every
        call.

        Args:
            image: patches are read from a new copy of it; its own position is not changed.
            depth: uint8, uint16 or float32 of the result.
        """
        chosen = self.of_depth(depth)
        if chosen is not self or self.single is None or self.reference is None:
            return chosen
        place = torch.empty(0, device=self.device, dtype=self.dtype)
        # The PyTorch module is checked, not its compiled engine, which would be compiled again.
        judged = self.network if self.computed is None else self.engine
        seen = patches(image.again(), self.channels)
        found = psnr_to(self.reference, judged, seen, place)
        return self if found >= BOUND else self._exact

    @property
    def channels(self) -> int:
        """Number of image channels that the network takes."""
        return channels_of(self.network)

    @cached_property
    def _exact(self) -> Upscaler:
        assert self.single is not None
        return self.single()

    @cached_property
    def radius(self) -> int | None:
        """The receptive radius in LR pixels, measured; None if it is unbounded."""
        return receptive_radius(self.network, self.scale)

    @cached_property
    def seams(self) -> Overlap:
        """The overlap of neighbouring tiles."""
        if self.overlap is not None and self.overlap >= 128:  # more than what can be measured
            return overlap_for(0, self.overlap)
        return overlap_for(self.radius, self.overlap)

    @cached_property
    def side(self) -> int:
        """The side of a tile in LR pixels, without its overlap."""
        if self.tile is not None:
            return self.tile // CELL * CELL
        # Without the measured radius: measuring it takes longer than upscaling a small photo.
        return tile_for(bytes_per_pixel(self.network), self.device, UNBOUNDED_OVERLAP)

    @property
    def together(self) -> int:
        """The number of tiles computed at once."""
        return self.batch or BATCH.get(self.device.type, 1)
