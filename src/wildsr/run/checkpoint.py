"""Checkpoints (complete training states): written atomically, read without running code."""

from __future__ import annotations

import errno
import logging
import math
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wildsr.atomic import writing
from wildsr.error import UserError, first_line
from wildsr.network.checksum import check_seal, seal
from wildsr.network.weights import check_archive, check_total

FORMAT = 1
LOG = logging.getLogger("wildsr.run")
_NAME = re.compile(r"iteration-(\d+)\.ckpt")


def save_checkpoint(folder: Path, state: dict[str, Any], keep: int = 2) -> Path:
    """Write ``iteration-N.ckpt`` into ``folder`` and remove all but the newest ``keep``.

    The file appears under its name only when it is complete and on disk, so that a kill at any
    moment leaves the earlier checkpoints readable.

    Args:
        folder: created if it does not exist.
        state: plain containers, numbers and tensors; ``state["iteration"]`` names the file.
        keep: at least 1.

    Raises:
        UserError: the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"iteration-{state['iteration']:08d}.ckpt"
    with writing(path) as partial:
        try:
            with partial.open("wb") as file:
                torch.save({"format": FORMAT, **state}, file)
        except RuntimeError as error:  # raised by torch if the disk is full
            raise OSError(errno.EIO, f"its disk is full or fails ({first_line(error)})") from error
        seal(partial)
    for old in checkpoints(folder)[keep:]:
        old.unlink(missing_ok=True)
    return path


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, newest first."""
    found = [path for path in folder.glob("iteration-*.ckpt") if _NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read one checkpoint; only tensors and plain containers, never code.

    Raises:
        UserError: it is missing, damaged, holds anything but data, or is of another format.
    """
    try:
        check_archive(path, str(path))
        check_seal(path, str(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no checkpoint {path}.") from error
    except UserError:
        raise
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it is damaged, or holds objects other than tensors and "
            "plain data, which could run code when opened."
        ) from error
    except Exception as error:  # torch raises half a dozen types on damaged archives
        raise UserError(f"{path} is damaged: {first_line(error)}") from error
    known = isinstance(state, dict) and isinstance(state.get("format"), int)
    if not known or state["format"] != FORMAT:
        raise UserError(f"{path} is not a wildsr checkpoint (format {FORMAT}).")
    check_total(_tensors(state), path, str(path))
    for key, sound in _SOUND.items():
        if key in state and not sound(state[key]):
            raise UserError(f"{path} is damaged: its `{key}` is not what a training leaves.")
    if "iteration" not in state:
        raise UserError(f"{path} is damaged: it has no `iteration`.")
    return state


def part_of(state: Mapping[str, Any], key: str, folder: Path) -> Any:
    """One entry of a checkpoint.

    Args:
        state: of :func:`load_checkpoint`.
        key: of the entry.
        folder: of the run, for the message.

    Raises:
        UserError: there is no entry of this name.
    """
    if key not in state:
        raise UserError(f"The checkpoint in {folder} is damaged: it has no `{key}`.")
    return state[key]


def _tensors(value: Any) -> Iterator[Tensor]:
    """Every tensor in plain containers."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict | list | tuple):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _number(value: Any) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and 0 <= value < math.inf


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _weights(value: Any) -> bool:
    """Networks by name, weights by name."""
    return isinstance(value, dict) and all(
        isinstance(name, str)
        and isinstance(of, dict)
        and all(isinstance(key, str) and isinstance(t, Tensor) for key, t in of.items())
        for name, of in value.items()
    )


def _pools(value: Any) -> bool:
    """Of each process, of each term: images."""
    return isinstance(value, list) and all(
        isinstance(rank, list)
        and all(isinstance(p, list) and all(isinstance(t, Tensor) for t in p) for p in rank)
        for rank in value
    )


def _named(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)


def _stages(value: Any) -> bool:
    """Where each began, when the present one did, and of how many iterations."""
    return (
        _named(value)
        and _named(value.get("starts"))
        and all(map(_count, value["starts"].values()))
        and _number(value.get("began"))
        and _count(value.get("iterations", 0))
    )


def _settling(value: Any) -> bool:
    """Readings of parameters."""
    readings = value.get("readings") if isinstance(value, dict) else None
    return isinstance(readings, list) and all(
        isinstance(reading, list) and all(isinstance(one, int | float) for one in reading)
        for reading in readings
    )


# Checks of the parts of a checkpoint.
_SOUND: dict[str, Callable[[Any], bool]] = {
    "iteration": _count,
    "seconds": _number,
    "networks": _weights,
    "ema": _weights,
    "optimizers": lambda value: _named(value) and all(isinstance(o, dict) for o in value.values()),
    "pools": _pools,
    "stages": _stages,
    "settling": _settling,
    "guard": _named,
}


def newest_checkpoint(run: Path) -> dict[str, Any]:
    """Load the newest sound checkpoint of the run folder ``run``.

    A damaged checkpoint is skipped with a warning.

    Raises:
        UserError: the folder does not exist or has no readable checkpoint.
    """
    if not run.is_dir():
        raise UserError(f"There is no run folder {run}.")
    found = checkpoints(run / "checkpoints")
    if not found:
        raise UserError(f"The run folder {run} has no checkpoint yet.")
    errors = []
    for path in found:
        try:
            state = load_checkpoint(path)
        except UserError as error:
            errors.append(str(error))
            continue
        for said in errors:
            LOG.warning("%s Iteration %d is taken instead.", said, state["iteration"])
        return state
    raise UserError(f"The run folder {run} has no readable checkpoint: {errors[0]}")
