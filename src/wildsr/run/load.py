"""Open a run, or a file of weights, for use: upscaler, degrader, restorer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from wildsr.config.make import make_networks, method_class
from wildsr.error import UserError, first_line
from wildsr.inference.colour import ColourFix
from wildsr.inference.degrader import Degrader
from wildsr.inference.device import choose_device, choose_precision
from wildsr.inference.engine import choose_engine
from wildsr.inference.ensemble import Ensemble
from wildsr.inference.restorer import Restorer
from wildsr.inference.tile import evaluating
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.weights import open_weights
from wildsr.network.weights import fill
from wildsr.run.checkpoint import load_checkpoint, newest_checkpoint
from wildsr.run.folder import config_of
from wildsr.run.snapshot import SNAPSHOTS, snapshots
from wildsr.text_path import text_path


def restorer_of(folder: Path) -> Restorer:
    """The averaged networks of the newest checkpoint of a run.

    Raises:
        UserError: if the folder is no run, or has no checkpoint of its architecture.
    """
    return averaged(folder, newest_checkpoint(folder)["ema"])


def averaged(folder: Path, weights: Mapping[str, Mapping[str, Tensor]]) -> Restorer:
    """A run's method with averaged networks of these weights.

    Raises:
        UserError: they are not of the architecture that the run's config names.
    """
    config = config_of(folder)
    made = make_networks(config)
    for name, values in weights.items():
        if name not in made:
            raise UserError(
                f"The checkpoint in {folder} has a network `{name}`, its config has none."
            )
        fill(made[name], dict(values), f"The checkpoint's average of `{name}`")
    networks = {name: made[name] for name in weights}
    return Restorer(method_class(config), networks, config.scale).eval()


def method_name(folder: Path) -> str:
    """The name of a run's method: its config's file."""
    return str(config_of(folder).method._target_).rsplit(".", 2)[-2]


def load_degrader(folder: Path, tile: int | None = None) -> Degrader:
    """The degrader of the newest checkpoint of a run, with the networks that it needs alone.

    Args:
        folder: of the run.
        tile: see :class:`~wildsr.inference.degrader.Degrader`.

    Raises:
        UserError: if the folder is no run, has no readable checkpoint, or its method makes no LR.
    """
    config = config_of(folder)
    state = newest_checkpoint(folder)["networks"]
    with torch.random.fork_rng():  # making networks seeds the generator
        method, networks = method_class(config), make_networks(config)
    side = 16 * config.scale
    needed = Degrader(method, networks, config.scale).eval().sources(torch.rand(2, 3, side, side))
    networks = {name: network for name, network in networks.items() if name in needed}
    for name, network in networks.items():
        fill(network, state.get(name, {}), f"The checkpoint's network `{name}`")
    return Degrader(method, networks, config.scale, tile).eval()


def load_upscaler(
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
        network, scale = open_weights(path)
        return network, scale, path.stem
    folder = Path(str(run)).expanduser()
    return restorer_of(folder), int(config_of(folder).scale), folder.resolve().name


def restorer_at(run: Path, iteration: int) -> Restorer:
    """The averaged networks of a run at one iteration.

    Raises:
        UserError: the file is damaged or of another architecture.
    """
    path = snapshots(run / SNAPSHOTS).get(iteration)
    if path is None:
        state = load_checkpoint(run / "checkpoints" / f"iteration-{iteration:08d}.ckpt")
        return averaged(run, state["ema"])
    try:
        with text_path(path) as readable:
            stored = load_file(readable)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged: {first_line(error)}") from error
    weights: dict[str, dict[str, Tensor]] = {}
    for name, value in stored.items():
        network, _, key = name.partition(".")
        weights.setdefault(network, {})[key] = value
    return averaged(run, weights)
