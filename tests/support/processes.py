"""What tests run in processes of their own: importable by name, as a new process needs it."""

import contextlib
import os
import sys
import time

import torch
from torch.utils.data import DataLoader, IterableDataset

import wildsr.cli.train
from wildsr.cli import main as command
from wildsr.config.compose import configure
from wildsr.data.demo import Demo
from wildsr.degradation.camera import KnownCamera
from wildsr.training.build import build_trainer, build_training
from wildsr.training.state import whole_state


def one_of_two(rank, port, carry_out, arguments):
    """A process as Lightning starts it: told its rank by the environment."""
    os.environ |= {"LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    sys.exit(carry_out(*arguments))


class Given(IterableDataset):
    """These batches in this order; to a list Lightning would deal out the half of it."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def fit_and_save(overrides, batches, folder):
    """Each process takes its batches, and leaves its weights and what it computed."""
    rank = int(os.environ.get("LOCAL_RANK", 0))
    training = build_training(configure("train", overrides))
    trainer = build_trainer(configure("train", overrides), [])
    trainer.fit(training, DataLoader(Given(batches[rank]), batch_size=None))
    state, values = whole_state(training), training.values
    torch.save(
        {"state": state, "values": values, "world": trainer.world_size}, folder / f"{rank}.pt"
    )
    return 0


def train_the_verb(overrides, folder):
    if os.environ["LOCAL_RANK"] == "1":  # Lightning starts it when the first has made the folder
        os.environ["WILDSR_RUN"] = str(folder)
        while not (folder / "config.yaml").exists():
            time.sleep(0.01)
    wildsr.cli.train.pictures = lambda *_: {}  # in this process alone
    said = folder.with_name(f"{os.environ['LOCAL_RANK']}.txt")
    with said.open("w") as file, contextlib.redirect_stdout(file):
        return command.start("train", overrides)


def demo(cache, scale=4):
    camera = KnownCamera(scale, 2.4, 1.4, 30, read=4, shot=8)
    made = Demo(camera, scale=scale, patch=8, batch=2, seed=0, cache=str(cache))
    made.prepare_data()
    return made


def prepare(cache):
    torch.set_num_threads(1)
    demo(cache).setup()
    sys.exit(0)


def in_a_process(overrides):
    torch.set_num_threads(1)
    sys.exit(command.start("train", overrides))
