"""Which of the processes of a training this is, before they have found each other."""

from __future__ import annotations

import os

# Of torchrun; of srun; of further nodes and of further devices, as Lightning's launcher sets them.
NAMES = ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK")


def process_rank() -> int:
    """0 for the first process of a training, which alone speaks and writes; more for the others.

    A training on several devices is a process for each, on one machine or several, started by
    Lightning, ``torchrun`` or ``srun``.
    """
    found = (os.environ.get(name) or "0" for name in NAMES)
    return next((int(rank) for rank in found if rank.isdecimal() and int(rank) > 0), 0)
