"""What set metrics know of sharp photos, kept where packed photos are, so that it is found once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from wildsr.atomic import writing
from wildsr.data.store import default_cache
from wildsr.error import UserError
from wildsr.metric import niqe
from wildsr.photo.sensor import Sensor

VERSION = 1  # of the file, and of the statistics
FOLDER = "fits"  # in the cache


def fit_file(paths: Sequence[Path], limit: float | None, sensor: Sensor) -> Path:
    """Where the model of :mod:`wildsr.metric.niqe` of some photos is kept.

    The name is their fingerprint: paths, sizes, dates, and how they are read.
    """
    parts: list[object] = [VERSION, limit, repr(sensor)]
    for path in paths:
        parts.append(os.path.abspath(path))
        with contextlib.suppress(OSError):
            state = os.stat(path)
            parts += [state.st_size, state.st_mtime_ns]
    name = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()
    return default_cache() / FOLDER / f"{name}.safetensors"


def read_fit(file: Path) -> Tensor | None:
    """The statistics of sharp blocks that a model was fitted on; None where none is kept.

    A damaged file is none.
    """
    try:
        with safe_open(file, "pt") as opened:
            blocks = opened.get_tensor("blocks")
            whole = (opened.metadata() or {}).get("digest") == _digest(blocks)
    except (OSError, SafetensorError, ValueError, KeyError):
        return None
    shaped = blocks.ndim == 2 and blocks.shape[1] == niqe.FEATURES + 1
    return blocks if whole and shaped and bool(blocks.isfinite().all()) else None


def write_fit(file: Path, described: Sequence[Tensor]) -> Tensor | None:
    """Keep what was described of sharp photos, as far as the model is fitted on it.

    A cache that cannot be written to costs the next evaluation its time, and nothing else.

    Returns:
        The sharp blocks; None where there are none.
    """
    if not described:
        return None
    blocks = torch.cat(list(described))
    blocks = blocks[blocks[:, -1] > 0].contiguous()
    with contextlib.suppress(UserError, OSError), writing(file) as partial:
        save_file({"blocks": blocks}, partial, {"digest": _digest(blocks)})
    return blocks


def _digest(blocks: Tensor) -> str:
    data = blocks.contiguous().numpy().tobytes()
    return hashlib.blake2b(data, digest_size=16).hexdigest()
