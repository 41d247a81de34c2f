"""Describe and draw the noise and kernel pools collected from real photos."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from wildsr.atomic import writing
from wildsr.degradation.flat import Flat
from wildsr.pixels import unit
from wildsr.report.degradation.camera import kernel_statistics

SHOWN = 32  # patches, in rows of COLUMNS
COLUMNS = 8
GAIN = 6  # of the noise in the sheet, around middle grey


def harvested(pools: Any, flat: Flat) -> list[str]:
    """Describe the collected pools with their thresholds, and warn if too little was found.

    Args:
        pools: the :class:`~wildsr.degradation.pools.Pools` that were filled.
        flat: the flat patches that their noise came from.
    """
    count = len(flat.patches)
    brightness = flat.patches.float().mean((1, 2, 3))
    lines = [
        f"noise: {count} of {flat.found} flat patches of {pools.patch}x{pools.patch}, from "
        f"{flat.photos} of {flat.looked_at} photos ({flat.windows} squares looked at, "
        f"{flat.clipped} of them black or white); once blurred they vary by up to "
        f"{flat.content_limit:.2f}/255, their noise is up to {flat.noise_limit:.2f}/255",
        f"noise: standard deviation {flat.noise.min():.2f} to {flat.noise.max():.2f}/255, "
        f"median {flat.noise.median():.2f}, at brightness {brightness.min():.0f} to "
        f"{brightness.max():.0f}",
    ]
    if count < pools.few:
        lines.append(
            f"warning: only {count} noise patches (fewer than {pools.few}), which the upscaler may "
            "learn by heart; give more photos, a smaller `degradation.patch` or a larger "
            "`degradation.flat`"
        )
    if flat.photos == 1 and flat.looked_at > 1:
        lines.append(
            f"warning: all noise comes from one of {flat.looked_at} photos; a larger "
            "`degradation.flat` also takes squares of others"
        )
    if flat.structured:
        lines.append(
            "warning: no square is free of structure, so that the upscaler learns to take some of "
            "it for noise; look at pools.png, and try a smaller `degradation.patch`"
        )
    if pools.kernels:
        found = [kernel_statistics(k) for k in pools.kernel_pool[: int(pools.filled[1])]]
        widths = [f"{k['sigma_major']:.2f} x {k['sigma_minor']:.2f}" for k in found]
        lines.append(
            f"kernels: {len(found)} of {pools.kernels}, {', '.join(widths[:6])}"
            f"{', ...' if len(widths) > 6 else ''} HR pixels"
        )
    else:
        lines.append("kernels: none, antialiased bicubic")
    return lines


def pools_sheet(pools: Any, flat: Flat, path: Path, title: str) -> None:
    """Draw the flattest patches as they are, their noise amplified, and the kernels.

    Args:
        pools: the :class:`~wildsr.degradation.pools.Pools`.
        flat: the patches (N, 3, p, p) that their noise came from, the flattest first.
        path: of the PNG; its folder is made if need be.
        title: text above the figure.
    """
    chosen = np.linspace(0, len(flat.patches) - 1, min(SHOWN, len(flat.patches))).astype(int)
    patches = unit(flat.patches[chosen])
    noise = patches - patches.mean((2, 3), keepdim=True)
    shown = int(pools.filled[1]) if pools.kernels else 1
    kernels = pools.kernel_pool[:COLUMNS].cpu() if pools.kernels else pools.kernel().cpu()
    figure = Figure(figsize=(12, 6.6), layout="constrained")
    left, right, below = figure.subplot_mosaic(
        [["a", "b"], ["c", "c"]], height_ratios=[3, 1]
    ).values()
    _mosaic(left, patches, "from the flattest on, as they are")
    _mosaic(right, (0.5 + GAIN * noise).clamp(0, 1), f"their noise, {GAIN} times amplified")
    kernels = kernels[:shown].clamp_min(0)
    side = kernels.shape[-1]
    row = np.concatenate([np.pad(k / k.max(), 1, constant_values=1) for k in kernels.numpy()], 1)
    below.imshow(np.sqrt(row), cmap="magma", vmin=0, vmax=1)
    name = f"{shown} kernel{'s' if shown > 1 else ''}" if pools.kernels else "bicubic"
    below.set_title(f"{name}, {side} x {side} HR pixels, square root of the weights")
    below.axis("off")
    figure.suptitle("\n".join(fill(line, 150) for line in title.splitlines()), fontsize="medium")
    with writing(path) as partial:
        figure.savefig(partial, format="png", dpi=100)


def _mosaic(axes: Axes, patches: Tensor, title: str) -> None:
    side = patches.shape[-1] + 1
    rows = -(-len(patches) // COLUMNS)
    sheet = np.ones((rows * side, COLUMNS * side, 3))
    for index, patch in enumerate(patches.permute(0, 2, 3, 1).numpy()):
        top, left = index // COLUMNS * side, index % COLUMNS * side
        sheet[top : top + side - 1, left : left + side - 1] = patch
    axes.imshow(sheet, interpolation="nearest")
    axes.set_title(title)
    axes.axis("off")
