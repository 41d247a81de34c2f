"""Plot PSNR against ST-LPIPS along the strength, from the faithful to the finished upscaler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from wildsr.atomic import writing


def draw_strengths(
    along: Mapping[str, Mapping[str, float | None]], chosen: float, path: Path
) -> None:
    """Write a PNG: a point for each strength, the default marked, and bicubic interpolation.

    Args:
        along: metrics, ``psnr`` (dB) and ``st_lpips`` among them, by "bicubic" and by strength as
            text.
        chosen: the default strength.
        path: of the PNG.
    """
    places = {
        name: (distance, psnr)
        for name, row in along.items()
        if (psnr := row.get("psnr")) is not None and (distance := row.get("st_lpips")) is not None
    }
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    line = [place for name, place in places.items() if name != "bicubic"]
    axes.plot([x for x, _ in line], [y for _, y in line], "o-", color="tab:red")
    for name, (x, y) in places.items():
        default = name != "bicubic" and float(name) == chosen
        if name == "bicubic":
            axes.plot([x], [y], "s", color="tab:gray")
        if default:
            axes.plot([x], [y], "o", color="tab:red", markersize=12, markerfacecolor="white")
        text = f"{name} (default)" if default else name
        axes.annotate(
            text, (x, y), textcoords="offset points", xytext=(0, 9), ha="center", fontsize=9
        )
    axes.invert_xaxis()
    axes.margins(0.2)
    axes.set_xlabel("ST-LPIPS, VGG (to the right is better)")
    axes.set_ylabel("PSNR in dB")
    axes.set_title("Strength from 0, faithful, to 1, finished, on generated LR")
    with writing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
