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
    """A network with its device, precision and tiling.

    Args:
        network: torch's own, with self-ensemble and colour correction around it: what is measured.
        engine: what computes: the same function as ``network``.
        scale: HR size / LR size.
        name: for people.
        device: where the engine computes.
        dtype: in which format.
        tile: LR pixels a side; None takes what the free memory suggests.
        overlap: LR pixels; None takes the receptive radius.
        batch: tiles computed at once; None takes 4 on CUDA and 1 elsewhere.
        single: makes the same one in single precision, where half precision was chosen for it and
            not asked for; results of more than 8 bits need it, and photos on which it would show.
        reference: in that case, ``network`` in single precision.
        computed: the format that the engine computes in, where it is another than ``dtype``, which
            it takes and gives.
        carrier: the engine's name.
        cost: PSNR in dB of integers to single precision, as it was measured; None of others.
        sensor: the kind of photos that it was trained on.
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
        """The engine on (B, 3, H, W) in [0, 1] at once: (B, 3, sH, sW), float, where ``lr`` is."""
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
        """The format that the engine computes in: "float32", "bfloat16", "int8", ..."""
        return str(self.computed or self.dtype).removeprefix("torch.")

    @property
    def means(self) -> str:
        """What computes, in which format and at which cost, in words for people."""
        kind = self.kind if self.single is None else f"{self.kind} or float32"
        cost = "" if self.cost is None else f" ({self.cost:.1f} dB from float32)"
        return f"{self.carrier}, {kind}{cost}"

    def of_depth(self, depth: np.dtype[Any]) -> Upscaler:
        """The one that computes results of this type: of more than 8 bits in single precision.

        A half-precision number has 8 or 11 bits, and int8 has 8; where it was asked for, that is
        said once.
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
        """The one for this image: in single precision where half precision would show.

        Half precision that was asked for stays; that which was chosen must come within 50 dB of
        single precision on the image's own patches, which are the same at every call.

        Args:
            image: from which patches are read; it is read anew, not from here on.
            depth: uint8, uint16 or float32 of the result.
        """
        chosen = self.of_depth(depth)
        if chosen is not self or self.single is None or self.reference is None:
            return chosen
        place = torch.empty(0, device=self.device, dtype=self.dtype)
        # A network of torch's stands for its engine, which would be compiled for these sizes, too.
        judged = self.network if self.computed is None else self.engine
        seen = patches(image.again(), self.channels)
        found = psnr_to(self.reference, judged, seen, place)
        return self if found >= BOUND else self._exact

    @property
    def channels(self) -> int:
        """Of the images that the network takes."""
        return channels_of(self.network)

    @cached_property
    def _exact(self) -> Upscaler:
        assert self.single is not None
        return self.single()

    @cached_property
    def radius(self) -> int | None:
        """The receptive radius in LR pixels, measured; None without a bound."""
        return receptive_radius(self.network, self.scale)

    @cached_property
    def seams(self) -> Overlap:
        """The overlap of tiles."""
        if self.overlap is not None and self.overlap >= 128:  # more than what can be measured
            return overlap_for(0, self.overlap)
        return overlap_for(self.radius, self.overlap)

    @cached_property
    def side(self) -> int:
        """The side of a tile in LR pixels, without its overlap."""
        if self.tile is not None:
            return self.tile // CELL * CELL
        # Before the radius is known: measuring it takes longer than small photos do.
        return tile_for(bytes_per_pixel(self.network), self.device, UNBOUNDED_OVERLAP)

    @property
    def together(self) -> int:
        """The number of tiles computed at once."""
        return self.batch or BATCH.get(self.device.type, 1)
