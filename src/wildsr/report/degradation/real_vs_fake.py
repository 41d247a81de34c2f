"""Draw real and generated LR images side by side: pictures, noise, spectra, kernel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from wildsr.atomic import writing
from wildsr.metric.statistic.flat_noise import LEVELS, flat_noise
from wildsr.metric.statistic.radial_spectrum import FREQUENCIES, radial_spectrum
from wildsr.network.front.front import HighPass
from wildsr.network.protocol import Draws, Physical
from wildsr.report.degradation.describe import describe, measured_kernel
from wildsr.report.sheet import crop_of_interest

SIDE = 64  # pixels of a crop, enlarged by repeating pixels
GAIN = 6.0  # of the details
SMALLEST = 32  # pixels; smaller photos have no spectrum
COLOURS = {"real": "black", "generated": "tab:red"}


def real_vs_fake(
    real: Sequence[Tensor],
    fake: Sequence[Tensor],
    sharp: Sequence[Tensor],
    degrader: nn.Module,
    path: Path,
) -> None:
    """Draw real LR photos beside generated ones; they show different scenes, but should look alike.

    Shows crops with the most texture, their details (the image less a 3x3 average) amplified, the
    noise of flat places against brightness, the radially averaged spectrum, and the degrader's
    kernel: as the degrader states it, or else measured from ``sharp`` and ``fake``.

    Args:
        real: (1, 3, h, w) each, [0, 1].
        fake: likewise; sizes may differ.
        sharp: (1, 3, sh, sw), the HR image of each of ``fake``.
        degrader: made ``fake``.
        path: of the PNG; its folder is made if need be.
    """
    columns = max(len(real), len(fake))
    learned = _described(degrader)
    scale = sharp[0].shape[-1] // fake[0].shape[-1]
    figure = Figure(figsize=(2.1 * columns + 4.6, 8.6), layout="constrained")
    halves = figure.subfigures(1, 2, width_ratios=[2.1 * columns, 4.6], squeeze=False)
    pictures, plots = halves[0]
    panels = pictures.subplots(4, columns, squeeze=False)
    for row, (name, photos) in enumerate({"real": real, "generated": fake}.items()):
        for column in range(columns):
            top, below = panels[2 * row, column], panels[2 * row + 1, column]
            if column < len(photos):
                _draw_crop(top, below, photos[column])
            for panel in (top, below):
                panel.set(xticks=[], yticks=[], frame_on=column < len(photos))
        panels[2 * row, 0].set_ylabel(f"{name} LR", color=COLOURS[name], fontsize="large")
        panels[2 * row + 1, 0].set_ylabel(f"its details x{GAIN:.0f}")
    noise, spectrum, kernel = plots.subplots(3, 1)
    for name, photos in {"real": real, "generated": fake}.items():
        large = [255 * p[0] for p in photos if min(p.shape[-2:]) >= SMALLEST]
        if large:
            style = {"color": COLOURS[name], "label": name, "marker": ".", "linewidth": 2}
            levels = (torch.arange(LEVELS) + 0.5) / LEVELS
            noise.plot(levels, _mean([flat_noise(photo) for photo in large]), **style)
            spectrum.plot(FREQUENCIES, _mean([radial_spectrum(p) for p in large]), **style)
    noise.set(title="Noise of flat places", xlabel="brightness", ylabel="1/255", xlim=(0, 1))
    noise.set_ylim(bottom=0)
    spectrum.set(title="Spectrum", xlabel="cycles per pixel", ylabel="dB")
    for panel in (noise, spectrum):
        panel.grid(alpha=0.3)
        if panel.lines:
            panel.legend()
    if learned is None:
        kernel.imshow(measured_kernel(sharp, fake, scale), cmap="magma")
        kernel.set_title("Kernel, HR pixels\nmeasured from these photos", fontsize="small")
    else:
        kernel.imshow(learned["kernel"].cpu(), cmap="magma")
        kernel.set_title(f"Kernel, HR pixels\n{learned['summary']}", fontsize="small", wrap=True)
    kernel.set(xticks=[], yticks=[])
    with writing(path) as partial:
        figure.savefig(partial, format="png", dpi=110)


def _draw_crop(top: Axes, below: Axes, photo: Tensor) -> None:
    side = min(SIDE, *photo.shape[-2:])
    y, x = crop_of_interest(photo, side)
    details = HighPass("average", 3)(photo) * GAIN + 0.5
    for panel, image in ((top, photo), (below, details)):
        crop = image[0, :, y : y + side, x : x + side].clamp(0, 1)
        panel.imshow(crop.permute(1, 2, 0).cpu().numpy(), interpolation="nearest")


def _mean(curves: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(curves)).nanmean(0)


def _described(degrader: nn.Module) -> dict | None:
    """The description by the first part of a degrader that knows its parameters, if any."""
    for module in degrader.modules():
        if isinstance(module, Physical | Draws):
            found = describe(module)
            if found is not None:
                return dict(found)
    return None
