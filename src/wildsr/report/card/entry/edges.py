"""Report card entry: blur of edges, by direction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.metric.statistic.edge_spread import DIRECTIONS, edge_spread
from wildsr.report.card.chance import compare
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

TOLERATED = 0.2  # pixels
PARTS = ("all", "0_less_90", "45_less_135")


def edges_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Compare the blur of edges: the distance over which they rise from 10 % to 90 %.

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of the bootstrap.
    """
    found = [torch.stack([edge_spread(photo) for photo in photos]) for photos in (real, fake)]

    def statistic(photos: Tensor) -> Tensor:
        # Between two directions of one photo the scene matters less than between two photos.
        whole, across, rising, along, falling = photos.unbind(-1)
        parts = (whole, across - along, rising - falling)
        return torch.stack([part.nanmean(-1) for part in parts], -1)

    compared = compare(found[0], found[1], statistic, seed)
    difference, margin = compared.difference.tolist(), compared.margin.tolist()
    states = [state_of(d, m, TOLERATED) for d, m in zip(difference, margin, strict=True)]
    few = too_few(real, fake)
    worst = next((i for i, state in enumerate(states) if state == DIFFERS), 0)
    state = UNKNOWN if few else states[worst]
    a, b = float(compared.real[worst]), float(compared.fake[worst])
    rise = f"a 10-90 % rise of {compared.fake[0]:.2f} pixels against {compared.real[0]:.2f}"
    if few:
        verdict = f"{few}: {rise}."
    elif state == UNKNOWN and margin[0] == margin[0]:
        verdict = unclear(rise, f"{margin[0]:.2f} apart")
    elif state == UNKNOWN:
        verdict = "One of the sets has too few straight edges to measure."
    elif state == DIFFERS and worst == 0:
        verdict = f"Generated LR is too {'blurred' if b > a else 'sharp'}: {rise}"
        verdict += f" (by chance up to {margin[0]:.2f} apart)."
    elif state == DIFFERS:
        one, other = (("0°", "90°"), ("45°", "135°"))[worst - 1]
        verdict = f"Generated LR is blurred in another direction: edges across {one} are "
        verdict += f"{b:+.2f} pixels wider than across {other}, against {a:+.2f} in real LR"
        verdict += f" (by chance up to {margin[worst]:.2f} apart)."
    else:
        verdict = f"Edges are as soft: {rise} (by chance up to {margin[0]:.2f} apart)."
    values: dict[str, float | None] = {}
    for index, part in enumerate(PARTS):
        values |= {
            f"real_{part}": number(float(compared.real[index])),
            f"fake_{part}": number(float(compared.fake[index])),
            f"chance_{part}": number(margin[index]),
        }
    severity = torch.nan if state == UNKNOWN else abs(difference[worst]) / TOLERATED
    return Entry("edges", "Edge spread", state, verdict, values, severity, _drawing(found))


def _drawing(found: list[Tensor]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        places = torch.arange(1 + len(DIRECTIONS))
        sides = ((REAL, "real", -0.2), (FAKE, "generated", 0.2))
        for photos, (colour, name, aside) in zip(found, sides, strict=True):
            known = (~photos.isnan()).sum(0)
            error = (photos - photos.nanmean(0)).square().nanmean(0).sqrt() / known.sqrt()
            axes.bar(
                places + aside,
                photos.nanmean(0),
                0.38,
                yerr=error.nan_to_num(0),
                color=colour,
                ecolor="gray",
                label=name,
            )
        axes.set_xticks(places, ["all", *(d.removeprefix("across ") for d in DIRECTIONS)])
        axes.set(xlabel="direction across the edge", ylabel="10-90 % rise (pixels)")
        axes.legend()

    return draw
