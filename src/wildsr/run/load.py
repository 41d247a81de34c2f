"""Open a run or a weights file for use: upscaler, degrader, restorer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from wildsr.config.make import method_class, sensor_of
from wildsr.error import UserError
from wildsr.inference.degrader import Degrader
from wildsr.inference.device import choose_device
from wildsr.inference.prepare import prepare
from wildsr.inference.restorer import Restorer
from wildsr.inference.sample import first_photos
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.weights import open_weights
from wildsr.method.finishing import FINISHED
from wildsr.method.part import Method
from wildsr.network.interpolation import check_strength, interpolated
from wildsr.network.weights import fill
from wildsr.photo.sensor import RGB, Sensor
from wildsr.run.averaged import averaged, networks_of
from wildsr.run.checkpoint import load_checkpoint, newest_checkpoint, part_of
from wildsr.run.finish import SUFFIX
from wildsr.run.folder import config_of
from wildsr.run.snapshot import SNAPSHOTS, read_snapshot, snapshots


@dataclass(frozen=True)
class Opened:
    """A trained upscaler, from a run or a weights file.

    Attributes:
        network: (B, 3, H, W) to (B, 3, sH, sW), in evaluation mode.
        scale: s.
        name: of the run's folder, or of the file without its suffix.
        nodes: the configuration of each network by name; "" for a file's only network.
        method: the run's; None for a file.
        method_name: the value of ``method=`` with which the run was started.
        sensor: the kind of photos that it was trained on.
    """

    network: nn.Module
    scale: int
    name: str
    nodes: Mapping[str, Mapping[str, Any]]
    method: type[Method] | None = None
    method_name: str | None = None
    sensor: Sensor = RGB


def open_upscaler(
    run: str | Path | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    strength: float | None = None,
) -> Opened:
    """Open the network of a run's newest checkpoint, or of a weights file.

    Args:
        run: a run folder.
        weights: instead: a weights file of wildsr, or of any architecture that spandrel knows.
        trust: allow the run's configuration to name and run code outside of wildsr.
        strength: from 0, the faithful upscaler, to 1, the finished one; None for the run's own
            default. For a file NAME.safetensors the finished one is NAME_finished.safetensors.

    Raises:
        UserError: neither or both are given; it is missing, damaged or names code outside of
            wildsr; a strength where there is no finished upscaler.
    """
    if (run is None) == (weights is None):
        raise UserError("One of `run` (a run folder) and `weights` (a file) must be given.")
    if weights is not None:
        path = Path(weights).expanduser()
        found = open_weights(path)
        if strength is not None:
            _towards(found.network, path, strength)
        nodes = {} if found.node is None else {"": found.node}
        return Opened(found.network, found.scale, path.stem, nodes, sensor=found.sensor)
    folder = Path(str(run)).expanduser()
    config = config_of(folder, trust)
    restorer = restorer_of(folder, trust=trust, strength=strength)
    networks: Any = OmegaConf.to_container(config.method.networks, resolve=True)
    name = folder.resolve().name
    called = str(config.method.name)
    sensor = sensor_of(config)
    return Opened(restorer, config.scale, name, networks, restorer.method, called, sensor)


def _towards(network: nn.Module, path: Path, strength: float) -> None:
    """Interpolate from a file's faithful weights towards the finished ones in the same folder."""
    check_strength("`strength`", strength)
    other = path.with_name(f"{path.stem}{SUFFIX}{path.suffix}")
    if not other.is_file():
        raise UserError(
            f"`strength` needs the finished upscaler beside {path.name}, but there is no {other}."
        )
    finished = open_weights(other).network.state_dict()
    network.load_state_dict(interpolated(network.state_dict(), finished, strength))


def restorer_of(
    folder: Path,
    iteration: int | None = None,
    trust: bool = False,
    strength: float | None = None,
) -> Restorer:
    """The restorer of a run, with its averaged (EMA) networks.

    Args:
        folder: of the run.
        iteration: of the checkpoint or snapshot; None for the newest checkpoint.
        trust: allow the run's configuration to name and run code outside of wildsr.
        strength: from 0, the faithful upscaler, to 1, the finished one; None for the run's default.

    Raises:
        UserError: the folder is not a run, has no sound checkpoint of its architecture, or names
            code outside of wildsr; a strength for a run without a finish.
    """
    config = config_of(folder, trust)
    path = None if iteration is None else snapshots(folder / SNAPSHOTS).get(iteration)
    if path is not None:
        return averaged(folder, config, read_snapshot(path), strength)
    if iteration is None:
        state = newest_checkpoint(folder)
    else:
        state = load_checkpoint(folder / "checkpoints" / f"iteration-{iteration:08d}.ckpt")
    return averaged(folder, config, part_of(state, "ema", folder), strength)


