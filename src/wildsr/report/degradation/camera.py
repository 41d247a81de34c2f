"""Draw a degradation: its blur kernel and its noise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import TypedDict

import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from torch import Tensor

from wildsr.atomic import writing
from wildsr.error import UserError

STYLES = {  # line style and colour of each camera; distinguishable without colour, too
    "start": ("dotted", "tab:gray"),
    "true": ("dashed", "black"),
    "learned": ("solid", "tab:red"),
}


class CameraState(TypedDict):
    """Kernel and noise of a degradation at one time, for drawing."""

    kernel: Tensor  # (k, k), sums to 1
    brightness: Tensor  # (n,), [0, 1]
    noise_std: Tensor  # (n,), standard deviation at that brightness, in units of [0, 1]
    summary: str  # one line in words


def kernel_statistics(kernel: Tensor) -> dict[str, float]:
    """Centre, widths and direction of a kernel, by its moments.

    With weights w of sum 1: the centre is ``m = sum w p``, and the widths are the square roots of
    the eigenvalues of ``sum w (p - m)(p - m)^T``.

    Args:
        kernel: (k, l), positive sum.

    Returns:
        ``centre_x``, ``centre_y``: pixels right of and below the kernel's middle (half a pixel off
        for a centred kernel of an even scale on an odd grid); ``sigma_major``, ``sigma_minor``:
        standard deviations in pixels; ``angle_degrees``: of the major axis, from x towards y
        (clockwise on the screen), in [0, 180), and 0 if both widths are the same.

    Raises:
        UserError: not two-dimensional, not finite, or no positive sum.
    """
    if kernel.ndim != 2:
        raise UserError(f"Argument `kernel` must be (k, k), but got {tuple(kernel.shape)}.")
    weights = kernel.detach().cpu().double()
    total = weights.sum()
    if not (torch.isfinite(weights).all() and total > 0):
        raise UserError(
            f"Argument `kernel` must be finite with a positive sum, but got {total.item()}."
        )
    weights = weights / total
    height, width = weights.shape
    y = (torch.arange(height) - (height - 1) / 2).double()[:, None]
    x = (torch.arange(width) - (width - 1) / 2).double()[None]
    centre_x, centre_y = (weights * x).sum().item(), (weights * y).sum().item()
    dx, dy = x - centre_x, y - centre_y
    xx, yy = (weights * dx * dx).sum().item(), (weights * dy * dy).sum().item()
    xy = (weights * dx * dy).sum().item()
    # The eigenvalues of [[xx, xy], [xy, yy]]; negative weights can make one negative.
    middle, half = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    angle = math.degrees(math.atan2(2 * xy, xx - yy) / 2) if half > 1e-6 * abs(middle) else 0.0
    return {
        "centre_x": centre_x,
        "centre_y": centre_y,
        "sigma_major": math.sqrt(max(middle + half, 0)),
        "sigma_minor": math.sqrt(max(middle - half, 0)),
        "angle_degrees": angle % 180,
    }


def camera_figure(
    learned: CameraState,
    true: CameraState | None,
    path: str | Path,
    start: CameraState | None = None,
) -> None:
    """Draw a learned degradation: kernels on one colour scale, and noise against brightness.

    Args:
        learned: the state after training.
        true: the degradation that made the photos, if it is known.
        path: of the PNG; its folder is made if need be.
        start: the state before training.

    Raises:
        UserError: a kernel without statistics, see :func:`kernel_statistics`.
    """
    cameras = {"start": start, "learned": learned, "true": true}
    known = {name: camera for name, camera in cameras.items() if camera is not None}
    figure = Figure(figsize=(2.9 * len(known) + 5.4, 4.2), layout="constrained")
    *panels, noise = figure.subplots(
        1, len(known) + 1, width_ratios=[*[2.6] * len(known), 4.4], squeeze=False
    )[0]
    _draw_kernels(figure, dict(zip(known, panels, strict=True)), known)
    for name, camera in known.items():
        line, colour = STYLES[name]
        brightness, std = (camera[key].detach().cpu() for key in ("brightness", "noise_std"))
        noise.plot(brightness, 255 * std, label=name, linestyle=line, color=colour, linewidth=2)
    noise.set(title="Noise", xlabel="brightness", ylabel="standard deviation (1/255)", xlim=(0, 1))
    noise.set_ylim(bottom=0)
    noise.grid(alpha=0.3)
    noise.legend()
    letters = int(
        11 * figure.get_figwidth()
    )  # the layout cannot reserve room for matplotlib's own wrap
    said = [f"{name}: {camera['summary']}" for name, camera in known.items() if camera["summary"]]
    figure.supxlabel("\n".join(fill(line, letters) for line in said), fontsize="medium")
    with writing(Path(path)) as partial:
        figure.savefig(partial, format="png", dpi=120)


def _draw_kernels(
    figure: Figure, panels: Mapping[str, Axes], cameras: Mapping[str, CameraState]
) -> None:
    """Heat maps with one colour scale and one field of view, the widths in their titles."""
    kernels = {name: camera["kernel"].detach().cpu().float() for name, camera in cameras.items()}
    statistics = {name: kernel_statistics(kernel) for name, kernel in kernels.items()}
    brightest = max(kernel.max().item() for kernel in kernels.values())
    # A square root: of a narrow kernel beside a wide one, linear colours would show one only.
    scale = PowerNorm(0.5, vmin=0, vmax=brightest, clip=True)
    seen = max(max(kernel.shape) for kernel in kernels.values()) / 2
    for name, panel in panels.items():
        height, width = kernels[name].shape
        extent = (-width / 2, width / 2, height / 2, -height / 2)
        image = panel.imshow(kernels[name], norm=scale, cmap="magma", extent=extent)
        facts = statistics[name]
        major, minor = f"{facts['sigma_major']:.2f}", f"{facts['sigma_minor']:.2f}"
        direction = f" x {minor} px, {facts['angle_degrees']:.0f}°" if major != minor else " px"
        panel.set_title(f"Kernel, {name}\n{major}{direction}")
        panel.set(xlim=(-seen, seen), ylim=(seen, -seen), facecolor="black", xlabel="HR pixels")
    ticks = [brightest * part for part in (0, 1 / 16, 1 / 4, 1)]  # evenly spaced under the root
    figure.colorbar(
        image, ax=list(panels.values()), shrink=0.7, label="weight", ticks=ticks, format="%.3f"
    )
