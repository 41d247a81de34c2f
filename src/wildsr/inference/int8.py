"""Int8 inference: a network quantized by OpenVINO's NNCF, calibrated on the user's photos."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.atomic import one_at_a_time, private_folder, refusal
from wildsr.error import UserError, first_line
from wildsr.extra import needed
from wildsr.inference.closeness import patches, psnr_to
from wildsr.inference.engine import OpenVino, Padded
from wildsr.inference.remembered import cache_folder, machine_facts, network_digest
from wildsr.inference.sample import opened
from wildsr.inference.tile import channels_of
from wildsr.network.padding import pad_to
from wildsr.photo.rows import Rows

SIDE = 64  # largest side of a patch in LR pixels
WANTED = 64  # patches of all photos together; every other one is held out
WHAT = "`precision=int8`"
QUIET = "NNCF_CI"  # environment variable that switches NNCF's telemetry off
NETWORK, COST = "network.xml", "cost.json"


def quantize(
    engine: Padded, network: nn.Module, photos: Sequence[Path], device: torch.device
) -> float:
    """Quantize an OpenVINO engine to 8-bit integers, and measure the loss of quality.

    Weights and activations get 256 levels each, whose ranges NNCF takes from patches of the photos
    (post-training quantization, Jacob et al. 2018, arXiv:1712.05877). The first and the last
    convolution stay in single precision: they work on the image itself, and are a small part of the
    work. The result is cached in the user's cache folder, so that the same network and patches give
    the same result.

    Args:
        engine: of OpenVINO; computes in integers afterwards.
        network: the same one in torch, in single precision.
        photos: files; unreadable ones are skipped.
        device: of ``network``.

    Returns:
        PSNR in dB to single precision, on patches not used for calibration.

    Raises:
        UserError: NNCF is not installed or cannot quantize the network; fewer than two patches.
    """
    inner = engine.engine
    assert isinstance(inner, OpenVino)
    nncf = _quiet_nncf()
    channels = channels_of(network)
    seen = [patch for photo in opened(photos) for patch in _cells(photo, len(photos), channels)]
    if len(seen) < 2:
        raise UserError(
            "Argument `precision` is 'int8', which is calibrated on local photos, of `input` or of "
            f"`calibration`: on one of at least {SIDE} x {2 * SIDE} pixels, or on two."
        )

    def quantized() -> Any:
        pads = [pad_to(patch, engine.multiple).numpy() for patch in seen[::2]]
        return _quantized(nncf, inner.graph, pads)

    folder = cache_folder() / "int8" / _key(network, engine.multiple, seen, device)
    if refusal(folder.parent) is not None:  # the cache cannot be written
        inner.compute(quantized())
        return _cost(network, engine, seen[1::2], device)
    with one_at_a_time(folder.parent / "lock"):
        if _cost_of(folder) is None:
            graph = quantized()
            inner.compute(graph)
            cost = _cost(network, engine, seen[1::2], device)
            with private_folder(folder.parent) as private:
                made = private / folder.name
                made.mkdir()
                openvino = needed("openvino", "int8", WHAT)
                openvino.save_model(graph, str(made / NETWORK), compress_to_fp16=False)
                (made / COST).write_text(json.dumps({"psnr": cost}) + "\n")
                os.replace(made, folder)
        inner.compute(inner.core.read_model(str(folder / NETWORK)))
        cost = _cost_of(folder) or math.nan
    return cost


def _cells(rows: Rows, photos: int, channels: int = 3) -> Iterator[Tensor]:
    """Patches of a photo that have no pixel in common, all over it: (1, C, h, w) in [0, 1]."""
    side = min(SIDE, rows.height, rows.width)
    corners = [
        (top, left)
        for top in range(0, rows.height - side + 1, side)
        for left in range(0, rows.width - side + 1, side)
    ]
    count = min(max(math.ceil(WANTED / photos), 2), len(corners))
    wanted = [corners[number * len(corners) // count] for number in range(count)]
    try:
        yield from patches(rows, channels, wanted, side).clamp(0, 1).split(1)
    except UserError:  # damaged after the header; reported when it is upscaled
        return


def _quantized(nncf: ModuleType, graph: Any, calibrating: list[Any]) -> Any:
    """OpenVINO's graph with integers in it."""
    kinds = ("Convolution", "GroupConvolution")
    convolutions = [
        operation.get_friendly_name()
        for operation in graph.get_ordered_ops()
        if operation.get_type_name() in kinds
    ]
    spared = [convolutions[0], convolutions[-1]] if len(convolutions) > 2 else []
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # hides NNCF's own progress bar
            return nncf.quantize(
                graph,
                nncf.Dataset(calibrating),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(calibrating),
                ignored_scope=nncf.IgnoredScope(names=spared) if spared else None,
            )
    except Exception as error:  # NNCF can raise any type
        raise UserError(
            f"Argument `precision`: NNCF cannot bring this network to int8 ({first_line(error)}); "
            "precision=fp32 takes every one."
        ) from error


def _cost(
    network: nn.Module, engine: nn.Module, held_out: list[Tensor], device: torch.device
) -> float:
    """PSNR of an engine to torch, in dB, over the pixels of all patches together."""
    place = torch.empty(0, device=device)
    pixels = error = 0.0
    for patch in held_out:
        pixels += patch.numel()
        error += patch.numel() * 10 ** (-psnr_to(network, engine, patch, place) / 10)
    return math.inf if error == 0 else -10 * math.log10(error / pixels)


def _cost_of(folder: Path) -> float | None:
    """What a kept network costs; None where none is kept."""
    try:
        found = json.loads((folder / COST).read_text())["psnr"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(found) if (folder / NETWORK).is_file() else None


def _key(network: nn.Module, multiple: int, seen: list[Tensor], device: torch.device) -> str:
    facts = {**machine_facts(device), "network": network_digest(network), "multiple": multiple}
    found = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for patch in seen:
        found.update(str(tuple(patch.shape)).encode())
        found.update(patch.contiguous().numpy().data)
    return found.hexdigest()


def _quiet_nncf() -> ModuleType:
    """Import NNCF with its telemetry and its log messages switched off.

    Raises:
        UserError: NNCF is not installed; the error says how to install it.
    """
    before = os.environ.get(QUIET)
    os.environ[QUIET] = "1"
    try:
        nncf = needed("nncf", "int8", WHAT)
    finally:
        os.environ.pop(QUIET) if before is None else os.environ.update({QUIET: before})
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf
