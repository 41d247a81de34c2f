"""What a benchmark ran on, and whether anything else ran there: figures without it say nothing."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

# What decides the speed of convolutions on x86 and ARM.
FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8")
FLAGS += ("avx_vnni", "asimddp", "bf16", "i8mm", "sve")
BUSY = 0.1  # share of all cores' time that others may take before ratios mean nothing


def processor() -> tuple[str, list[str]]:
    """The CPU's name and those of its instructions that matter."""
    lines: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            lines.setdefault(key.strip().lower(), value.strip())
    except OSError:  # not Linux
        pass
    said = (lines.get("flags") or lines.get("features") or "").split()
    name = lines.get("model name") or platform.processor() or platform.machine()
    return name, [flag for flag in FLAGS if flag in said]


def busy(seconds: float = 1.0) -> float:
    """The share of all cores' time that is taken now, while this process waits."""
    return float(psutil.cpu_percent(interval=seconds)) / 100


def facts() -> dict[str, object]:
    """The machine, its libraries, its load before the benchmark."""
    import torch

    name, flags = processor()
    found: dict[str, object] = {"cpu": name, "flags": flags, "cores": os.cpu_count()}
    found |= {"threads": torch.get_num_threads(), "memory_gb": psutil.virtual_memory().total / 1e9}
    found |= {"python": platform.python_version(), "torch": torch.__version__}
    found |= {"system": platform.platform(), "busy": busy()}
    if hasattr(os, "getloadavg"):
        found["load"] = list(os.getloadavg())
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        found |= {"gpu": card.name, "gpu_memory_gb": card.total_memory / 1e9}
        found |= {"cuda": torch.version.cuda, "cards": torch.cuda.device_count()}
    return found


def sentence(found: dict[str, object]) -> str:
    """The facts as a line of Markdown."""
    flags = found["flags"]
    assert isinstance(flags, list)
    said = f"{found['cpu']} ({', '.join(flags) or 'flags unknown'}), {found['cores']} cores"
    if "gpu" in found:
        said = f"{found['gpu']} ({found['gpu_memory_gb']:.0f} GB), {said}"
    said += f", torch {found['torch']} with {found['threads']} threads, {found['busy']:.0%} busy"
    if "load" in found:
        load = found["load"]
        assert isinstance(load, list)
        said += f" and a load of {load[0]:.1f} before it began"
    return said
