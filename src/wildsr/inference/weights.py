"""Read and write weights files: the project's own and those of other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import nn

from wildsr.atomic import write_bytes
from wildsr.error import UserError
from wildsr.inference.tile import channels_of
from wildsr.network.architecture import Architecture
from wildsr.network.checksum import DIGEST, digest_of
from wildsr.network.upscaler.published import Published
from wildsr.network.weights import KEY, check_finite, read_file
from wildsr.photo.sensor import RGB, Sensor

LONGEST = 1 << 16  # characters of a description


@dataclass(frozen=True)
class OpenWeights:
    """Contents of a weights file.

    Attributes:
        network: (B, 3, H, W) to (B, 3, sH, sW), in evaluation mode.
        scale: s.
        node: its architecture as a configuration node; None for published weights, whose
            architecture is recognised by the names of their tensors.
        sensor: the kind of photos that it was trained on.
    """

    network: nn.Module
    scale: int
    node: dict[str, Any] | None
    sensor: Sensor = RGB


def save_weights(
    network: nn.Module,
    path: Path,
    architecture: Mapping[str, Any],
    scale: int,
    sensor: Sensor = RGB,
) -> None:
    """Write weights as safetensors, under the architecture's original key names.

    Args:
        network: the upscaler.
        path: ends in .safetensors; appears only when it is complete.
        architecture: the ``_target_`` and the arguments that made ``network``; stored as metadata,
            which other tools ignore and ``load_upscaler`` reads.
        scale: HR size / LR size.
        sensor: the kind of photos that it was trained on, stored as metadata too.

    Raises:
        UserError: weights that are NaN or infinite.
    """
    check_finite(network.state_dict(), f"{path} is not written: the network")
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"format": "pt"}
    described = description(network, architecture, scale, sensor)
    if described is not None:
        metadata[KEY] = described
    weights = {k: v.detach().cpu().contiguous().clone() for k, v in network.state_dict().items()}
    metadata[DIGEST] = digest_of(weights, metadata.get(KEY))
    write_bytes(path, save(weights, metadata=metadata))


def description(
    network: nn.Module, architecture: Mapping[str, Any], scale: int, sensor: Sensor = RGB
) -> str | None:
    """What a file of weights says of them, as JSON; None where their keys say everything.

    Args:
        network: the upscaler.
        architecture: the ``_target_`` and the arguments that made it.
        scale: HR size / LR size.
        sensor: the kind of photos that it was trained on.
    """
    # Published ones are recognised by their keys, as they were.
    if isinstance(network, Published):
        return None if sensor.plain else json.dumps({"sensor": asdict(sensor)})
    if not architecture:
        return None
    node = {k: v for k, v in architecture.items() if (k, v) != ("channels", 3)}
    described: dict[str, Any] = {"network": node, "scale": scale}
    if not sensor.plain:
        described["sensor"] = asdict(sensor)
    return json.dumps(described)


def open_weights(path: Path) -> OpenWeights:
    """Open an upscaler from a file: the project's own, or any architecture that spandrel knows.

    No code named by the file is run: it may only describe one of the project's architectures, by
    numbers within bounds, see :mod:`wildsr.network.architecture`.

    Raises:
        UserError: the file is missing, damaged, or of an unknown architecture.
    """
    what = f"`weights`: {path}"
    weights, about = read_file(path)
    if about is None:
        published = Published.of(weights, path)
        kind = Sensor(published.channels)
        return OpenWeights(published.eval(), published.scale, None, kind)
    try:
        described = json.loads(about) if len(about) <= LONGEST else None
    except (ValueError, RecursionError):
        described = None
    if described is None:
        raise UserError(f"{what} is damaged: its description cannot be read.")
    if isinstance(described, dict) and described.keys() == {"sensor"}:
        published = Published.of(weights, path)
        kind = _sensor_of(described, published, what)
        return OpenWeights(published.eval(), published.scale, None, kind)
    architecture = Architecture.of(described, what)
    network = architecture.build(weights, what)
    sensor = _sensor_of(described, network, what)
    return OpenWeights(network.eval(), architecture.scale, architecture.node, sensor)


def _sensor_of(described: Mapping[str, Any], network: nn.Module, what: str) -> Sensor:
    """The kind of photos that a file states, else 8 bits of the network's channels."""
    if "sensor" not in described:
        return Sensor(channels_of(network))
    try:
        sensor = Sensor.of(described["sensor"])
    except UserError as error:
        raise UserError(f"{what} is damaged: its description of photos cannot be read.") from error
    if sensor.channels != channels_of(network):
        raise UserError(f"{what} is damaged: its description of photos is not that of its network.")
    return sensor
