"""Every method where the truth is known: how much of the gap to the true degradation it closes.

    python benchmarks/known_truth.py --hr bsds500/train --lr bsds500/test        all, two cores
    python benchmarks/known_truth.py ... --scenario a --method wild cyclesr      a part of it
    python benchmarks/known_truth.py ... --full                                  for a GPU
    python benchmarks/known_truth.py ... --folder four    of four photos, one, or no flat place

Finished rows are kept, and a row that was stopped goes on.

HR = the photos of --hr; LR = the first hundred of --lr through a scenario's hidden camera; test =
the next hundred, through the same camera, with their truth. Every row trains the same upscaler from
the same start (trained on bicubic pairs) with the same optimiser for the same time: processor
seconds of one thread, measured before each run and turned into iterations, so that neither other
programs nor the order of the runs decide. Figures: means over the test photos, RGB, border = scale,

    gap closed = (method - bicubic-trained) / (oracle - bicubic-trained), in PSNR.

kernelgan_zssr trains on one photo at a time; it runs on the first few test photos, and its gap is
that of the others on these. Without --hr and --lr: scikit-image's photos, which are few. --quick
trains for a moment only: it shows that the script works, not how good any method is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from crew import crew
from hidden_camera import MORE, SCALES, SCENARIOS
from known_truth_rows import (
    ANYWHERE,
    BICUBIC,
    ORACLE,
    PHOTOS,
    ROWS,
    TRAINED,
    Setting,
    carry_out,
    photos,
    prepare,
    thin_folder,
)

TITLES = SCENARIOS | MORE


def means(result: dict, limit: int | None = None) -> dict[str, float]:
    images = result["images"][:limit]
    return {m: sum(i[m] for i in images) / len(images) for m in ("psnr", "ssim")}


def gap(results: dict[str, dict], row: str) -> float | None:
    """The share of the way from bicubic-trained to the oracle, on the photos of ``row``."""
    if not {row, TRAINED, ORACLE} <= results.keys() or row in (TRAINED, ORACLE):
        return None
    count = len(results[row]["images"])
    own, low, high = (means(results[name], count)["psnr"] for name in (row, TRAINED, ORACLE))
    return (own - low) / (high - low) if high > low else None


def table(
    found: dict[str, dict[str, dict]], scenarios: list[str], rows: list[str]
) -> Iterator[str]:
    titles = [f"{name}: {TITLES[name]}" for name in scenarios]
    yield "| upscaler | " + " | ".join(titles) + " | gap closed, mean |"
    yield "| --- |" + " --- |" * (len(scenarios) + 1)
    for row in rows:
        cells, gaps = [], []
        for scenario in scenarios:
            results = found.get(scenario, {})
            if row not in results:
                cells.append("")
                continue
            mean, closed = means(results[row]), gap(results, row)
            cell = f"{mean['psnr']:.2f} / {mean['ssim']:.4f}"
            if closed is not None:
                gaps.append(closed)
                cell += f" ({closed:.0%})"
            cells.append(cell)
        average = f"{sum(gaps) / len(gaps):.0%}" if gaps else ""
        yield f"| {row} | " + " | ".join(cells) + f" | {average} |"


def plot(found: dict[str, dict[str, dict]], rows: list[str], path: Path) -> None:
    """How much of the gap each row closes, a mark for each scenario."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.42 * len(rows) + 1.4), layout="constrained")
    axes = figure.subplots()
    best = {row: [g for s in found if (g := gap(found[s], row)) is not None] for row in rows}
    shown = [row for row in rows if max(best[row], default=-2) > -1]  # the others are far away
    for marker, scenario in zip("os^Dvp", found, strict=False):
        points = [
            (100 * closed, y)
            for y, row in enumerate(reversed(shown))
            if (closed := gap(found[scenario], row)) is not None
        ]
        if points:
            axes.scatter(
                *zip(*points, strict=True),
                marker=marker,
                label=f"{scenario}: {TITLES[scenario]}",
            )
    axes.set_yticks(range(len(shown)), list(reversed(shown)))
    axes.axvline(0, color="gray", linewidth=1)
    axes.axvline(100, color="gray", linewidth=1, linestyle="dashed")
    axes.set_xlim(left=max(axes.get_xlim()[0], -300))
    axes.set(xlabel="gap closed in PSNR, % (0: bicubic pairs; 100: the true degradation)")
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def sources(hr: Path | None, lr: Path | None) -> tuple[list[Path], list[Path], list[Path]]:
    """The files of HR, LR and test photos; scikit-image's where no folders are given."""
    from wildsr.data.demo import HELD_OUT, HR, LR
    from wildsr.photo.image import list_images

    if hr and lr:
        every = list_images(lr, "--lr")
        return list_images(hr, "--hr"), every[:PHOTOS], every[PHOTOS : 2 * PHOTOS]
    import skimage

    known = {p.stem: p for p in (Path(skimage.__file__).parent / "data").iterdir()}
    chosen = ([known[name] for name in names] for names in (HR, LR, HELD_OUT))
    return next(chosen), next(chosen), next(chosen)


