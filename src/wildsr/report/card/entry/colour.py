"""Report card entry: colours and contrast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.metric.statistic.colour_statistics import STATISTICS, colour_statistics
from wildsr.report.card.chance import Comparison, compare
from wildsr.report.card.entry.entry import (
    DIFFERS,
    FAKE,
    REAL,
    UNKNOWN,
    Entry,
    number,
    state_of,
    too_few,
    unclear,
)

TOLERATED = (15.0, 8.0, 4.0, 4.0, 5.0)  # 1/255, of each; scenes differ more than casts do
MORE = {  # generated minus real, positive and negative
    "brightness": ("brighter", "darker"),
    "contrast": ("more contrasty", "flatter"),
    "blue": ("bluer", "yellower"),
    "red": ("redder", "greener"),
    "colourfulness": ("more colourful", "paler"),
}


def colour_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Compare colours and contrast of two sets of photos.

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of the bootstrap.
    """
    found = [torch.stack([colour_statistics(photo) for photo in photos]) for photos in (real, fake)]

    def statistic(photos: Tensor) -> Tensor:
        return photos.mean(-2)

    compared = compare(found[0], found[1], statistic, seed)
    difference, margin = compared.difference.tolist(), compared.margin.tolist()
    states = [state_of(*judged) for judged in zip(difference, margin, TOLERATED, strict=True)]
    few = too_few(real, fake)
    size = [
        abs(d) / max(m, tolerated) if m == m else 0
        for d, m, tolerated in zip(difference, margin, TOLERATED, strict=True)
    ]
    worst = size.index(max(size))
    state = UNKNOWN if few else states[worst]
    name = STATISTICS[worst]
    sign = "+" if name in ("blue", "red") else ""  # against gray
    said = f"{name} {compared.fake[worst]:{sign}.1f}/255 against "
    said += f"{compared.real[worst]:{sign}.1f}/255"
    if few:
        verdict = f"{few}: {said}."
    elif state == DIFFERS:
        how = MORE[name][difference[worst] < 0]
        verdict = f"Generated LR is {how}: {said} (by chance up to {margin[worst]:.1f} apart); "
        verdict += "so may the scenes of the two folders be."
    elif state == UNKNOWN:
        verdict = unclear(said, f"{margin[worst]:.1f} apart")
    else:
        verdict = f"Colours agree as far as scenes let one see: {said} furthest apart"
        verdict += f" (by chance up to {margin[worst]:.1f})."
    values: dict[str, float | None] = {}
    for index, key in enumerate(STATISTICS):
        values |= {
            f"real_{key}": number(float(compared.real[index])),
            f"fake_{key}": number(float(compared.fake[index])),
            f"chance_{key}": number(margin[index]),
        }
    severity = torch.nan if few else abs(difference[worst]) / TOLERATED[worst]
    return Entry("colour", "Colour", state, verdict, values, severity, _drawing(compared))


def _drawing(compared: Comparison) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        places = torch.arange(len(STATISTICS))
        sides = ((compared.real, REAL, "real", -0.2), (compared.fake, FAKE, "generated", 0.2))
        for values, colour, name, aside in sides:
            axes.bar(places + aside, values, 0.38, color=colour, label=name)
        margin = compared.margin.nan_to_num(0).clamp(max=255)
        centre = (compared.real + compared.fake) / 2
        axes.errorbar(
            places, centre, margin / 2, fmt="none", color="gray", capsize=4, label="chance"
        )
        axes.set_xticks(places, STATISTICS, fontsize=8)
        axes.set_ylabel("1/255")
        axes.axhline(0, color="gray", linewidth=0.8)
        axes.legend()

    return draw
