"""Describe the machine and software on which the numbers were made."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ("wildsr", "torch", "lightning", "kornia", "numpy", "pillow", "spandrel")


def environment() -> dict[str, str]:
    """Describe machine, software and time in words."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    found = {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "device": device,
        "processors": f"{os.cpu_count()}, {torch.get_num_threads()} threads",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