def settled(options: argparse.Namespace) -> Setting:
    """What the options mean, of this script or of another one that has ``work`` and ``start``."""
    hr, lr, test = sources(options.hr, options.lr)
    given = vars(options)
    more = {}
    if options.full:
        more = {"upscaler": "edsr", "patch": 48, "batch": 16, "accelerator": "gpu"}
        more |= {"small": False, "precision": "auto"}
    if given.get("precision"):
        more |= {"precision": options.precision, "tag": f"-{options.precision}"}
    test = test[: given.get("photos")]
    if options.quick:
        more |= {"singles": 1}
        test = test[:2]
    work = options.work.resolve()
    sides = (tuple(hr), tuple(lr), tuple(test))
    return Setting(work, *sides, options.seconds, options.start, options.seed, **more)


def thinner(setting: Setting, kind: str | None, scenario: str, row: str) -> Setting:
    """The setting of a row whose method sees a thin folder only; others see no LR photos."""
    if kind is None or row in (BICUBIC, ORACLE, *ANYWHERE):
        return setting
    folder = thin_folder(setting, scenario, kind)
    return replace(setting, tag=f"{setting.tag}-{kind}", more=(f"data.lr={folder}",))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hr", type=Path, help="folder of sharp photos")
    parser.add_argument("--lr", type=Path, help="folder of other sharp photos, for LR and test")
    parser.add_argument("--scenario", nargs="+", choices=TITLES, default=list(SCENARIOS))
    parser.add_argument("--method", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seconds", type=float, help="of one thread, for each row (60)")
    parser.add_argument("--start", type=float, help="of one thread, on bicubic pairs before (120)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, help="rows at a time (2; with --full 1)")
    parser.add_argument("--photos", type=int, help="test photos, at most; all that there are")
    parser.add_argument("--precision", help="of training (32-true; with --full auto)")
    parser.add_argument("--folder", choices=("four", "one", "rough"), help="of the LR photos")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/known_truth"), help="kept between calls"
    )
    parser.add_argument("--full", action="store_true", help="EDSR, two hours a row, on a GPU")
    parser.add_argument("--plot", type=Path, help="a PNG")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if bool(options.hr) != bool(options.lr):
        parser.error("--hr and --lr come together")
    options.seconds = options.seconds or (7200 if options.full else 0.5 if options.quick else 60)
    options.start = options.start or (7200 if options.full else 0.5 if options.quick else 120)
    options.jobs = options.jobs or (1 if options.full else 2)
    if options.quick:
        import tempfile

        scratch = tempfile.TemporaryDirectory()
        options.work, options.scenario = Path(scratch.name), ["a"]
        options.method = [BICUBIC, TRAINED, ORACLE, "wild", "cyclesr"]
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "WANDB_MODE": "offline"}
    setting = settled(options)
    photos(setting, options.scenario)
    found: dict[str, dict[str, dict]] = {scenario: {} for scenario in options.scenario}
    with crew(options.jobs) as pool:
        scales = {SCALES[s]: s for s in options.scenario}
        list(pool.map(prepare, [setting] * len(scales), scales.values()))
        # The rows that serve several scenarios first, one scenario of each scale after the other.
        jobs = {(s, r): None for s in scales.values() for r in options.method if r in ANYWHERE}
        for future in [pool.submit(carry_out, setting, *job) for job in jobs]:
            future.result()
        jobs = [(s, r) for s in options.scenario for r in options.method]
        settings = [thinner(setting, options.folder, *job) for job in jobs]
        made = [(pool.submit(carry_out, s, *j), j) for s, j in zip(settings, jobs, strict=True)]
        for future, (scenario, row) in made:
            try:
                found[scenario][row] = json.loads(Path(future.result()).read_text())
            except Exception as error:  # one row's failure is not that of the others
                print(f"{scenario} {row} failed: {error}", file=sys.stderr)
    print("\n".join(table(found, options.scenario, options.method)))
    if options.plot:
        plot(found, options.method, options.plot)
    if options.json:
        figures = {
            f"{s}_{r}_{m}": v
            for s, results in found.items()
            for r, result in results.items()
            for m, v in {
                **means(result),
                "gap_closed": gap(results, r),
                "iterations": result.get("iterations"),
            }.items()
            if v is not None
        }
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