def has_finish(folder: Path, trust: bool = False) -> bool:
    """Whether a run has a finished upscaler besides the faithful one."""
    return FINISHED in config_of(folder, trust).method.networks


def load_degrader(folder: Path, tile: int | None = None, trust: bool = False) -> Degrader:
    """The degrader of the newest checkpoint of a run, with only the networks that it needs.

    Args:
        folder: of the run.
        tile: see :class:`~wildsr.inference.degrader.Degrader`.
        trust: allow the run's configuration to name and run code outside of wildsr.

    Raises:
        UserError: the folder is not a run, has no sound checkpoint, its method has no degrader, or
            it names code outside of wildsr.
    """
    with _once(folder):
        config = config_of(folder, trust)
        state = part_of(newest_checkpoint(folder), "networks", folder)
        with torch.random.fork_rng():  # making networks seeds the generator
            method = method_class(config)
            networks = networks_of(folder, config, state)
    try:
        made = Degrader(method, networks, config.scale).eval()
        side = 16 * config.scale
        needed = made.sources(torch.rand(2, sensor_of(config).channels, side, side))
    except KeyError as error:
        raise UserError(f"The checkpoint in {folder} has no network {error}.") from error
    networks = {name: network for name, network in networks.items() if name in needed}
    for name, network in networks.items():
        fill(network, state[name], f"The checkpoint's network `{name}`")
    return Degrader(method, networks, config.scale, tile).eval()


_OPENING: ContextVar[tuple[Path, ...]] = ContextVar("opening", default=())
DEEPEST = 8  # longest chain of runs that each use the degradation of the next


@contextmanager
def _once(folder: Path) -> Iterator[None]:
    """Refuse a run whose degradation is that of itself, however many runs lie between."""
    opening, place = _OPENING.get(), folder.resolve()
    if place in opening or len(opening) >= DEEPEST:
        raise UserError(f"The run folder {folder} is damaged: its degradation is its own.")
    token = _OPENING.set((*opening, place))
    try:
        yield
    finally:
        _OPENING.reset(token)


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
    trust: bool = False,
    strength: float | None = None,
    calibration: str | Path | Sequence[Path] | None = None,
) -> Upscaler:
    """Load an upscaler from a run folder or from a weights file, ready for inference.

    Args:
        run: a run folder: the averaged networks of its newest checkpoint.
        weights: instead: a weights file of wildsr, or of any architecture that spandrel knows.
        engine: "torch", "compile", "onnxruntime", "openvino", or "auto" for the fastest.
        device: see :func:`~wildsr.inference.device.choose_device`.
        precision: "auto", "fp32", "fp16", "bf16" or "int8"; see
            :func:`~wildsr.inference.prepare.prepare`.
        ensemble: average over the eight flips and rotations.
        colour_fix: take the low frequencies from the input.
        tile: LR pixels a side; see :class:`Upscaler`.
        overlap: LR pixels.
        batch: tiles computed at once.
        trust: allow the run's configuration to name and run code outside of wildsr.
        strength: see :func:`open_upscaler`.
        calibration: photos like those to be upscaled, as a folder (its first 16 are taken), one
            file or several: int8 is calibrated on them, and engines are timed on the first.

    Raises:
        UserError: an argument is invalid or not supported here, a file is missing or damaged.
    """
    photos: Sequence[Path] = ()
    if isinstance(calibration, str | Path):
        if not (photos := first_photos(calibration)):
            raise UserError(
                f"Argument `calibration` must be a photo or a folder of photos, but {calibration} "
                "is neither."
            )
    elif calibration is not None:
        photos = [Path(photo) for photo in calibration]
    found = open_upscaler(run, weights, trust, strength)
    return prepare(
        found.network.requires_grad_(False),
        found.scale,
        found.name,
        choose_device(device),
        engine=engine,
        precision=precision,
        ensemble=ensemble,
        colour_fix=colour_fix,
        tile=tile,
        overlap=overlap,
        batch=batch,
        photos=photos,
        sensor=found.sensor,
    )
