"""Choose the device and the precision of a network."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from wildsr.argument import check_device
from wildsr.error import UserError, unknown
from wildsr.inference.fastest import fastest, noise_patch
from wildsr.inference.remembered import architecture, machine_facts, remembered
from wildsr.inference.tile import channels_of, evaluating, place_of

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
TRIAL = 64  # side in LR pixels of the image on which half precision is tried
TIMED = 96  # and of the one on which it is timed
# Operations per LR pixel above which half precision can be faster; below, memory is the bottleneck.
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

    ``auto`` chooses half precision if :func:`half_precision` allows it, on a CPU only if it is
    clearly faster: that is timed once for each architecture on a machine and stored in the user's
    cache folder, so that the same photo always gives the same result. (Of the CPUs with
    instructions for bf16 some take twice as long as in fp32, others half as long.) Where nothing
    can be stored, it is single precision. Whether the difference is visible is checked for each
    photo: see :mod:`wildsr.inference.closeness`.

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
    half = half_precision(network, device)
    if half == torch.float32 or device.type != "cpu":
        return half

    def rounded() -> nn.Module:
        return copy.deepcopy(network).to(half)

    return half if quicker("torch", network, lambda: network, rounded) else torch.float32


def half_precision(network: nn.Module, device: torch.device) -> torch.dtype:
    """The half precision that a network can be computed in: fp16 on a GPU, bf16 on a CPU.

    Single precision if the device has no instructions for it, the network does too little work per
    pixel for it to be faster, or an operation does not exist in that format.
    """
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


def quicker(
    engine: str,
    network: nn.Module,
    single: Callable[[], nn.Module],
    half: Callable[[], nn.Module],
) -> bool:
    """Whether half precision is clearly faster for this architecture on this machine's CPU.

    Args:
        engine: that computes it.
        network: in single precision.
        single: makes what is timed in single precision, of images in float32.
        half: makes what is timed in half precision, of images in its own format.
    """

    def ready(make: Callable[[], nn.Module]) -> Callable[[Tensor], Tensor]:
        made = make()
        dtype = place_of(made, torch.empty(0))[1]
        return lambda lr: _trial(made, lr.to(dtype))

    def decide() -> str:
        lr = noise_patch(channels_of(network), TIMED).contiguous(memory_format=torch.channels_last)
        return fastest({"single": lambda: ready(single), "half": lambda: ready(half)}, lr)

    key = {**machine_facts(torch.device("cpu")), "engine": engine, "timed on": TIMED}
    return remembered("precision", {**key, "network": architecture(network)}, decide) == "half"


def work(network: nn.Module, device: torch.device) -> float:
    """Number of operations of a network per LR pixel."""
    lr = torch.zeros(1, channels_of(network), TRIAL, TRIAL, device=device)
    counter = FlopCounterMode(display=False)
    # Not in inference mode, in which operations cannot be counted.
    with evaluating(network), torch.no_grad(), counter:
        network(lr.contiguous(memory_format=torch.channels_last))
    return float(counter.get_total_flops()) / TRIAL**2


@torch.inference_mode()
def _trial(network: nn.Module, lr: Tensor) -> Tensor:
    with evaluating(network):
        sr: Tensor = network(lr)
    return sr
