"""An upscaler ready for use: a network, what carries it out, and how its tiles are cut.

From Python::

    from wildsr.inference.upscaler import load
    from wildsr.inference.file import upscale_file

    upscaler = load(weights="4x_photo.safetensors")              # or run="runs/wild-demo"
    upscale_file(upscaler, "photo.jpg", "out/photo.png", progress=lambda done, all: ...)

    sr = upscaler(lr)                                            # (B, 3, H, W) tensors in [0, 1]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from wildsr.error import UserError
from wildsr.inference.colour import ColourFix
from wildsr.inference.device import choose_device, choose_precision
from wildsr.inference.engine import choose_engine
from wildsr.inference.ensemble import Ensemble
from wildsr.inference.memory import bytes_per_pixel, tile_for
from wildsr.inference.tile import CELL, evaluating, receptive_radius
from wildsr.inference.weights import load_upscaler
from wildsr.inference.windows import UNBOUNDED_OVERLAP, Overlap, overlap_for

BATCH = {"cuda": 4}  # tiles computed at once; a CPU is not faster with more than one


@dataclass
class Upscaler:
    """A network with all that whole photos need.

    Args:
        network: torch's own, with self-ensemble and colour correction around it: what is measured.
        engine: what computes: the same function as ``network``.
        scale: HR size / LR size.
        name: for people.
        device: where the engine computes.
        dtype: in which format.
        tile: LR pixels a side; None takes what the free memory suggests.
        overlap: LR pixels; None takes the receptive radius.
        batch: tiles computed at once; None takes 4 on CUDA and 1 elsewhere.
    """

    network: nn.Module
    engine: nn.Module
    scale: int
    name: str
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    tile: int | None = None
    overlap: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if self.tile is not None and self.tile < CELL:
            raise UserError(f"Argument `tile` must be at least {CELL} pixels, but got {self.tile}.")
        if self.batch is not None and self.batch < 1:
            raise UserError(f"Argument `batch` must be 1 or more, but got {self.batch}.")
        overlap_for(0, self.overlap)  # only the check

    @torch.inference_mode()
    def __call__(self, lr: Tensor) -> Tensor:
        """The engine on (B, 3, H, W) in [0, 1] at once: (B, 3, sH, sW), float, where ``lr`` is."""
        seen = lr.to(self.device, self.dtype).contiguous(memory_format=torch.channels_last)
        sr: Tensor = self.engine(seen)
        expected = (*lr.shape[:2], lr.shape[2] * self.scale, lr.shape[3] * self.scale)
        if sr.shape != expected:
            raise UserError(
                f"Argument `scale` must be that of the network, but got {self.scale}: "
                f"an input of {tuple(lr.shape)} came out as {tuple(sr.shape)}."
            )
        return sr.to(lr.device).float()

    @cached_property
    def radius(self) -> int | None:
        """The receptive radius in LR pixels, measured; None without a bound."""
        return receptive_radius(self.network, self.scale)

    @cached_property
    def seams(self) -> Overlap:
        """How tiles overlap."""
        if self.overlap is not None and self.overlap >= 128:  # more than what can be measured
            return overlap_for(0, self.overlap)
        return overlap_for(self.radius, self.overlap)

    @cached_property
    def side(self) -> int:
        """LR pixels of a tile, without what it reads of its neighbours."""
        if self.tile is not None:
            return self.tile // CELL * CELL
        # Before the radius is known: measuring it takes longer than small photos do.
        return tile_for(bytes_per_pixel(self.network), self.device, UNBOUNDED_OVERLAP)

    @property
    def together(self) -> int:
        """How many tiles are computed at once."""
        return self.batch or BATCH.get(self.device.type, 1)


def load(
    run: str | Path | None = None,
    weights: str | Path | None = None,
    *,
    engine: str = "torch",
    device: str = "auto",
    precision: str = "auto",
    ensemble: bool = False,
    colour_fix: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
    batch: int | None = None,
) -> Upscaler:
    """An upscaler from a run folder, or from a file of weights.

    Args:
        run: a run folder: the averaged networks of its newest checkpoint.
        weights: instead: a file of ours, or of any architecture that spandrel knows.
        engine: "torch", "compile", "onnxruntime" or "openvino".
        device: "auto", "cpu", "cuda" (or "cuda:1") or "mps".
        precision: "auto", "fp32", "fp16" or "bf16"; the engines but torch and compile know fp32.
        ensemble: mean over the eight flips and turns.
        colour_fix: take the low frequencies of the input.
        tile: see :class:`Upscaler`, as for the next two.
        overlap: LR pixels.
        batch: tiles computed at once.

    Raises:
        UserError: whatever of this cannot be.
    """
    if (run is None) == (weights is None):
        raise UserError("One of `run` (a run folder) and `weights` (a file) must be given.")
    network, scale, name = _network(run, weights)
    network = network.eval().requires_grad_(False)
    place = choose_device(device)
    network.to(place)
    dtype = torch.float32
    if engine in ("torch", "compile"):
        network.to(memory_format=torch.channels_last)
        dtype = choose_precision(precision, network, place)
        network.to(dtype)
    elif precision not in ("auto", "fp32"):
        raise UserError(f"Argument `precision` must be 'fp32' for engine={engine}.")
    carried = choose_engine(engine, network, place, scale)

    def dressed(inner: nn.Module) -> nn.Module:
        inner = Ensemble(inner) if ensemble else inner
        return (ColourFix(inner, scale) if colour_fix else inner).eval()

    with evaluating(network):
        return Upscaler(
            dressed(network), dressed(carried), scale, name, place, dtype, tile, overlap, batch
        )


def _network(run: str | Path | None, weights: str | Path | None) -> tuple[nn.Module, int, str]:
    """The network, its scale, and its name."""
    if weights is not None:
        path = Path(weights).expanduser()
        network, scale = load_upscaler(path)
        return network, scale, path.stem
    from wildsr.finished import restorer_of
    from wildsr.run import config_of

    folder = Path(str(run)).expanduser()
    return restorer_of(folder), int(config_of(folder).scale), folder.resolve().name
