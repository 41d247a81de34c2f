"""Cache of measurements of a network on this machine, in the user's cache folder."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs
import torch
from torch import nn

from wildsr.atomic import one_at_a_time, refusal, write_text

PACKAGES = ("wildsr", "torch", "onnxruntime", "onnx", "openvino", "nncf")


def cache_folder() -> Path:
    """The folder of caches that can be computed again: ``~/.cache/wildsr`` on Linux."""
    return platformdirs.user_cache_path("wildsr", appauthor=False)


def network_digest(network: nn.Module) -> str:
    """SHA-256 of a network: its modules, weights and buffers."""
    found = hashlib.sha256(repr(network).encode())
    for name, value in sorted(network.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def architecture(network: nn.Module) -> str:
    """What decides a network's speed: its modules and the shapes of its weights."""
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    return f"{network!r} {shapes}"


def machine_facts(device: torch.device) -> dict[str, object]:
    """What determines which engine is fastest: processor, threads, device, package versions."""
    name = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
        name = next((line for line in lines if line.startswith("model name")), name)
    except OSError:
        pass  # not Linux
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {
        "processor": name.partition(":")[2].strip() or name,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "device": f"{device.type} {card}".strip(),
        **{package: _version(package) for package in PACKAGES},
    }


def remembered(kind: str, key: Mapping[str, object], decide: Callable[[], str]) -> str | None:
    """Return the decision cached for this key, or make it and cache it.

    If several processes ask at the same time, one decides and the others wait.

    Args:
        kind: of the decision; a folder of the cache.
        key: everything the decision may depend on, JSON-serialisable.
        decide: makes the decision.

    Returns:
        The decision; None, without deciding, if the cache cannot be written.
    """
    text = json.dumps(dict(key), sort_keys=True)
    folder = cache_folder() / kind
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()}.json"
    if (known := _read(path)) is not None:
        return known
    if refusal(folder) is not None:
        return None
    with one_at_a_time(folder / "lock"):
        if (known := _read(path)) is not None:
            return known
        decided = decide()
        write_text(path, json.dumps({"decided": decided, "for": dict(key)}, indent=1) + "\n")
    return decided


def _read(path: Path) -> str | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["decided"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
