"""The rank of this process in a distributed training, before the processes are connected."""

from __future__ import annotations

import os

# Set by torchrun; by srun; for further nodes and further devices, by Lightning's launcher.
NAMES = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")


def process_rank() -> int:
    """0 for the first process of a training, which alone prints and writes; more for the others.

    A training on several devices has one process for each, on one machine or several, started by
    Lightning, ``torchrun`` or ``srun``.
    """
    found = (os.environ.get(name) or "0" for name in NAMES)
    return next((int(rank) for rank in found if rank.isdecimal() and int(rank) > 0), 0)
