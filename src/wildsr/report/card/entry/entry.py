"""One entry of a report card: measurement, verdict and figure."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

REAL, FAKE = "black", "tab:red"
AGREES, DIFFERS, UNKNOWN = "agrees", "differs", "unknown"  # states
COLOURS = {AGREES: "tab:green", DIFFERS: "tab:red", UNKNOWN: "tab:gray"}
BLIND = 3.0  # "agrees" is only said if the margin of chance is at most this many tolerances
FEWEST = 4  # photos of each set; with fewer, nothing can be told from chance


@dataclass(frozen=True)
class Entry:
    """An entry of the report card.

    Attributes:
        name: short and stable, for JSON.
        title: shown to the user.
        state: "agrees" (no relevant difference was found), "differs", or "unknown" (too little data
            to judge).
        verdict: a sentence with the numbers.
        values: the numbers, by name; None for missing ones.
        severity: the difference that the verdict is about, relative to the tolerance (for the
            Wasserstein distance: to the distance within real LR); NaN if unknown.
        draw: draws the figure into matplotlib axes.
    """

    name: str
    title: str
    state: str
    verdict: str
    values: Mapping[str, float | None]
    severity: float
    draw: Callable[[Axes], None]

    def png(self) -> bytes:
        """The figure alone as a PNG."""
        figure = Figure(figsize=(4.8, 3.4), layout="constrained")
        axes = figure.subplots()
        self.draw(axes)
        axes.set_title(self.title)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110)
        return file.getvalue()

    def caption(self, letters: int) -> str:
        """The verdict, wrapped to lines of at most ``letters`` characters."""
        return fill(self.verdict, letters)


def state_of(difference: float, margin: float, tolerance: float) -> str:
    """The state of an entry: "differs" for a difference beyond both chance and the tolerance.

    "agrees" only if a relevant difference would have been detected: not if the margin of chance
    exceeds ``BLIND`` times the tolerance.
    """
    if math.isnan(difference) or math.isnan(margin):
        return UNKNOWN
    if abs(difference) > max(margin, tolerance):
        return DIFFERS
    return AGREES if margin <= BLIND * tolerance else UNKNOWN


def unclear(said: str, margin: str) -> str:
    """The verdict on an entry in which chance could hide a difference."""
    return f"Too few photos to tell: {said}, and chance alone makes up to {margin}."


def too_few(real: Sequence[object], fake: Sequence[object]) -> str:
    """Say why there are too few photos for a verdict; empty if there are enough."""
    if min(len(real), len(fake)) >= FEWEST:
        return ""
    return (
        f"Too few photos to judge ({len(real)} real, {len(fake)} generated; "
        f"at least {FEWEST} of each)"
    )


def number(value: float) -> float | None:
    """The number itself, or None for NaN and infinities, which JSON cannot hold."""
    return value if math.isfinite(value) else None
