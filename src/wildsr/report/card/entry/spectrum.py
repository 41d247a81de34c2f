"""Report card entry: power spectrum, by octave."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.metric.statistic.radial_spectrum import FREQUENCIES, radial_spectrum
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

TOLERATED = 1.0  # dB
OCTAVES = {  # name: (slice of FREQUENCIES, the periods in pixels)
    "fine": (slice(8, 16), "2 to 4"),
    "middle": (slice(4, 8), "4 to 8"),
    "coarse": (slice(2, 4), "8 to 16"),
}


def spectrum_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Compare the power spectra, octave by octave.

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of the bootstrap.
    """
    found = [torch.stack([radial_spectrum(photo) for photo in photos]) for photos in (real, fake)]

    def statistic(photos: Tensor) -> Tensor:
        octaves = [photos[..., part].mean((-2, -1)) for part, _ in OCTAVES.values()]
        return torch.stack(octaves, -1)

    compared = compare(found[0], found[1], statistic, seed)
    difference, margin = compared.difference.tolist(), compared.margin.tolist()
    states = [state_of(d, m, TOLERATED) for d, m in zip(difference, margin, strict=True)]
    few = too_few(real, fake)
    # The finest first: it is the camera's, the coarser ones are the scene's as well.
    worst = next((i for i, state in enumerate(states) if state == DIFFERS), 0)
    state = UNKNOWN if few else states[worst]
    pixels = list(OCTAVES.values())[worst][1]
    said = f"{difference[worst]:+.1f} dB at periods of {pixels} pixels"
    if few:
        verdict = f"{few}: detail {said}."
    elif state == DIFFERS:
        much = "little" if difference[worst] < 0 else "much"
        verdict = f"Generated LR has too {much} {list(OCTAVES)[worst]} detail, noise included: "
        verdict += f"{said} (by chance up to {margin[worst]:.1f})."
    elif state == UNKNOWN:
        verdict = unclear(said, f"{margin[0]:.1f}")
    else:
        verdict = f"The spectra agree: {said} (by chance up to {margin[worst]:.1f})."
    values: dict[str, float | None] = {}
    for name, d, m in zip(OCTAVES, difference, margin, strict=True):
        values |= {f"difference_{name}": number(d), f"chance_{name}": number(m)}
    severity = torch.nan if few else abs(difference[worst]) / TOLERATED
    name, title = "spectrum", "Power spectrum"
    return Entry(name, title, state, verdict, values, severity, _drawing(found))


def _drawing(found: list[Tensor]) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        sides = ((REAL, "real", "--"), (FAKE, "generated", "-"))
        for photos, (colour, name, style) in zip(found, sides, strict=True):
            middle = photos.mean(0)
            spread = photos.std(0) if len(photos) > 1 else torch.zeros_like(middle)
            low, high = middle - spread, middle + spread
            axes.fill_between(FREQUENCIES, low, high, color=colour, alpha=0.12, linewidth=0)
            axes.plot(FREQUENCIES, middle, style, color=colour, label=name, linewidth=2)
        axes.set_xscale("log", base=2)
        ticks = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2]
        axes.set_xticks(ticks, [f"{round(1 / tick)}" for tick in ticks])
        axes.set(
            xlabel="period (pixels); the band is one deviation over photos", ylabel="power (dB)"
        )
        axes.grid(alpha=0.3)
        axes.legend()

    return draw
