"""Which engine is the fastest for a network on this machine: a timing in which they take turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from wildsr.error import UserError

CANDIDATES = ("torch", "openvino", "onnxruntime")
PLAIN = "torch"  # the one that another must beat
SIDE = 96  # LR pixels of the patch that they upscale
ROUNDS = 7
MARGIN = 0.93  # of torch's time, above which a difference is not worth another engine


def fastest(
    choices: Mapping[str, Callable[[], Callable[[Tensor], Tensor]]],
    lr: Tensor,
    clock: Callable[[], float] = time.perf_counter,
) -> str:
    """Time engines on one patch, each once a round, and choose by their medians.

    Other programs come and go: turns spread what they take over all engines, and a median passes
    over the rounds that they spoiled. Only an engine that needs less than 93 % of torch's time is
    preferred to it.

    Args:
        choices: by name, what makes an upscaler ready; "torch" among them. One that cannot be made
            (it is not installed, or computes another function) is left out.
        lr: (1, 3, h, w), the patch.
        clock: seconds.

    Returns:
        The name.
    """
    made: dict[str, Callable[[Tensor], Tensor]] = {}
    for name, make in choices.items():
        try:
            made[name] = make()
        except UserError:
            if name == PLAIN:
                raise
    if len(made) == 1:
        return PLAIN
    names = list(made)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(-1, ROUNDS):  # the first one to warm up
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            begun = clock()
            float(made[name](lr).sum())  # which waits for a GPU
            if turn >= 0:
                taken[name].append(clock() - begun)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    best = min(medians, key=lambda name: medians[name])
    return best if medians[best] < MARGIN * medians[PLAIN] else PLAIN


def noise_patch(channels: int = 3) -> Tensor:
    """A patch for where no photo is known: what a convolution takes does not depend on pixels."""
    return torch.rand(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
