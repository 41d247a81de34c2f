"""Learned no-reference metrics, by pyiqa."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from wildsr.error import first_line
from wildsr.metric.kind import HIGHER, LOWER, Needs, Setting, Single, at_least


@dataclass(frozen=True)
class Learned:
    """A metric of pyiqa, loaded when first used.

    Args:
        name: its name in pyiqa.
        title: its name in tables.
        better: "higher" or "lower".
        file: of weights, below torch's hub folder.
        smallest: the shortest side for which it is defined, in pixels.
        pixels: which pixels it uses, for the protocol.
    """

    name: str
    title: str
    better: str
    file: str
    smallest: int
    pixels: str


NIQE = Learned(
    "niqe", "NIQE", LOWER, "pyiqa/niqe_modelparameters.mat", 96, "Y of MATLAB, blocks of 96"
)
BRISQUE = Learned("brisque", "BRISQUE", LOWER, "pyiqa/brisque_svm_weights.pth", 32, "Y of MATLAB")
MUSIQ = Learned(
    "musiq", "MUSIQ", HIGHER, "pyiqa/musiq_koniq_ckpt-e95806b9.pth", 32, "RGB, three sizes; KonIQ"
)
CLIPIQA = Learned("clipiqa", "CLIP-IQA", HIGHER, "clip/RN50.pt", 32, "RGB, five pairs of words")


def learned(metric: Learned) -> Callable[[Setting], Single]:
    """Make a metric of pyiqa for a panel: the value of the whole image, rounded to 8 bits.

    If pyiqa or the weights are missing, :attr:`Single.needs` says so; pyiqa downloads weights only
    with WILDSR_DOWNLOAD=1.
    """

    def build(setting: Setting) -> Single:
        file = Path(torch.hub.get_dir()) / metric.file
        network, needs = _network(metric, file)

        def measure(sr: Tensor, lr: Tensor) -> float:
            assert network is not None
            at_least(sr, metric.smallest, metric.title)
            with torch.no_grad():
                value: Tensor = network.to(sr.device)(sr)
            return value.item()

        return Single(
            title=metric.title,
            better=metric.better,
            protocol={
                "pyiqa's name": metric.name,
                "pixels": metric.pixels,
                "border": 0,
                "smallest side": metric.smallest,
            },
            libraries=("pyiqa",),
            weights=(file,),
            needs=needs,
            measure=measure,
        )

    return build


def _network(metric: Learned, file: Path) -> tuple[torch.nn.Module | None, Needs | None]:
    present, download = file.is_file(), os.environ.get("WILDSR_DOWNLOAD") == "1"
    where = f"{file.name} in {file.parent}"
    if importlib.util.find_spec("pyiqa") is None:
        return None, Needs(
            f"pyiqa and {file.name}",
            f"{metric.title} needs pyiqa (pip install 'wildsr[iqa]') and {where}.",
        )
    if not present and not download:
        return None, Needs(
            file.name,
            f"{metric.title} needs {where}, which is not there: get it from pyiqa's page of "
            "weights, or set WILDSR_DOWNLOAD=1 to let pyiqa fetch it.",
        )
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
            import pyiqa

            return pyiqa.create_metric(metric.name, device="cpu"), None
    except Exception as error:  # whatever a library of seventy metrics may raise
        return None, Needs(
            file.name, f"{metric.title} cannot be made of {file}: {first_line(error)}."
        )
