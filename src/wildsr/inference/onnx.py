"""Write a network as an ONNX file."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from wildsr.inference.tile import channels_of, evaluating, place_of
from wildsr.text_path import text_path

TRACED = (40, 56)  # LR pixels for tracing; different sides, so that they are not confused


def to_onnx(network: nn.Module, path: Path, size: int | None = None) -> None:
    """Export a network to ONNX, opset 17: input ``lr``, output ``sr``, any batch size.

    Args:
        network: (B, 3, H, W) to (B, 3, sH, sW).
        path: of the file.
        size: a fixed side in LR pixels; None: any height and width.
    """
    sizes = {0: "batch"} if size else {0: "batch", 2: "height", 3: "width"}
    traced = (size, size) if size else TRACED
    lr = torch.rand(1, channels_of(network), *traced, device=place_of(network, torch.empty(0))[0])
    options: dict[str, Any] = {
        "input_names": ["lr"],
        "output_names": ["sr"],
        "dynamic_axes": {"lr": sizes, "sr": sizes},
        "opset_version": 17,
        "dynamo": False,
    }
    with evaluating(network), torch.no_grad(), warnings.catch_warnings(), text_path(path) as name:
        warnings.simplefilter("ignore")
        with _unsaid():
            torch.onnx.export(network, (lr,), name, **options)


@contextlib.contextmanager
def _unsaid() -> Iterator[None]:
    """Discard what C++ libraries write to standard output: the exporter prints torch's graph."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError):  # there is no output
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
