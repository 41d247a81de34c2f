"""Report card entry: sliced Wasserstein distance of small patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from wildsr.metric.wasserstein import laplacian_patches, sliced_wasserstein, smallest_side
from wildsr.pixels import floats
from wildsr.report.card.entry.entry import (
    AGREES,
    DIFFERS,
    FAKE,
    REAL,
    UNKNOWN,
    Entry,
    number,
    too_few,
)

HALVINGS = 9  # of each set
PATCHES = 512  # of a half; sorting more takes longer than it tells
CLEAR = 2.0  # "agrees" is only said if no halving exceeds their mean by more than this factor
PERIODS = ("2", "4", "8 and more")  # pixels, of the levels


def wasserstein_entry(real: Sequence[Tensor], fake: Sequence[Tensor], seed: int) -> Entry:
    """Compare the sliced Wasserstein distance (real, generated) with the one within real LR.

    All distances are between sets of the same number of photos, half of the smaller set's: real
    against generated, and real against other real photos. The camera shows in the finest level, the
    scenes in the coarser ones.

    Args:
        real: photos of the camera, (3, H, W) each, values 0 to 255.
        fake: generated LR images, likewise.
        seed: of patches, directions and halvings.
    """
    name, title = "wasserstein", "Sliced Wasserstein distance"
    large = [[p for p in photos if min(p.shape[1:]) >= smallest_side()] for photos in (real, fake)]
    few = too_few(*large)
    if few:
        verdict = f"{few}: no distance."
        return Entry(name, title, UNKNOWN, verdict, {}, torch.nan, _nothing)
    generator = torch.Generator().manual_seed(seed)
    real_patches, fake_patches = (
        torch.stack([laplacian_patches(floats(p), generator) for p in photos]) for photos in large
    )
    count = min(len(real_patches), len(fake_patches)) // 2
    # Those of a photo are in random order.
    real_patches, fake_patches = (
        p[:, : -(-PATCHES // count)] for p in (real_patches, fake_patches)
    )
    across, within = [], []
    for _ in range(HALVINGS):
        one, other = torch.randperm(len(real_patches), generator=generator)[: 2 * count].split(
            count
        )
        made = torch.randperm(len(fake_patches), generator=generator)[:count]
        reference = real_patches[one].flatten(0, 1)
        within.append(sliced_wasserstein(real_patches[other].flatten(0, 1), reference))
        across.append(sliced_wasserstein(fake_patches[made].flatten(0, 1), reference))
    far, near = torch.stack(across), torch.stack(within)
    distance, floor, chance = (float(x[0]) for x in (far.mean(0), near.mean(0), near.amax(0)))
    state = DIFFERS if distance > chance else AGREES
    if state == AGREES and chance > CLEAR * floor:
        state = UNKNOWN
    said = (
        f"{distance:.0f} between generated and real LR, {floor:.0f} between two halves of real LR"
    )
    how = {DIFFERS: "Small patches differ", AGREES: "Small patches agree"}
    verdict = f"{how.get(state, 'Too few photos to tell')}: {said}"
    verdict += f" (up to {chance:.0f} among {HALVINGS} halvings)."
    values = {"chance_fine": number(chance)}
    for index, level in enumerate(("fine", "middle", "coarse")):
        values[f"distance_{level}"] = number(float(far.mean(0)[index]))
        values[f"halves_{level}"] = number(float(near.mean(0)[index]))
    severity = max(distance - floor, 0) / floor if floor > 0 else torch.nan
    return Entry(name, title, state, verdict, values, severity, _drawing(far, near))


def _nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "too few photos", ha="center", va="center")
    axes.set_axis_off()


def _drawing(far: Tensor, near: Tensor) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        places = torch.arange(len(PERIODS))
        sides = (
            (near, REAL, "two halves of real", -0.2),
            (far, FAKE, "generated and real", 0.2),
        )
        for values, colour, name, aside in sides:
            middle = values.mean(0)
            spread = torch.stack([middle - values.amin(0), values.amax(0) - middle])
            axes.bar(
                places + aside, middle, 0.38, yerr=spread, color=colour, ecolor="gray", label=name
            )
        axes.set_xticks(places, PERIODS)
        axes.set(xlabel="size of the details (pixels)", ylabel="distance (1/1000 deviation)")
        axes.legend(loc="upper left")

    return draw
