"""What does choosing a checkpoint without a truth cost, against the best by the truth?

    python benchmarks/checkpoint_choice.py                 the demo, 20 checkpoints (4 minutes)
    python benchmarks/checkpoint_choice.py --run DIR [--lr DIR --hr DIR]      a run that there is
    python benchmarks/checkpoint_choice.py --panel lr_discrepancy,swd,niqe_own      another panel

Ranks a run's checkpoints by the panel of `evaluate.py checkpoints=all`, which sees no truth, and
looks up the truth afterwards. The rule of this benchmark, and of it alone: of the checkpoints on
the Pareto front that with the best mean rank over the panel among all checkpoints (the later one of
equals). Regret is the best checkpoint's PSNR minus that of the chosen one; for LPIPS the other way
round, where its weights are there. Prints a Markdown table; --quick trains for a moment only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def python(script: str, *overrides: str) -> None:
    subprocess.run([sys.executable, str(ROOT / script), *overrides], check=True, stdout=sys.stderr)


def ranks(values: list[float], lower: bool) -> list[float]:
    """Places from 0, the best; equal values share their mean place."""
    signed = [value if lower else -value for value in values]
    return [
        sum(other < own for other in signed) + (sum(other == own for other in signed) - 1) / 2
        for own in signed
    ]


def choose(checkpoints: list[dict], front: set[str], panel: dict[str, bool]) -> dict:
    """The rule: on the front, the best mean rank among all; of equals the later.

    The panel says of each metric whether lower is better.
    """
    places = [ranks([c[metric] for c in checkpoints], lower) for metric, lower in panel.items()]
    mean = [sum(column) / len(panel) for column in zip(*places, strict=True)]
    on_front = [
        (place, -c["iteration"], c)
        for place, c in zip(mean, checkpoints, strict=True)
        if c["name"] in front
    ]
    return min(on_front, key=lambda item: item[:2])[2]


def report(folder: Path) -> dict[str, float]:
    """The figures of one evaluation, and its table."""
    ranked = json.loads((folder / "checkpoints.json").read_text())
    found = json.loads((folder / "results.json").read_text())
    rows = {row["name"]: row for row in found["rows"]}
    panel = {metric: found["protocol"][metric]["better"] == "lower" for metric in ranked["panel"]}
    checkpoints = sorted(ranked["checkpoints"], key=lambda c: c["iteration"])
    chosen = choose(checkpoints, {c["name"] for c in ranked["front"]}, panel)
    last = checkpoints[-1]
    figures: dict[str, float] = {
        "checkpoints": len(checkpoints),
        "on_the_front": len(ranked["front"]),
    }
    print(
        f"Panel: {', '.join(ranked['panel'])}; {len(ranked['front'])} of {len(checkpoints)} ",
        end="",
    )
    print("checkpoints on the front.\n")
    print("| metric | best by the truth | chosen without it | take the last | worst on the front |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for metric, sign in (("psnr", 1), ("ssim", 1), ("lpips", -1)):
        known = {c["name"]: rows[c["name"]].get(metric) for c in checkpoints}
        if any(value is None for value in known.values()):
            print(f"| {metric} | no values | | | |")
            continue
        best = max(checkpoints, key=lambda c: sign * known[c["name"]])
        worst = min(ranked["front"], key=lambda c: sign * known[c["name"]])
        cells = []
        for what, checkpoint in (("chosen", chosen), ("last", last), ("front_worst", worst)):
            regret = sign * (known[best["name"]] - known[checkpoint["name"]])
            figures[f"{metric}_regret_{what}"] = regret
            value = known[checkpoint["name"]]
            cells.append(f"{value:.4f} at {checkpoint['iteration']} (regret {regret:.4f})")
        figures[f"{metric}_best"] = known[best["name"]]
        print(
            f"| {metric} | {known[best['name']]:.4f} at {best['iteration']} | {' | '.join(cells)} |"
        )
    print("\n| chosen by one metric of the panel alone | iteration | PSNR regret |")
    print("| --- | ---: | ---: |")
    for metric, lower in panel.items():
        alone = choose(checkpoints, {c["name"] for c in checkpoints}, {metric: lower})
        regret = figures["psnr_best"] - rows[alone["name"]]["psnr"]
        figures[f"psnr_regret_{metric}_alone"] = regret
        print(f"| {metric} | {alone['iteration']} | {regret:.4f} |")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for folder in ("run", "lr", "hr"):
        parser.add_argument(f"--{folder}", type=Path)
    parser.add_argument("--panel", help="metrics, e.g. lr_discrepancy,swd,niqe_own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if (options.lr is None) != (options.hr is None):
        parser.error("--lr and --hr come together")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as scratch:
        root, run = Path(scratch), options.run
        if run is None:
            run = root / "runs" / "demo"
            length = ["iterations=40", "checkpoint_every=10"] if options.quick else []
            python(
                "train.py",
                f"runs_dir={root / 'runs'}",
                "name=demo",
                f"seed={options.seed}",
                "checkpoint_every=60",
                "validate_every=1000000",
                "baseline=false",
                "logger=none",
                "finish=none",
                *length,
            )
        folders = [f"data.lr={options.lr}", f"data.hr={options.hr}"] if options.lr else []
        output = root / "evaluation"
        folders += [f"panel=[{options.panel}]"] if options.panel else []
        python(
            "evaluate.py",
            f"run={run}",
            "checkpoints=all",
            f"output={output}",
            "page_mb=0",
            *folders,
        )
        figures = report(output)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
