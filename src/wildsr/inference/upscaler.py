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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.inference.closeness import BOUND, patches, psnr_to
from wildsr.inference.colour import ColourFix
from wildsr.inference.device import PRECISIONS, choose_precision
from wildsr.inference.engine import HINTS, OpenVino, Padded, choose_engine, engine_precision
from wildsr.inference.ensemble import Ensemble
from wildsr.inference.fastest import CANDIDATES, PLAIN, fastest, noise_patch
from wildsr.inference.fastest import SIDE as TIMED
from wildsr.inference.int8 import quantize
from wildsr.inference.memory import bytes_per_pixel, tile_for
from wildsr.inference.remembered import (
    cache_folder,
    machine_facts,
    network_digest,
    remembered,
)
from wildsr.inference.sample import opened
from wildsr.inference.tile import CELL, channels_of, place_of, receptive_radius
from wildsr.inference.windows import UNBOUNDED_OVERLAP, Overlap, overlap_for
from wildsr.photo.folder import say_once
from wildsr.photo.rows import Rows
from wildsr.photo.sensor import RGB, Sensor

ENGINES_OF_TORCH = ("torch", "compile")
COARSE = (torch.float16, torch.bfloat16, torch.int8)
PICTURES = (1, 3)  # channels of networks for which any photo can be calibrated on
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
    photos: Sequence[Path] = (),
    sensor: Sensor = RGB,
) -> Upscaler:
    """Make a network ready for whole photos: for upscaling, delivering and measuring alike.

    Args:
        network: (B, 3, H, W) to (B, 3, sH, sW); moved to ``device`` and put into evaluation mode.
        scale: s.
        name: for people.
        device: where it is to compute.
        engine: "torch", "compile", "onnxruntime" or "openvino"; "auto" takes the fastest of torch,
            openvino and onnxruntime, by a timing that this machine does once for each network.
        precision: "auto", "fp32", "fp16" or "bf16"; onnxruntime knows fp32, and openvino "int8",
            too, which "auto" never takes. None leaves the weights in the format they have, for
            networks that are still trained.
        ensemble: mean over the eight flips and turns.
        colour_fix: take the low frequencies of the input.
        tile: see :class:`Upscaler`, as for the next two.
        overlap: LR pixels.
        batch: tiles computed at once.
        photos: files, of those that are to be upscaled: int8 is calibrated on them, and engines are
            timed on the first, in half precision if that does not show there.
        sensor: the kind of photos that it was trained on.

    Raises:
        UserError: whatever of this cannot be.
    """
    if precision == "int8" and engine not in ("auto", "openvino"):
        raise UserError(
            "Argument `precision` is 'int8', which needs engine=openvino (or auto), but got "
            f"engine={engine}."
        )
    if precision == "int8" and (sensor.deep or channels_of(network) not in PICTURES):
        raise UserError(
            "Argument `precision` must not be 'int8' for a network of measured values (16 bits, "
            "floats, or many channels), whose levels are more than its 256."
        )
    network = network.eval().to(device)
    given: dict[str, Any] = {"ensemble": ensemble, "colour_fix": colour_fix}
    given |= {"tile": tile, "overlap": overlap, "batch": batch, "sensor": sensor}
    if engine == "auto":
        engine = _fastest(network, scale, device, str(precision), photos)
    _, dtype = place_of(network, torch.empty(0))
    single: Callable[[], Upscaler] | None = None
    reference: nn.Module | None = None
    computed: torch.dtype | None = None
    cost: float | None = None
    format = "fp32"
    if precision is None:
        network.to(memory_format=torch.channels_last)
    elif engine in ENGINES_OF_TORCH:
        network.to(memory_format=torch.channels_last)
        dtype = choose_precision(precision, network, device)
        if precision == "auto" and dtype != torch.float32:
            reference = copy.deepcopy(network)
        network.to(dtype)
    else:
        dtype = torch.float32
        format = engine_precision(engine, precision, network, device)
    carried = choose_engine(engine, network, device, scale)
    if format != "fp32":
        assert isinstance(carried, Padded)
        assert isinstance(carried.engine, OpenVino)
        if format == "int8":
            computed, cost = torch.int8, quantize(carried, network, photos, device)
        else:
            computed = PRECISIONS[format]
            carried.engine.compute(carried.engine.graph, HINTS[format])
            reference = network if precision == "auto" else None
    if reference is not None:
        single = partial(prepare, reference, scale, name, device, engine=engine, **given)

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
        computed,
        engine,
        cost,
        sensor,
    )


def _fastest(
    network: nn.Module, scale: int, device: torch.device, precision: str, photos: Sequence[Path]
) -> str:
    """The engine that ``auto`` stands for: what was chosen on this machine before, or is now."""
    if precision == "int8":
        return "openvino"
    channels = channels_of(network)
    photo = next(opened(photos), None) if channels in PICTURES else None

    def ready(engine: str) -> Upscaler:
        own = copy.deepcopy(network)
        made = prepare(own, scale, "", device, engine=engine, precision=precision)
        return made if photo is None else made.suited(photo, np.dtype(np.uint8))

    def decide() -> str:
        lr = noise_patch(channels)
        if photo is not None:
            top, left = (max(side - TIMED, 0) // 2 for side in (photo.height, photo.width))
            lr = patches(photo.again(), channels, [(top, left)], TIMED)
        return fastest({engine: partial(ready, engine) for engine in CANDIDATES}, lr)

    key = {**machine_facts(device), "precision": precision, "network": network_digest(network)}
    chosen = remembered("engine", key, decide)
    if chosen is None:
        say_once(f"engine=auto takes torch: its choice cannot be kept in {cache_folder()}")
    return chosen if chosen in CANDIDATES else PLAIN
