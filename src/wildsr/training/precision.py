"""Choose the number format of a training."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch
from torch import nn

from wildsr.inference.device import WORK, supported, work
from wildsr.inference.remembered import architecture, machine_facts, remembered
from wildsr.inference.tile import channels_of

SINGLE, MIXED = "32-true", "bf16-mixed"
GAIN = 1.15  # speed-up from which on half precision is taken on a CPU
ROUNDS = 5  # iterations timed in each format
IMAGES = 2  # in the batch that is timed
TRIED = "upscale"  # the network that is timed; it takes nearly all of a training's time


def choose_training_precision(
    networks: Mapping[str, nn.Module], device: torch.device, patch: int, processes: int
) -> str:
    """Choose the meaning of ``trainer.precision=auto``: "bf16-mixed" or "32-true".

    On CUDA it is bf16-mixed. On a CPU with bfloat16 instructions it is bf16-mixed too, if an
    iteration of the upscaler then takes clearly less processor time. This is measured once for each
    architecture and machine and stored in the user's cache folder, so that the same command gives
    the same numbers. Everywhere else, and where nothing can be stored, it is 32-true.

    Args:
        networks: of the training, in float32.
        device: on which it runs.
        patch: side of its LR crops, in pixels.
        processes: number that train together; with several on CPUs, each could choose differently,
            so it is 32-true.
    """
    if device.type == "cuda":
        return MIXED
    network = networks.get(TRIED)
    if device.type != "cpu" or processes > 1 or network is None:
        return SINGLE
    if not supported(torch.bfloat16, device) or work(network, device) < WORK["cpu"]:
        return SINGLE
    key = {**machine_facts(device), "network": architecture(network), "patch": patch}
    chosen = remembered("training-precision", key, lambda: _faster(network, patch))
    return chosen if chosen in (SINGLE, MIXED) else SINGLE


def _faster(network: nn.Module, patch: int) -> str:
    own = copy.deepcopy(network).train().to(memory_format=torch.channels_last)
    lr = torch.rand(
        IMAGES, channels_of(own), patch, patch, generator=torch.Generator().manual_seed(0)
    ).contiguous(memory_format=torch.channels_last)
    taken: dict[bool, list[float]] = {False: [], True: []}
    state = torch.get_rng_state()
    try:
        for _ in range(ROUNDS + 1):  # the first warms up
            for mixed, seconds in taken.items():
                seconds.append(_iteration(own, lr, mixed))
    except RuntimeError:  # an operation that does not exist in this format
        return SINGLE
    finally:
        torch.set_rng_state(state)
    single, half = (median(seconds[1:]) for seconds in taken.values())
    return MIXED if single > GAIN * half else SINGLE


def _iteration(network: nn.Module, lr: torch.Tensor, mixed: bool) -> float:
    """Processor seconds of an upscaling and its gradient."""
    begun = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        made: Any = network(lr)
    made.float().square().mean().backward()
    return time.process_time() - begun
