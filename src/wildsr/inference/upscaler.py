"""An upscaler ready for use: a network with its engine and tiling.

From Python::

    from wildsr.run.load import load_upscaler
    from wildsr.inference.file import upscale_file

    upscaler = load_upscaler(weights="4x_photo.safetensors")              # or run="runs/wild-demo"
    upscale_file(upscaler, "photo.jpg", "out/photo.png", progress=lambda done, all: ...)

    sr = upscaler(lr)                                            # (B, 3, H, W) tensors in [0, 1]
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.inference.closeness import BOUND, patches, psnr_to
from wildsr.inference.colour import ColourFix
from wildsr.inference.device import choose_precision
from wildsr.inference.engine import choose_engine
from wildsr.inference.ensemble import Ensemble
from wildsr.inference.memory import bytes_per_pixel, tile_for
from wildsr.inference.tile import CELL, channels_of, place_of, receptive_radius
from wildsr.inference.windows import UNBOUNDED_OVERLAP, Overlap, overlap_for
from wildsr.photo.folder import say_once
from wildsr.photo.rows import Rows
from wildsr.photo.sensor import RGB, Sensor

ENGINES_OF_TORCH = ("torch", "compile")
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

    def of_depth(self, depth: np.dtype[Any]) -> Upscaler:
        """The one that computes results of this type: of more than 8 bits in single precision.

        A half-precision number has 8 or 11 bits; where it was asked for, that is said once.
        """
        if depth == np.uint8 or self.dtype not in (torch.float16, torch.bfloat16):
            return self
        if self.single is not None:
            return self._exact
        if depth == np.uint16:
            kind = str(self.dtype).removeprefix("torch.")
            say_once(f"results of 16 bits have far fewer levels in {kind}; precision=fp32 has all")
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
        seen = patches(image.again(), self.channels)
        found = psnr_to(self.reference, self.network, seen, place)
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


def prepare(
    network: nn.Module,
    scale: int,
    name: str,
    device: torch.device,
    *,
    engine: str = "torch",
    precision: str | None = "fp32",
    ensemble: bool = False,
    colour_fix: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
    batch: int | None = None,
    sensor: Sensor = RGB,
) -> Upscaler:
    """Make a network ready for whole photos: for upscaling, delivering and measuring alike.

    Args:
        network: (B, 3, H, W) to (B, 3, sH, sW); moved to ``device`` and put into evaluation mode.
        scale: s.
        name: for people.
        device: where it is to compute.
        engine: "torch", "compile", "onnxruntime" or "openvino".
        precision: "auto", "fp32", "fp16" or "bf16"; the engines but torch and compile know fp32.
            None leaves the weights in the format they have, for networks that are still trained.
        ensemble: mean over the eight flips and turns.
        colour_fix: take the low frequencies of the input.
        tile: see :class:`Upscaler`, as for the next two.
        overlap: LR pixels.
        batch: tiles computed at once.
        sensor: the kind of photos that it was trained on.

    Raises:
        UserError: whatever of this cannot be.
    """
    network = network.eval().to(device)
    _, dtype = place_of(network, torch.empty(0))
    single: Callable[[], Upscaler] | None = None
    reference: nn.Module | None = None
    if precision is None:
        network.to(memory_format=torch.channels_last)
    elif engine in ENGINES_OF_TORCH:
        network.to(memory_format=torch.channels_last)
        dtype = choose_precision(precision, network, device)
        if precision == "auto" and dtype != torch.float32:
            reference = copy.deepcopy(network)
            given: dict[str, Any] = {
                "engine": engine,
                "ensemble": ensemble,
                "colour_fix": colour_fix,
            }
            sizes: dict[str, Any] = {"tile": tile, "overlap": overlap, "batch": batch}
            sizes["sensor"] = sensor
            single = partial(prepare, reference, scale, name, device, **given, **sizes)
        network.to(dtype)
    elif precision not in ("auto", "fp32"):
        raise UserError(f"Argument `precision` must be 'fp32' for engine={engine}.")
    else:
        dtype = torch.float32
    carried = choose_engine(engine, network, device, scale)

    def dressed(inner: nn.Module) -> nn.Module:
        inner = Ensemble(inner) if ensemble else inner
        return (ColourFix(inner, scale) if colour_fix else inner).eval()

    return Upscaler(
        dressed(network),
        dressed(carried),
        scale,
        name,
        device,
        dtype,
        tile,
        overlap,
        batch,
        single,
        None if reference is None else dressed(reference),
        sensor,
    )
