"""How soon each method closes the gap to the true degradation: PSNR against processor time.

    python benchmarks/budget.py --hr bsds500/train --lr bsds500/test --plot docs/budget.png
    python benchmarks/budget.py ... --row wild --seconds 10 30       a part of it
    python benchmarks/budget.py ... --show                           what there is of it so far

One scenario of known_truth.py: the same photos, the same upscaler from the same start (trained on
bicubic pairs), one thread. Every point is a training of its own, as long as the budget says, so
that schedules and the finish of each run are those of its length. The time of a point is what its
plan came to: what a method measures before its first iteration, and the iterations, in processor
seconds; six iterations at least, so that a point may lie right of its budget.

    gap closed = (method - start) / (oracle at the longest budget - start), in PSNR over all photos.

Finished points are kept in --kept, benchmarks/budget, which is part of the repository: only points
that are not there are trained (another folder trains all of them). What they need is kept in
--work, and a point that was stopped goes on; with the same --work known_truth.py's photos and start
are used. Prints a Markdown table of all points that there are, and draws them (--plot, or
budget.png in --work). --quick: four points that mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from crew import crew
from hidden_camera import SCALES, SCENARIOS
from kept import check_photos, keep
from known_truth import means, settled
from known_truth_rows import (
    ORACLE,
    ROWS,
    Setting,
    carry_out,
    measured,
    photos,
    prepare,
    test_names,
)

KEPT = Path(__file__).with_name("budget")
BUDGETS = 10.0, 30.0, 60.0, 300.0, 1800.0
SHOWN = "wild", "pdm", "impressionism", ORACLE


def tagged(setting: Setting, seconds: float) -> Setting:
    """The setting of one budget; the first seed has no name, as the files of before it had one."""
    return replace(setting, seconds=seconds, tag=f"-{seconds:g}s{ending(setting)}")


def ending(setting: Setting) -> str:
    """What ends the names of a seed's points."""
    return f"-seed{setting.seed}" if setting.seed else ""


def name_of(setting: Setting, scenario: str, row: str, seconds: float) -> str:
    """The file of a point."""
    return f"{scenario}-{row}{tagged(setting, seconds).tag}.json"


def budgets_of(setting: Setting, kept: Path, scenario: str, row: str) -> list[float]:
    """The budgets of the finished points of a row."""
    pattern = re.compile(rf"{re.escape(f'{scenario}-{row}')}-([0-9.e+]+)s{ending(setting)}\.json")
    names = kept.glob("*.json")
    return sorted(float(match[1]) for name in names if (match := pattern.fullmatch(name.name)))


def start(setting: Setting, kept: Path, scenario: str) -> float:
    """PSNR of the start of all rows."""
    file = kept / f"{scenario}-start.json"
    if not file.exists():
        folder = setting.work / "runs" / f"start-x{SCALES[scenario]}"
        keep(file, {"images": measured(setting, scenario, folder, len(setting.test))})
    return means(json.loads(file.read_text()))["psnr"]


def curves(setting: Setting, kept: Path, scenario: str) -> dict[str, list[dict[str, float]]]:
    """The points that there are of every row, in the order of their time."""
    found: dict[str, list[dict[str, float]]] = {}
    for row in [*SHOWN, *(row for row in ROWS if row not in SHOWN)]:
        for seconds in budgets_of(setting, kept, scenario, row):
            point = json.loads((kept / name_of(setting, scenario, row, seconds)).read_text())
            spent = point.get("planned", point["seconds"])
            facts = {"iterations": point["iterations"], **means(point)}
            found.setdefault(row, []).append({"budget": seconds, "seconds": spent, **facts})
    if not found:
        return found
    low = start(setting, kept, scenario)
    high = max(found.get(ORACLE, []), key=lambda p: p["budget"], default=None)
    for point in (p for points in found.values() for p in points):
        if high is not None and high["psnr"] > low:
            point["gap"] = (point["psnr"] - low) / (high["psnr"] - low)
    return found


