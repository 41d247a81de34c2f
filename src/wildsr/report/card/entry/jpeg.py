"""Report card entry: traces of JPEG compression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.metric.statistic.jpeg_grid import jpeg_grid
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

TOLERATED = 0.05
NONE = 0.04  # images without JPEG compression stay below this


def jpeg_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Compare the traces of JPEG's 8x8 block grid.

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of the bootstrap.
    """
    found = [torch.stack([jpeg_grid(photo) for photo in photos]) for photos in (real, fake)]

    def statistic(photos: Tensor) -> Tensor:
        return photos.mean(-2)

    compared = compare(found[0][:, None], found[1][:, None], statistic, seed)
    a, b, margin = (float(x[0]) for x in (compared.real, compared.fake, compared.margin))
    few = too_few(real, fake)
    state = UNKNOWN if few else state_of(b - a, margin, TOLERATED)
    said = f"grid {100 * b:.0f} % against {100 * a:.0f} %"
    if few:
        verdict = f"{few}: JPEG {said}."
    elif state == DIFFERS:
        if b < NONE:
            what = "shows no JPEG, real LR does"
        elif a < NONE:
            what = "shows JPEG, real LR does not"
        else:
            what = f"is compressed too {'strongly' if b > a else 'little'} for its noise"
        verdict = f"Generated LR {what}: {said} (by chance up to {100 * margin:.0f} apart)."
    elif state == UNKNOWN:
        verdict = unclear(f"JPEG {said}", f"{100 * margin:.0f} apart")
    elif max(a, b) < NONE:
        verdict = f"Neither shows JPEG: {said}."
    else:
        verdict = f"The traces of JPEG agree: {said}."
    values = {"real": number(a), "fake": number(b), "chance": number(margin)}
    severity = torch.nan if few else abs(b - a) / TOLERATED
    return Entry("jpeg", "JPEG blockiness", state, verdict, values, severity, _drawing(found))


def _drawing(found: list[Tensor]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        top = max(float(photos.max()) for photos in found)
        bins = torch.linspace(0, max(100 * top, 10), 21).tolist()
        real, fake = ((100 * photos).tolist() for photos in found)
        axes.hist(fake, bins, color=FAKE, alpha=0.6, label="generated")
        axes.hist(real, bins, histtype="step", color=REAL, label="real", linewidth=2)
        axes.axvline(100 * NONE, color="gray", linestyle=":", label="no JPEG is left of this")
        axes.set(xlabel="fine coefficients that vanish on the 8x8 grid only (%)", ylabel="photos")
        axes.legend()

    return draw
