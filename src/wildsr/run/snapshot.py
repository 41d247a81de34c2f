"""Snapshots of a run: only the averaged weights, at even intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn

from wildsr.atomic import write_bytes
from wildsr.error import UserError, first_line
from wildsr.network.checksum import DIGEST, digest_of
from wildsr.network.weights import read_safetensors
from wildsr.run.checkpoint import checkpoints

SNAPSHOTS = "snapshots"
_NAME = re.compile(r"iteration-(\d+)\.safetensors")


def save_snapshot(
    folder: Path, networks: Mapping[str, nn.Module], iteration: int, every: int, keep: int
) -> None:
    """Write ``iteration-N.safetensors`` and thin out the others to at most ``keep``.

    Snapshots are ``every * 2^k`` iterations apart, with the smallest ``k`` that leaves at most
    ``keep``: a function of the iteration alone, so that a resumed run has the same ones.

    Args:
        folder: ``snapshots`` in the run's folder; created if need be.
        networks: the averaged ones; their weights are stored as ``NETWORK.KEY``.
        iteration: if it is not a multiple of ``every``, nothing is written.
        every: iterations.
        keep: 0 writes nothing.

    Raises:
        UserError: the file cannot be written.
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
    # As bytes: safetensors' own writer needs valid text as a name.
    write_bytes(path, save(weights, metadata={DIGEST: digest_of(weights, None)}))


def snapshots(folder: Path) -> dict[int, Path]:
    """The snapshots in a folder by their iteration, in ascending order."""
    found = {path: _NAME.fullmatch(path.name) for path in folder.glob("iteration-*.safetensors")}
    return dict(sorted((int(name[1]), path) for path, name in found.items() if name))


def available(run: Path) -> list[int]:
    """The iterations of a run that can be evaluated: its snapshots and its checkpoints."""
    whole = [int(path.stem.split("-")[1]) for path in checkpoints(run / "checkpoints")]
    return sorted({*whole, *snapshots(run / SNAPSHOTS)})


def chosen(run: Path, which: Any) -> list[int]:
    """The iterations that ``checkpoints=`` selects: "all", one, or a list of them.

    Raises:
        UserError: there are none, or one of the list is not there.
    """
    there = available(run)
    if not there:
        raise UserError(f"The run folder {run} has no checkpoint yet.")
    if which == "all":
        return there
    wanted = [which] if isinstance(which, int) else which
    for number in wanted:
        if number not in there:
            raise UserError(f"`checkpoints` must be among {there} for {run}, but got {number}.")
    return sorted(set(wanted))


def read_snapshot(path: Path) -> dict[str, dict[str, Tensor]]:
    """The averaged weights in a snapshot, by network.

    Raises:
        UserError: it is damaged.
    """
    try:
        stored = read_safetensors(path, str(path), own=True)[0]
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}") from error
    weights: dict[str, dict[str, Tensor]] = {}
    for name, value in stored.items():
        network, _, key = name.partition(".")
        weights.setdefault(network, {})[key] = value
    return weights
