"""Time engines, or number formats, on this machine to find the fastest for a network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from wildsr.error import UserError

CANDIDATES = ("torch", "openvino", "onnxruntime")
PLAIN = CANDIDATES[0]  # the default, which another engine must beat
SIDE = 160  # side in LR pixels of the patch that is timed; smaller ones fit into caches
ROUNDS, LEAST = 7, 3
PATIENCE = 15.0  # seconds; after them and the least rounds the rest is left out
MARGIN = 0.93  # another is only preferred to the first below this share of its time


def fastest(
    choices: Mapping[str, Callable[[], Callable[[Tensor], Tensor]]],
    lr: Tensor,
    clock: Callable[[], float] = time.perf_counter,
) -> str:
    """Time engines on one patch, in turns, and choose by their medians.

    Seven rounds, or as many as 15 seconds allow, three at least. Turns distribute the load of other
    programs over all engines, and a median ignores disturbed rounds. Another than the first is
    preferred only if it needs less than 93 % of its time.

    Args:
        choices: name -> what prepares an upscaler, the default first. Another that cannot be
            prepared (it is not installed, or gives other results) is left out.
        lr: (1, 3, h, w), the patch.
        clock: returns seconds.

    Returns:
        The name.

    Raises:
        UserError: the first cannot be prepared.
    """
    plain = next(iter(choices))
    made: dict[str, Callable[[Tensor], Tensor]] = {}
    for name, make in choices.items():
        try:
            made[name] = make()
        except UserError:
            if name == plain:
                raise
    if len(made) == 1:
        return plain
    names = list(made)
    taken: dict[str, list[float]] = {name: [] for name in names}
    start = clock()
    for turn in range(-1, ROUNDS):  # the first one to warm up
        if turn >= LEAST and clock() - start > PATIENCE:
            break
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            begun = clock()
            float(made[name](lr).sum())  # which waits for a GPU
            if turn >= 0:
                taken[name].append(clock() - begun)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    best = min(medians, key=lambda name: medians[name])
    return best if medians[best] < MARGIN * medians[plain] else plain


def noise_patch(channels: int = 3, side: int = SIDE) -> Tensor:
    """A random patch (1, channels, side, side) to time on if there is no photo.

    The time of a convolution does not depend on the pixels.
    """
    return torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0))
