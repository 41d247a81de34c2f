"""Prepare a network for whole photos: engine, precision, ensemble, colour fix, tiling."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.inference.closeness import patches
from wildsr.inference.colour import ColourFix
from wildsr.inference.device import PRECISIONS, choose_precision, quicker
from wildsr.inference.engine import HINTS, OpenVino, Padded, choose_engine, engine_precision
from wildsr.inference.ensemble import Ensemble
from wildsr.inference.fastest import CANDIDATES, PLAIN, fastest, noise_patch
from wildsr.inference.fastest import SIDE as TIMED
from wildsr.inference.int8 import quantize
from wildsr.inference.remembered import (
    cache_folder,
    machine_facts,
    network_digest,
    remembered,
)
from wildsr.inference.sample import opened
from wildsr.inference.tile import channels_of, place_of
from wildsr.inference.upscaler import Upscaler
from wildsr.photo.folder import say_once
from wildsr.photo.sensor import RGB, Sensor

ENGINES_OF_TORCH = ("torch", "compile")
PICTURES = (1, 3)  # channels of networks that any photo can serve to calibrate


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
    """Prepare a network for whole photos; the same for upscaling, serving and measuring.

    Args:
        network: (B, 3, H, W) to (B, 3, sH, sW); moved to ``device`` and put into evaluation mode.
        scale: s.
        name: for messages.
        device: where it computes.
        engine: "torch", "compile", "onnxruntime" or "openvino"; "auto" is the fastest of torch,
            openvino and onnxruntime, timed once on this machine for each network.
        precision: "auto", "fp32", "fp16" or "bf16"; onnxruntime has only fp32, and openvino also
            "int8", which "auto" never chooses. None keeps the weights' format, for networks that
            are still trained.
        ensemble: average over the eight flips and rotations.
        colour_fix: replace the low frequencies by the input's.
        tile: see :class:`Upscaler`, as for the next two.
        overlap: in LR pixels.
        batch: tiles computed at once.
        photos: files to be upscaled: int8 is calibrated on them, and engines are timed on the
            first, in half precision if the difference is not visible there.
        sensor: the kind of photos that it was trained on.

    Raises:
        UserError: an invalid setting, or a combination that is not possible.
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
            plain, half = carried.engine, carried.engine.other(HINTS[format])
            if precision != "auto" or quicker(engine, network, lambda: plain, lambda: half):
                carried.engine, computed = half, PRECISIONS[format]
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
    """The engine for ``auto``: the one chosen on this machine before, or else chosen now."""
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
    chosen = remembered("engine", {**key, "timed on": TIMED}, decide)
    if chosen is None:
        say_once(f"engine=auto takes torch: its choice cannot be kept in {cache_folder()}")
    return chosen if chosen in CANDIDATES else PLAIN
