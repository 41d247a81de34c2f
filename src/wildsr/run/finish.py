"""The record of a run's finish: the default strength, and how it was chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wildsr.atomic import write_text
from wildsr.error import UserError
from wildsr.network.interpolation import check_strength

FILE = "finish.json"
SUFFIX = "_finished"  # of the name of a file of weights


def write_finish(folder: Path, found: Mapping[str, Any]) -> Path:
    """Write ``finish.json`` into the run's folder; returns its path."""
    path = folder / FILE
    write_text(path, json.dumps(found, indent=1) + "\n")
    return path


def default_strength(folder: Path) -> float:
    """The strength that a run uses by default; 0 if none was chosen yet.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return 0.0
    try:
        strength = json.loads(path.read_text("utf-8"))["strength"]
        check_strength("it", strength)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{path} is damaged: it holds no strength from 0 to 1.") from error
    return float(strength)
