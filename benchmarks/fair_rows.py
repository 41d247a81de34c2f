"""The rows of benchmarks/fair.py: how long each is trained, how it starts, why some fall short."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

from known_truth_rows import BICUBIC, ORACLE, REAL, TRAINED, Setting

# Processor minutes of one thread; --minutes ROW=N changes one. Those with a degrader and a critic
# to train get 15 at least, those of several stages more. Whether the losses have settled by then is
# measured on each run, and is a column of the table.
MINUTES = {
    BICUBIC: 0.0,
    TRAINED: 15.0,
    "wild": 15.0,
    "adversarial_camera": 15.0,
    "impressionism": 15.0,
    "pdm": 20.0,
    "bulat": 20.0,
    "cyclesr": 20.0,
    "maeda": 30.0,
    "cincgan": 40.0,
    "dsgan": 45.0,
    "dasr": 45.0,
    "lud_vae": 45.0,
    ORACLE: 15.0,
}
SCENARIOS = "a", "b", REAL  # without JPEG, with it, a real camera
SEEDS = {"wild": 3}

# Other toolkits hand out weights of these degraders, which end in a sigmoid without a skip. In
# their place a stage teaches them the identity on bicubic LR, so that they know colours. (A stage
# can only be added behind the others, so that the stages' names move up by one.)
IDENTITY = (
    "method.stages={degrade: 1, upscale: 3}",
    "+method.stages.last=4",
    *(f"method.updates.{name}.stages=[upscale]" for name in ("judge", "degrade")),
    *(f"method.updates.{name}.stages=[last]" for name in ("upscale", "judge_hr")),
    "+method.updates.identity={stages: [degrade], trains: [degrade], terms: "
    "{identity: {loss: l1, prediction: fake_lr, target: clean_lr}}}",
    "method.optimizers.degrade.lr=1e-3",
)
MORE = {
    "dsgan": IDENTITY,
    "dasr": IDENTITY,
    # Its divergence takes its weight within the stage, as the authors' does.
    "lud_vae": (
        "method.stages={degrade: 3, upscale: 2}",
        "method.optimizers.degrade.lr=5e-4",
        "method.updates.degrade.terms.kl.ramp=1000",
    ),
}
# Why a row is below bicubic, by "row" or "scenario-row": written after its curves (--curves) and
# pictures were looked at, never before.
WHY: dict[str, str] = {
    "canon-adversarial_camera": "its camera settles within the first quarter of the time at a blur "
    "of 2.7 pixels and next to no noise, which does not explain photos that the camera sharpened; "
    "the upscaler undoes a blur that is not there, with halos around every edge. `wild` measures "
    "about the same blur (3.1 pixels), finds that it does not explain the photos, and trains on "
    "milder ones.",
    "canon-bulat": "its degrader leaves bicubic LR until the end (`degrade/pixel` rises and "
    "has not settled), and its LR has 9 dB more of the finest detail than real LR; the upscaler, "
    "trained against a critic of its own, draws hatching along every edge, and its results have a "
    "green tint.",
    "canon-cincgan": "its cleaner changes clean LR by 13/255 from the first eighth of the time on "
    "(`translate/identity`, which begins at 0), and red turns to orange; in the second stage its "
    "upscaler, trained against a critic of its own, gains texture until the end (`joint/smooth` "
    "trebles and has not settled), which is hatching along every edge.",
    "canon-cyclesr": "its critic of real LR gains until the end (`judge/real` falls and has not "
    "settled), and its translators have drifted from the identity (`identity_real`, "
    "`identity_clean`: fifty times the error at the start): other colours, and a coarse texture "
    "that the upscaler passes on.",
    "canon-dasr": "its LR has 7.7 dB more of the finest detail than real LR: the degrader, which "
    "ends in a sigmoid, is 3/255 from the identity when its own stage begins "
    "(`identity/identity`), and its critic gains on it (`degrade/fool` rises by half and stays "
    "there); the upscaler, trained against a critic of its own, hatches edges finely.",
    "canon-dsgan": "its critic of sharp photos wins from the first eighth of the upscaler's stage "
    "on (`judge_hr/real` at about 0.03, `upscale/fool` at about 10), and the upscaler draws "
    "speckles and halos along every edge; and its degrader, which ends in a sigmoid, is 4/255 from "
    "the identity when its own stage begins (`identity/identity`).",
    "canon-maeda": "real photos pass its correction network first, which drifts as the degrader "
    "does (`generate/cycle` rises until the end, to more than seven times its first value, and "
    "`generate/pixel` with it): red turns to brown, and edges get halos and hatching.",
    "canon-pdm": "its critic gains on the degrader until the end (`degrade/fool` rises, "
    "`judge/real` falls), and the degrader's noise grows with it (`degrade/noise`): the upscaler "
    "draws halos, and its results have a green tint.",
}

SMALL = 0.05  # a change of a loss that is none
Verdict = tuple[bool, str]


def of_row(setting: Setting, row: str, minutes: float, seed: int) -> Setting:
    """The setting of one row, its time, start and seed."""
    more = (*setting.more, *MORE.get(row, ()))
    return replace(setting, seconds=60 * minutes, seed=seed, tag=tag_of(minutes, seed), more=more)


def tag_of(minutes: float, seed: int) -> str:
    """What ends the names of a row's run and of its file of figures."""
    return f"-{minutes:g}min" + (f"-seed{seed}" if seed else "")


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The terms of a run by name, update/term -> (iteration, value) as they were logged."""
    from omegaconf import OmegaConf

    updates = OmegaConf.to_container(OmegaConf.load(folder / "config.yaml").method.updates)
    assert isinstance(updates, dict)
    names = {f"{name}/{term}" for name, spec in updates.items() if spec for term in spec["terms"]}
    found: dict[str, list[tuple[int, float]]] = {}
    with (folder / "metrics.csv").open(newline="") as file:
        for line in csv.reader(file):
            if len(line) == 3 and line[1] in names:
                found.setdefault(line[1], []).append((int(line[0]), float(line[2])))
    return found


def change(values: list[float]) -> float | None:
    """How far a loss moved from the third to the last quarter of its own time, as a share.

    0 where the difference is within two standard errors of itself; None of too few points.
    """
    quarter = len(values) // 4
    if quarter < 4:
        return None
    before, after = values[-2 * quarter : -quarter], values[-quarter:]
    moved = abs(fmean(after) - fmean(before))
    error = math.sqrt((stdev(before) ** 2 + stdev(after) ** 2) / quarter)
    size = max(abs(fmean(before)), abs(fmean(after)))
    return 0.0 if moved <= 2 * error or size == 0 else moved / size


def verdict(folder: Path) -> Verdict | None:
    """Whether all terms of a run have settled, and the one that moved most; None of a short run."""
    changes = {
        name: moved
        for name, points in curves(folder).items()
        if (moved := change([value for _, value in points])) is not None
    }
    if not changes:
        return None
    worst = max(changes, key=lambda name: changes[name])
    return changes[worst] <= SMALL, f"{worst} {changes[worst]:.0%}"
