"""Report card entry: noise level by brightness."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.metric.statistic.flat_noise import LEVELS, flat_noise
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

TOLERATED = 0.1  # of the real noise
LEAST = 0.5  # 1/255; rounding to 8 bits and a little texture can make this difference
QUARTILE = 0.25  # over photos: the flatter quarter shows noise, the others texture as well
WHERE = ("all", "dark", "bright")


def noise_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Compare the noise level of two sets of photos by brightness.

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of the bootstrap.
    """
    levels = [torch.stack([flat_noise(photo) for photo in photos]) for photos in (real, fake)]
    # Only what both sets hold can be compared.
    seen = [(~found.isnan()).sum(0) for found in levels]
    common = (torch.minimum(*seen) >= min(2, len(real), len(fake))).nonzero()[:, 0]
    curves = [_curve(found[None])[0] for found in levels]
    draw = _drawing(levels, curves)
    if not len(common):
        verdict = "No brightness at which both sets have flat places: noise cannot be compared."
        return Entry("noise", "Noise by brightness", UNKNOWN, verdict, {}, torch.nan, draw)
    half = (len(common) + 1) // 2

    def statistic(found: Tensor) -> Tensor:
        curve = _curve(found)[..., common]
        parts = (curve, curve[..., :half], curve[..., -half:])
        return torch.stack([part.nanmean(-1) for part in parts], -1)

    compared = compare(levels[0], levels[1], statistic, seed)
    differences, margins = compared.difference.tolist(), compared.margin.tolist()
    tolerances = [max(TOLERATED * level, LEAST) for level in compared.real.tolist()]
    judged = list(zip(differences, margins, tolerances, strict=True))
    states = [state_of(*numbers) for numbers in judged]
    few = too_few(real, fake)
    # The whole first: where it differs, so do its halves.
    worst = next((i for i, state in enumerate(states) if state == DIFFERS), 0)
    state = UNKNOWN if few else states[worst]
    values: dict[str, float | None] = {}
    for index, where in enumerate(WHERE):
        a, b, margin = (float(x[index]) for x in (compared.real, compared.fake, compared.margin))
        values |= {f"real_{where}": number(a), f"fake_{where}": number(b)}
        values[f"chance_{where}"] = number(margin)
    severity = abs(differences[worst]) / tolerances[worst]
    levels_said = f"{compared.fake[worst]:.1f}/255 against {compared.real[worst]:.1f}/255"
    place = ("", " in the dark", " in bright places")[worst]
    if few:
        verdict = f"{few}: noise {levels_said}."
    elif state == DIFFERS:
        much = "clean" if differences[worst] < 0 else "noisy"
        verdict = f"Generated LR is too {much}{place}: noise {levels_said}"
        verdict += f" (by chance up to {margins[worst]:.1f} apart)."
    elif state == UNKNOWN:
        verdict = unclear(f"noise {levels_said}", f"{margins[0]:.1f} apart")
    else:
        verdict = f"The noise agrees: {levels_said} (less than "
        verdict += (
            f"{max(margins[0], tolerances[0]):.1f} apart could be chance or would not matter)."
        )
    return Entry(
        "noise", "Noise by brightness", state, verdict, values, torch.nan if few else severity, draw
    )


def _curve(found: Tensor) -> Tensor:
    """(R, n, LEVELS) -> (R, LEVELS): the quartile of the photos that hold a brightness."""
    return found.nanquantile(QUARTILE, dim=1)


def _drawing(levels: list[Tensor], curves: list[Tensor]) -> Callable[[Axes], None]:
    brightness = (torch.arange(LEVELS) + 0.5) / LEVELS

    def draw(axes: Axes) -> None:
        rows = zip(
            levels, curves, (REAL, FAKE), ("real", "generated"), (-0.008, 0.008), strict=True
        )
        for found, curve, colour, name, aside in rows:
            for photo in found:
                axes.plot(brightness + aside, photo, ".", color=colour, alpha=0.25, markersize=4)
            style = "--" if colour == REAL else "-"
            axes.plot(brightness, curve, style, color=colour, label=name, linewidth=2)
        top = max(float(curve.nan_to_num(0).max()) for curve in curves)
        axes.set(xlabel="brightness", ylabel="standard deviation (1/255)", xlim=(0, 1))
        axes.set_ylim(0, max(2.2 * top, 1))
        axes.grid(alpha=0.3)
        axes.legend()

    return draw
