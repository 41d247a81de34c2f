"""Upscalers on photos, with and without ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from wildsr.inference.tile import interpolate, upscale_tiled
from wildsr.metric.panel import Panel
from wildsr.metric.table import Row

Upscale = Callable[[Tensor], Tensor]


def interpolation(kind: str, scale: int) -> Upscale:
    """Plain interpolation as an upscaler of (1, 3, H, W)."""
    return lambda lr: interpolate(lr, scale, kind)


def tiled(network: nn.Module, scale: int, tile: int) -> Upscale:
    """A network as an upscaler of whole images, (1, 3, H, W), in bounded memory."""
    network = network.to(memory_format=torch.channels_last)
    return lambda lr: upscale_tiled(network, lr, scale, tile)


def evaluate(
    upscalers: Mapping[str, Upscale],
    photos: Dataset[dict],
    panel: Panel,
    folder: Path | None = None,
    advance: Callable[[str], None] = lambda note: None,
) -> list[Row]:
    """Measure every upscaler on every photo that has a truth.

    Args:
        upscalers: name -> function of (1, 3, H, W) in [0, 1].
        photos: items with ``name``, ``lr`` (3, H, W) and, where there is a truth, ``hr`` (3, sH,
            sW), all uint8.
        panel: the metrics.
        folder: where results go as PNG, one folder an upscaler; None keeps no pictures.
        advance: called after each picture, for a progress bar.

    Returns:
        One row for each upscaler; without truth its values are None. The set metrics compare with
        the truths.
    """
    rows: dict[str, list[dict[str, float | str | None]]] = {name: [] for name in upscalers}
    sets, sharp = {name: panel.gather() for name in upscalers}, panel.gather()
    for index in range(len(photos)):  # type: ignore[arg-type]
        photo = photos[index]
        lr = floats(photo["lr"])
        hr = floats(photo["hr"]) if "hr" in photo else None
        if hr is not None:
            sharp.add(hr)
        for name, upscale in upscalers.items():
            sr = upscale(lr)
            values = panel.measure(sr, hr, lr, gray=photo.get("gray", False))
            sets[name].add(sr)
            rows[name].append({"image": photo["name"], **values})
            if folder is not None:
                save_png(sr, folder / name / f"{photo['name'].replace('/', '_')}.png")
            advance(f"{name}: {photo['name']}")
    return [Row(n, per_image, panel.compare(sets[n], sharp)) for n, per_image in rows.items()]


def floats(image: Tensor) -> Tensor:
    """uint8 (3, H, W) -> float (1, 3, H, W) in [0, 1]."""
    return image[None].float().div(255)


def save_png(image: Tensor, path: Path) -> None:
    """Write (1, 3, H, W) in [0, 1] as an 8-bit PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = image[0].detach().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).cpu().numpy()
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


def on_cpu(images: Tensor) -> Tensor:
    """Detached, in float32, in memory."""
    return images.detach().to("cpu", torch.float32)