def table(found: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """PSNR, the gap closed, the seconds that it took and the iterations."""
    budgets = sorted({point["budget"] for points in found.values() for point in points})
    yield "| method | " + " | ".join(f"{seconds:g} s" for seconds in budgets) + " |"
    yield "| --- |" + " --- |" * len(budgets)
    for row, points in found.items():
        cells = []
        for seconds in budgets:
            point = next((p for p in points if p["budget"] == seconds), None)
            cell = "" if point is None else f"{point['psnr']:.2f} dB"
            if point is not None and "gap" in point:
                cell += f", {point['gap']:.0%}"
            if point is not None:
                cell += f" ({point['seconds']:.0f} s, {point['iterations']:.0f})"
            cells.append(cell)
        yield f"| {row} | " + " | ".join(cells) + " |"


def plot(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    """The gap closed against the time, on a logarithmic axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for marker, (row, points) in zip("osD^vpXhP*", found.items(), strict=False):
        shown = [(p["seconds"], 100 * p["gap"]) for p in points if "gap" in p]
        if shown:
            axes.plot(*zip(*shown, strict=True), marker=marker, label=row)
    axes.set_xscale("log")
    axes.axhline(0, color="gray", linewidth=1)
    axes.axhline(100, color="gray", linewidth=1, linestyle="dashed")
    axes.set(xlabel="processor seconds of one thread", ylabel="gap closed in PSNR, %")
    axes.set_ylim(bottom=max(axes.get_ylim()[0], -150))
    axes.grid(alpha=0.3)
    if axes.lines[2:]:
        axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hr", type=Path, help="folder of sharp photos")
    parser.add_argument("--lr", type=Path, help="folder of other sharp photos, for LR and test")
    parser.add_argument("--scenario", choices=SCENARIOS, default="a")
    parser.add_argument("--row", nargs="+", choices=ROWS, default=list(SHOWN))
    parser.add_argument("--seconds", nargs="+", type=float, default=list(BUDGETS))
    parser.add_argument("--start", type=float, help="of one thread, on bicubic pairs before (120)")
    parser.add_argument("--photos", type=int, help="test photos, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="points at a time")
    parser.add_argument("--work", type=Path, default=Path("runs/budget"))
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of finished points")
    parser.add_argument("--plot", type=Path, help="a PNG (budget.png in --work)")
    parser.add_argument("--show", action="store_true", help="train nothing: what there is so far")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if bool(options.hr) != bool(options.lr):
        parser.error("--hr and --lr come together")
    options.start = options.start or (0.5 if options.quick else 120)
    options.full = False
    if options.quick:
        scratch = tempfile.TemporaryDirectory()
        options.work = options.kept = Path(scratch.name)
        options.row, options.seconds = [ORACLE, "pdm"], [0.5, 1.0]
    budgets = sorted(set(options.seconds))
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "WANDB_MODE": "offline"}
    setting = settled(options_of(options))
    try:
        if not options.show:
            fill(setting, options, budgets)
    finally:  # a call that is stopped shows what it had
        found = curves(setting, options.kept, options.scenario)
        print("\n".join(table(found)))
        plot(found, options.plot or setting.work / "budget.png")
        if options.json:
            options.json.write_text(json.dumps(found, indent=1) + "\n")


def fill(setting: Setting, options: argparse.Namespace, budgets: list[float]) -> None:
    """Train and measure the points that are not there yet, the cheap ones first."""
    scenario, kept = options.scenario, options.kept
    wanted = [(row, seconds) for seconds in budgets for row in options.row]
    photos(setting, [scenario])
    for point in [*wanted]:
        if (file := kept / name_of(setting, scenario, *point)).exists():
            check_photos(file, test_names(setting, scenario))
            wanted.remove(point)
    with crew(options.jobs) as pool:
        pool.submit(prepare, setting, scenario).result()
        points = {pool.submit(fulfil, setting, kept, scenario, *p): p for p in wanted}
        for future, (row, seconds) in points.items():
            try:
                future.result()
            except Exception as error:  # one point's failure is not that of the others
                print(f"{row} {seconds:g} s failed: {error}", file=sys.stderr)


def fulfil(setting: Setting, kept: Path, scenario: str, row: str, seconds: float) -> None:
    """Train and measure a point, in a process of its own."""
    made = Path(carry_out(tagged(setting, seconds), scenario, row))
    keep(kept / name_of(setting, scenario, row, seconds), json.loads(made.read_text()))


def options_of(options: argparse.Namespace) -> argparse.Namespace:
    """What known_truth.py's setting is made of: there ``seconds`` is one number."""
    return argparse.Namespace(**{**vars(options), "seconds": max(options.seconds)})


if __name__ == "__main__":
    main()
