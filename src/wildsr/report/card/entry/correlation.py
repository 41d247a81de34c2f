"""Report card entry: correlation of the noise between neighbouring pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.metric.statistic.flat_noise import LAGS, noise_correlation
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

TOLERATED = 0.1


def correlation_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Compare how strongly the noise of neighbouring pixels is correlated.

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of the bootstrap.
    """
    found = [torch.stack([noise_correlation(photo) for photo in photos]) for photos in (real, fake)]

    def statistic(photos: Tensor) -> Tensor:
        return photos[..., :2].mean(-1).nanmedian(-1).values[..., None]  # the nearest neighbours

    compared = compare(found[0], found[1], statistic, seed)
    a, b, margin = (float(x[0]) for x in (compared.real, compared.fake, compared.margin))
    few = too_few(real, fake)
    state = UNKNOWN if few else state_of(b - a, margin, TOLERATED)
    said = f"neighbouring pixels' noise is correlated by {b:.2f} against {a:.2f}"
    if few:
        verdict = f"{few}: {said}."
    elif state == UNKNOWN and margin == margin:
        verdict = unclear(said, f"{margin:.2f} apart")
    elif state == UNKNOWN:
        verdict = "One of the sets has no noise at all, so it has no correlation."
    elif state == DIFFERS:
        verdict = f"Generated noise is too {'coarse' if b > a else 'fine'}: {said}"
        verdict += f" (by chance up to {margin:.2f} apart)."
    else:
        verdict = f"The noise is as coarse: {said}."
    values = {"real": number(a), "fake": number(b), "chance": number(margin)}
    severity = torch.nan if state == UNKNOWN else abs(b - a) / TOLERATED
    name, title = "correlation", "Correlation of the noise"
    draw = _drawing(found)
    return Entry(name, title, state, verdict, values, severity, draw)


def _drawing(found: list[Tensor]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        places = torch.arange(len(LAGS))
        sides = ((REAL, "real", -0.2), (FAKE, "generated", 0.2))
        for photos, (colour, name, aside) in zip(found, sides, strict=True):
            axes.bar(places + aside, photos.nanmedian(0).values, 0.38, color=colour, label=name)
        axes.axhline(0, color="gray", linewidth=0.8)
        axes.set_xticks(places, [f"{right} right\n{down} down" for down, right in LAGS])
        axes.set(ylabel="correlation", ylim=(-0.4, 1))
        axes.legend()

    return draw
