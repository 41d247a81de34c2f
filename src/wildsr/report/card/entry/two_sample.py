"""Report card entry: can a classifier tell generated LR from real LR?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.loss.local_features import local_features
from wildsr.metric.statistic.two_sample import TwoSample, two_sample
from wildsr.report.card.chance import ERROR
from wildsr.report.card.entry.entry import AGREES, BLIND, DIFFERS, FAKE, UNKNOWN, Entry, too_few

TOLERATED = 0.05  # above one half
CLEARLY = 0.75  # accuracy above which the verdict says "easily"


def two_sample_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Run a classifier two-sample test: can local features tell generated LR from real LR?

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of folds and resampling.
    """
    name, title = "two_sample", "Two-sample test"
    few = too_few(real, fake)
    if few:
        verdict = f"{few}: no test."
        return Entry(name, title, UNKNOWN, verdict, {}, torch.nan, _nothing)
    found = two_sample(
        [local_features(photo) for photo in real], [local_features(photo) for photo in fake], seed
    )
    # The same false alarm rate as in the other entries; the verdict quotes the usual 5 %.
    beyond = found.p_value <= ERROR and found.accuracy > 0.5 + TOLERATED
    state = DIFFERS if beyond else AGREES
    if state == AGREES and found.chance > 0.5 + BLIND * TOLERATED:
        state = UNKNOWN
    numbers = f"{_percent(found.accuracy)} of unseen crops told right"
    interval = f"95 % interval {_percent(found.low)} to {_percent(found.high)}"
    chance = f"chance alone exceeds {_percent(found.chance)} in 5 % of cases"
    if state == AGREES:
        verdict = f"A classifier cannot tell generated LR from real LR: {numbers}"
    elif state == UNKNOWN:
        verdict = f"Too few photos to tell: {numbers}"
    elif found.accuracy > CLEARLY:
        verdict = f"A classifier easily tells generated LR from real LR: {numbers}"
    else:
        verdict = f"A classifier often tells generated LR from real LR: {numbers}"
    verdict += f" ({interval}; {chance}; two halves of the real photos: {_percent(found.halves)})."
    values = vars(found)
    severity = max(found.accuracy - 0.5, 0) / TOLERATED
    return Entry(name, title, state, verdict, values, severity, _drawing(found))


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.0f} %"


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "too few photos", ha="center", va="center")
    axes.set_axis_off()


def _drawing(found: TwoSample) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        accuracy, low, high = (100 * x for x in (found.accuracy, found.low, found.high))
        error = [[accuracy - low], [high - accuracy]]
        axes.barh(1, accuracy, 0.5, color=FAKE, xerr=error, ecolor="black", capsize=5)
        labels = ["generated\nagainst real"]
        if found.halves is not None and found.halves_low is not None:
            halves = 100 * found.halves
            spread = [[halves - 100 * found.halves_low], [100 * (found.halves_high or 0) - halves]]
            axes.barh(0, halves, 0.5, color="gray", xerr=spread, ecolor="black", capsize=5)
            labels = ["halves of\nthe real", *labels]
        axes.axvline(50, color="black", linestyle=":", label="guessing")
        label = "chance exceeds this in 5 %"
        axes.axvline(100 * found.chance, color="tab:blue", linestyle="--", label=label)
        axes.set_yticks(range(2 - len(labels), 2), labels)
        axes.set(xlim=(0, 100), ylim=(-0.5, 2.3), xlabel="crops told right (%)")
        axes.legend(loc="upper left")

    return draw
