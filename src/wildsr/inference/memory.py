"""Measure free memory and a network's need of it, and choose the tile size."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from wildsr.inference.tile import CELL, channels_of, evaluating, place_of

PROBE = 64  # LR pixels a side of the image on which a network is watched
SHARE = 0.25  # of the free memory: the rest of the machine goes on, and convolutions need buffers
ENOUGH = {"cpu": 256 << 20, "cuda": 4 << 30, "mps": 1 << 30}  # bytes; more is not faster
LARGEST = {"cpu": 384, "cuda": 1024, "mps": 512}  # LR pixels
SMALLEST = 64  # LR pixels; smaller ones are only for running out of memory


class Peak(TorchDispatchMode):
    """Measures the peak of bytes in live tensors while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.alive = self.most = 0
        self.known: set[int] = set()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Carry out the operation and look at what it returned."""
        made = function(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, torch.Tensor):
                self._count(one.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.alive += size
        self.most = max(self.most, self.alive)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.alive -= size


GROUP = Path("/sys/fs/cgroup")  # of a container, as it sees itself
LIMITS = (
    ("memory.max", "memory.current"),  # cgroup v2
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),  # v1: no limit is a huge one
)


def bytes_per_pixel(network: nn.Module) -> float:
    """Measure a network's peak of bytes in live tensors, for each LR pixel."""
    device, dtype = place_of(network, torch.empty(0))
    lr = torch.rand(1, channels_of(network), PROBE, PROBE, device=device, dtype=dtype)
    with evaluating(network), torch.inference_mode(), Peak() as peak:
        network(lr)
    return peak.most / PROBE**2


def free_memory(device: torch.device) -> int:
    """Free bytes on a device; for a CPU within the limit of its container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    for limit, used in LIMITS:
        try:
            free = min(free, int((GROUP / limit).read_text()) - int((GROUP / used).read_text()))
        except (OSError, ValueError):
            continue  # not Linux, the other version, or no limit, which is "max"
    return max(free, 0)


def tile_for(per_pixel: float, device: torch.device, margin: int) -> int:
    """Choose the side of a tile, without its margin, by the free memory.

    Args:
        per_pixel: see :func:`bytes_per_pixel`.
        device: where the network computes.
        margin: LR pixels around the tile that are computed too.
    """
    budget = min(free_memory(device) * SHARE, ENOUGH.get(device.type, ENOUGH["cpu"]))
    side = int((budget / max(per_pixel, 1)) ** 0.5) - 2 * margin
    most = LARGEST.get(device.type, LARGEST["cpu"])
    return min(max(side, SMALLEST), most) // CELL * CELL
