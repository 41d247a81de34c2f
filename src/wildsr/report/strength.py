"""The line from the faithful to the finished upscaler, drawn: PSNR against ST-LPIPS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from wildsr.atomic import writing


def draw_strengths(
    along: Mapping[str, Mapping[str, float | None]], chosen: float, path: Path
) -> None:
    """Write a PNG: each strength a point, the default marked, bicubic interpolation beside.

    Args:
        along: "bicubic" and strengths as text -> metrics, ``psnr`` and ``st_lpips`` among them.
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
        text = name if name == "bicubic" else f"strength {name}{' (default)' if default else ''}"
        axes.annotate(text, (x, y), textcoords="offset points", xytext=(8, 4), fontsize=9)
    axes.invert_xaxis()
    axes.margins(0.2)
    axes.set_xlabel("ST-LPIPS, VGG (to the right is better)")
    axes.set_ylabel("PSNR in dB")
    axes.set_title("From faithful to finished, on generated LR")
    with writing(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
