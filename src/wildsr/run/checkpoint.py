"""Whole training states on disk: written atomically, read without running code."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import torch

from wildsr.atomic import writing
from wildsr.error import UserError, first_line

FORMAT = 1
_NAME = re.compile(r"iteration-(\d+)\.ckpt")


def save_checkpoint(folder: Path, state: dict[str, Any], keep: int = 2) -> Path:
    """Write ``iteration-N.ckpt`` into ``folder`` and remove all but the newest ``keep``.

    The file appears under its name only when it is complete and on disk, so that a kill at any
    moment leaves the earlier ones readable.

    Args:
        folder: made if it does not exist.
        state: plain containers, numbers and tensors; ``state["iteration"]`` names the file.
        keep: at least 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"iteration-{state['iteration']:08d}.ckpt"
    with writing(path) as partial, partial.open("wb") as file:
        torch.save({"format": FORMAT, **state}, file)
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
        UserError: if it is missing, damaged, holds anything but data, or is of another format.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"There is no checkpoint {path}.") from error
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is refused: it is damaged, or holds objects other than tensors and "
            "plain data, which could run code when opened."
        ) from error
    except Exception as error:  # torch raises half a dozen types on damaged archives
        raise UserError(f"{path} is damaged: {first_line(error)}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise UserError(f"{path} is not a wildsr checkpoint (format {FORMAT}).")
    return state


def newest_checkpoint(run: Path) -> dict[str, Any]:
    """The newest readable checkpoint of the run folder ``run``; damaged ones are passed over.

    Raises:
        UserError: if the folder does not exist or has no readable checkpoint.
    """
    if not run.is_dir():
        raise UserError(f"There is no run folder {run}.")
    found = checkpoints(run / "checkpoints")
    if not found:
        raise UserError(f"The run folder {run} has no checkpoint yet.")
    errors = []
    for path in found:
        try:
            return load_checkpoint(path)
        except UserError as error:
            errors.append(str(error))
    raise UserError(f"The run folder {run} has no readable checkpoint: {errors[0]}")
