"""``python together.py FOLDER KEY=VALUE``: the verb ``train``; each process leaves what it saw.

A script and no module, for Lightning's own launcher starts it anew for every further device.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from wildsr.cli import main
from wildsr.training import harvest
from wildsr.training.module import Training
from wildsr.training.rank import process_rank


def leave(folder):
    """Record this process's batches and, at its end, its networks, in ``folder``."""
    rank, seen = process_rank(), []
    step, ended = Training.training_step, Training.on_train_end

    def recorded(training, batch, index):
        seen.append({name: value.clone() for name, value in batch.items()})
        if os.environ.get("INTERRUPTED") == f"{rank}:{training.iteration}":
            os.kill(os.getpid(), signal.SIGUSR1)
        step(training, batch, index)

    def over(training):
        ended(training)
        networks = {n: dict(one.state_dict()) for n, one in training.networks.items()}
        left = {"batches": seen, "networks": networks, "iteration": training.iteration}
        torch.save(left, folder / f"{rank}.pt")

    Training.training_step, Training.on_train_end = recorded, over
    if rank > 0:  # what is measured is measured once
        harvest.measure = None


if __name__ == "__main__":
    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    leave(place)
    sys.exit(main.start("train", sys.argv[2:]))
