"""Choose the device and the precision of a network."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from wildsr.argument import check_device
from wildsr.error import UserError, unknown
from wildsr.inference.tile import channels_of, evaluating

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
TRIAL = 64  # side in LR pixels of the image on which half precision is tried
# Operations per LR pixel above which half precision is faster; below, memory is the bottleneck.
WORK = {"cpu": 80_000, "cuda": 20_000}


def choose_device(wanted: object) -> torch.device:
    """Choose the device for the setting ``device``.

    Args:
        wanted: "auto" (CUDA, else Apple's MPS, else the CPU; with several processes on one machine,
            each takes the GPU of its ``LOCAL_RANK``), "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        UserError: an unknown device, or one that this machine does not have.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    present = {"cuda": count > 0, "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        rank = os.environ.get("LOCAL_RANK", "")
        if count > 1 and rank.isdecimal():
            return torch.device(f"cuda:{int(rank) % count}")
        return torch.device(next((name for name, there in present.items() if there), "cpu"))
    check_device("Argument `device`", wanted)
    name, _, number = str(wanted).partition(":")
    if not present.get(name, True) or int(number or 0) >= max(count, 1):
        raise UserError(f"Argument `device` is {wanted!r}, but torch finds no such device here.")
    return torch.device(f"{name}:{int(number)}" if number else name)


def measuring_device(device: torch.device) -> torch.device:
    """The device for metrics of results computed on ``device``: CUDA, else the CPU.

    Metrics need float64, which MPS lacks.
    """
    return device if device.type == "cuda" else torch.device("cpu")


@contextmanager
def single_precision() -> Iterator[None]:
    """Within the block, multiply in full float32 precision instead of TF32."""
    convolutions = torch.backends.cudnn.allow_tf32
    products = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = convolutions
        torch.backends.cuda.matmul.allow_tf32 = products


def supported(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether a device has instructions for this number format."""
    if dtype == torch.float32 or device.type == "mps":
        return True
    if device.type == "cuda":
        least = (8, 0) if dtype == torch.bfloat16 else (7, 0)
        return torch.cuda.get_device_capability(device) >= least
    # Elsewhere a CPU emulates them, several times slower than single precision.
    asked = {
        torch.bfloat16: ("_is_avx512_bf16_supported", "_is_amx_tile_supported"),
        torch.float16: ("_is_avx512_fp16_supported", "_is_amx_fp16_supported"),
    }
    return any(bool(getattr(torch.cpu, name, bool)()) for name in asked[dtype])


def choose_precision(wanted: str, network: nn.Module, device: torch.device) -> torch.dtype:
    """Choose the number format for ``network``, which is on ``device`` in single precision.

    ``auto`` chooses half precision (fp16 on a GPU, bf16 on a CPU) if the device has instructions
    for it, the network does enough work per pixel for it to be faster, and every operation exists
    in that format. Whether the difference is visible is checked for each photo: see
    :mod:`wildsr.inference.closeness`. Nothing is timed, so the same network on the same kind of
    device always gets the same format, and the same photo the same result.

    Raises:
        UserError: an unknown precision, or one that the device can only emulate.
    """
    if wanted != "auto":
        if wanted not in PRECISIONS:
            raise unknown("Argument `precision`", wanted, ["auto", *PRECISIONS])
        if not supported(PRECISIONS[wanted], device):
            raise UserError(
                f"Argument `precision` is {wanted!r}, but this {device.type} has no instructions "
                "for it and would be slower than with 'fp32'."
            )
        return PRECISIONS[wanted]
    if device.type == "mps":
        return torch.float32
    half = torch.bfloat16 if device.type == "cpu" else torch.float16
    if not supported(half, device):
        return torch.float32
    if work(network, device) < WORK[device.type]:
        return torch.float32
    lr = torch.rand(
        1, channels_of(network), TRIAL, TRIAL, generator=torch.Generator().manual_seed(0)
    ).to(device)
    lr = lr.contiguous(memory_format=torch.channels_last)
    try:  # on a copy, as rounded weights cannot be restored
        rounded = _trial(copy.deepcopy(network).to(half), lr.to(half))
    except RuntimeError:  # an operation that does not exist in this format
        return torch.float32
    return half if bool(rounded.isfinite().all()) else torch.float32


def work(network: nn.Module, device: torch.device) -> float:
    """Number of operations of a network per LR pixel."""
    lr = torch.zeros(1, channels_of(network), TRIAL, TRIAL, device=device)
    counter = FlopCounterMode(display=False)
    # Not in inference mode, in which operations cannot be counted.
    with evaluating(network), torch.no_grad(), counter:
        network(lr.contiguous(memory_format=torch.channels_last))
    return float(counter.get_total_flops()) / TRIAL**2


@torch.inference_mode()
def _trial(network: nn.Module, lr: torch.Tensor) -> torch.Tensor:
    with evaluating(network):
        sr: torch.Tensor = network(lr)
    return sr
