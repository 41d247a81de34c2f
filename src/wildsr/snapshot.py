"""What a run looked like on its way: the averaged weights alone, at even intervals."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from wildsr import checkpoint
from wildsr.error import UserError, first_line
from wildsr.finished import averaged
from wildsr.inference.restore import Restorer
from wildsr.training import Training

FOLDER = "snapshots"
_NAME = re.compile(r"iteration-(\d+)\.safetensors")


class Snapshots(lightning.Callback):
    """Saves the averaged weights at even intervals, see :func:`save`.

    Args:
        folder: of the snapshots.
        every: iterations.
        keep: at most so many; 0 for none.
    """

    def __init__(self, folder: Path, every: int, keep: int) -> None:
        self.folder, self.every, self.keep = folder, every, keep

    def on_train_batch_end(
        self, trainer: lightning.Trainer, training: lightning.LightningModule, *_: Any
    ) -> None:
        """Save when it is time."""
        assert isinstance(training, Training)
        if trainer.is_global_zero:
            networks = dict(training.ema.networks.items())
            save(self.folder, networks, training.iteration, self.every, self.keep)


def save(
    folder: Path, networks: Mapping[str, nn.Module], iteration: int, every: int, keep: int
) -> None:
    """Write ``iteration-N.safetensors`` and thin out the others to at most ``keep``.

    Snapshots are ``every * 2^k`` iterations apart, with the smallest ``k`` that leaves at most
    ``keep``: a function of the iteration alone, so that a resumed run has the same ones.

    Args:
        folder: ``snapshots`` in the run's folder; made if need be.
        networks: the averaged ones; their weights are stored as ``NETWORK.KEY``.
        iteration: a multiple of ``every``, or nothing is written.
        every: iterations.
        keep: 0 writes nothing.
    """
    if keep < 1 or iteration % every:
        return
    step = every
    while iteration // step > keep:
        step *= 2
    for number, path in snapshots(folder).items():
        if number % step or number > iteration:  # the latter: a run that went back to a checkpoint
            path.unlink(missing_ok=True)
    if iteration % step:
        return
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        f"{name}.{key}": value.detach().cpu().contiguous().clone()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    path = folder / f"iteration-{iteration:08d}.safetensors"
    partial = folder / f".{path.name}.{os.getpid()}"
    try:
        save_file(weights, str(partial))
        os.replace(partial, path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"Cannot write the snapshot {path}: {first_line(error)}.") from error
    finally:
        partial.unlink(missing_ok=True)


def snapshots(folder: Path) -> dict[int, Path]:
    """The snapshots in a folder by their iteration, the first one first."""
    found = {path: _NAME.fullmatch(path.name) for path in folder.glob("iteration-*.safetensors")}
    return dict(sorted((int(name[1]), path) for path, name in found.items() if name))


def available(run: Path) -> list[int]:
    """The iterations of a run that can be looked at: its snapshots and its checkpoints."""
    whole = [int(path.stem.split("-")[1]) for path in checkpoint.checkpoints(run / "checkpoints")]
    return sorted({*whole, *snapshots(run / FOLDER)})


def chosen(run: Path, which: Any) -> list[int]:
    """The iterations that ``checkpoints=`` means: "all" or a list.

    Raises:
        UserError: there are none, or one of the list is not there.
    """
    there = available(run)
    if not there:
        raise UserError(f"The run folder {run} has no checkpoint yet.")
    if which == "all":
        return there
    wanted = [which] if isinstance(which, int) else which
    if isinstance(wanted, str) or not all(isinstance(number, int) for number in wanted):
        raise UserError(
            f"`checkpoints` must be last, all or a list of iterations, but got {which!r}."
        )
    for number in wanted:
        if number not in there:
            raise UserError(f"`checkpoints` must be among {there} for {run}, but got {number}.")
    return sorted(set(wanted))


def restorer_at(run: Path, iteration: int) -> Restorer:
    """The averaged networks of a run at one iteration.

    Raises:
        UserError: the file is damaged or of another architecture.
    """
    path = snapshots(run / FOLDER).get(iteration)
    if path is None:
        state = checkpoint.load(run / "checkpoints" / f"iteration-{iteration:08d}.ckpt")
        return averaged(run, state["ema"])
    try:
        stored = load_file(str(path))
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}") from error
    weights: dict[str, dict[str, Tensor]] = {}
    for name, value in stored.items():
        network, _, key = name.partition(".")
        weights.setdefault(network, {})[key] = value
    return averaged(run, weights)
