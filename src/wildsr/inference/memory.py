"""Choose the tile size from free memory and from what a network needs."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from wildsr.inference.tile import CELL, channels_of, evaluating, place_of

PROBE = 64  # side in LR pixels of the image on which the memory is measured
SHARE = 0.25  # of free memory to use, as other programs and convolutions' buffers need some, too
ENOUGH = {"cpu": 256 << 20, "cuda": 4 << 30, "mps": 1 << 30}  # bytes; more is not faster
LARGEST = {"cpu": 768, "cuda": 1024, "mps": 512}  # LR pixels; larger tiles overlap less
SMALLEST = 64  # LR pixels; smaller tiles are used only after running out of memory


class Peak(TorchDispatchMode):
    """Measures the peak memory of live tensors, in bytes, while it is active."""

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
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),  # v1: huge if unlimited
)


def bytes_per_pixel(network: nn.Module) -> float:
    """Measure a network's peak memory in live tensors, in bytes per LR pixel.

    With its result in float32, which is what tiles are joined in.
    """
    device, dtype = place_of(network, torch.empty(0))
    lr = torch.rand(1, channels_of(network), PROBE, PROBE, device=device, dtype=dtype)
    with evaluating(network), torch.inference_mode(), Peak() as peak:
        network(lr).float()
    return peak.most / PROBE**2


def free_memory(device: torch.device) -> int:
    """Free bytes on a device; on a CPU also within the limit of the container (cgroup)."""
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
    """Choose the side of a tile, without its margin, from the free memory.

    Args:
        per_pixel: see :func:`bytes_per_pixel`.
        device: where the network computes.
        margin: LR pixels around the tile that are computed as well.
    """
    budget = min(free_memory(device) * SHARE, ENOUGH.get(device.type, ENOUGH["cpu"]))
    side = int((budget / max(per_pixel, 1)) ** 0.5) - 2 * margin
    most = LARGEST.get(device.type, LARGEST["cpu"])
    return min(max(side, SMALLEST), most) // CELL * CELL
