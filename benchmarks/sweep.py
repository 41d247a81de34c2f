"""Do objectives without a truth order the trials of a sweep as the truth does?

    python benchmarks/sweep.py                   the demo, whose camera is known: two searches
    python benchmarks/sweep.py --trials 24 --iterations 600 --json FILE

Draws trials at random, trains each in this process, and measures every objective at its end. Prints
Spearman's rank correlation of each objective with PSNR and ST-LPIPS against the truth, +1 where it
orders the trials alike, and what is lost by taking its best trial instead of the best by the truth.
The first search is over a camera that is learned (method=adversarial_camera), the second over the
camera that is assumed and how the upscaler is trained (method=supervised). --quick is for tests.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import sys
import tempfile
import time
from pathlib import Path

import torch
from rich.console import Console
from scipy.stats import spearmanr

from wildsr.config.override import written
from wildsr.config.quiet import quiet_libraries
from wildsr.config.search import CARD, PANEL, space_of
from wildsr.config.trials import checked_sweep, trial_overrides
from wildsr.error import UserError
from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.kind import HIGHER, Setting
from wildsr.seed import mix_seeds
from wildsr.sweep.objective import PANELS, Objective
from wildsr.sweep.study import optuna, suggest
from wildsr.training.session import Watch
from wildsr.training.train import train

TRUTH = ("psnr", "st_lpips")
WITHOUT = (PANEL, CARD, *PANELS, "lr_consistency", "lr_consistency_learned")
SEARCHES = {
    "a learned camera": [
        "method=adversarial_camera",
        "network.critic.features=16",
        "search={method.optimizers.degrade.lr: [1.0e-5, 1.0e-2, log], "
        "method.optimizers.upscale.lr: [3.0e-5, 1.0e-2, log], "
        "network/critic: [patch_local, patch]}",
    ],
    "an assumed camera": [
        "method=supervised",
        "search={degradation: [bicubic, classical, mild, bsrgan, demo_camera], "
        "method.optimizers.upscale.lr: [3.0e-5, 1.0e-2, log]}",
    ],
}


class Everything(Watch):
    """Measures all objectives of a training at its end."""

    def __init__(self, objectives: list[Objective]) -> None:
        self.objectives, self.found, self.data = objectives, {}, None

    def begin(self, job) -> None:
        """Take the photos."""
        self.data = job.data

    def trained(self, training) -> None:
        """Measure."""
        for objective in self.objectives:
            try:
                self.found[objective.name] = objective.of(training, self.data)
            except UserError:
                self.found[objective.name] = math.nan


def trials(typed: list[str], count: int, root: Path) -> list[dict]:
    """The objectives of each trial, with what was drawn."""
    config = checked_sweep(typed)
    objectives = []
    for name in (*TRUTH, *WITHOUT):
        config.objective = name
        objectives.append(Objective(config))
    study, found = optuna().create_study(), []
    base = trial_overrides(typed)
    for number in range(count):
        trial = study.ask()
        seed = mix_seeds(0, number, 0) % 2**32
        study.sampler = optuna().samplers.RandomSampler(seed=seed)
        drawn = {key: suggest(trial, key, values) for key, values in space_of(config).items()}
        more = [f"{key}={written(value)}" for key, value in drawn.items()]
        watch, begun = Everything(objectives), time.process_time()
        console = Console(file=io.StringIO())
        try:
            train([*base, *more, f"runs_dir={root}", f"name={number}"], console, watch)
        except UserError as error:
            print(f"trial {number}: {error}", file=sys.stderr)
            continue
        found.append({**drawn, **watch.found, "seconds": time.process_time() - begun})
        print(f"trial {number}: {found[-1]}", file=sys.stderr, flush=True)
    return found


def sign(objective: str) -> int:
    """1 where more is better, else -1."""
    if objective in (PANEL, CARD):
        return -1
    return 1 if CATALOGUE[objective](Setting("rgb", 0)).better == HIGHER else -1


def agreement(found: list[dict]) -> dict[str, dict[str, float]]:
    """Of each objective: the rank correlation with each truth, and the regret."""
    table = {}
    for name in WITHOUT:
        known = [one for one in found if math.isfinite(one[name])]
        if len(known) < 3:
            continue
        table[name] = {"trials": len(known)}
        best = max(known, key=lambda one: sign(name) * one[name])
        for truth in TRUTH:
            ours = [sign(name) * one[name] for one in known]
            theirs = [sign(truth) * one[truth] for one in known]
            table[name][truth] = float(spearmanr(ours, theirs).statistic)
            table[name][f"{truth}_regret"] = max(theirs) - sign(truth) * best[truth]
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=150)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    count, iterations = (3, 2) if options.quick else (options.trials, options.iterations)
    torch.set_num_threads(1)
    figures = {}
    for search, typed in SEARCHES.items():
        plain = [
            "data=demo",
            "finish=none",
            "baseline=false",
            "logger=none",
            "trainer.accelerator=cpu",
        ]
        plain += ["data.patch=16", "data.batch=4"]
        plain += [f"iterations={iterations}", "validate_every=1000000", "metric.metrics=[psnr]"]
        with tempfile.TemporaryDirectory() as scratch, quiet_libraries():
            found = trials([*plain, *typed], count, Path(scratch))
        figures[search] = {"trials": found, "agreement": agreement(found)}
        spent = sum(one["seconds"] for one in found)
        psnr = [one["psnr"] for one in found]
        print(
            f"\n{search}: {len(found)} trials of {iterations} iterations, {spent:.0f} CPU seconds"
        )
        print(f"PSNR {min(psnr):.2f} to {max(psnr):.2f} dB\n")
        heads = ("objective", "rank correlation with PSNR", "with ST-LPIPS", "PSNR lost (dB)")
        print(f"| {' | '.join(heads)} | ST-LPIPS lost |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for name, row in figures[search]["agreement"].items():
            print(f"| {name} | {row['psnr']:+.2f} | {row['st_lpips']:+.2f} | ", end="")
            print(f"{row['psnr_regret']:.2f} | {row['st_lpips_regret']:.3f} |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
