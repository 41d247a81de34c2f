"""Every method with a fair budget: trained until its losses have settled, not for a minute.

    python benchmarks/fair.py --hr bsds500/train --lr bsds500/test --canon realsr_canon     all
    python benchmarks/fair.py ... --scenario b --row dsgan [--seed 0]         one row alone
    python benchmarks/fair.py ... --show [--curves DIR]                       what there is so far

As known_truth.py (the same photos, the same small upscaler, the same start on bicubic pairs for
all, the same optimiser), but: each row has the time that its method takes (fair_rows.py says which,
in processor minutes of one thread; all of it is 19 hours of one); degraders of dsgan and dasr first
learn the identity on bicubic LR; wild has three seeds. Scenarios: a (blur and noise), b (the same
with JPEG), and with --canon a real camera: a folder of lr, test_lr and test_hr, whose oracle is
trained on true pairs, of the half of the test that it does not restore.

    gap closed = (method - bicubic-trained) / (oracle - bicubic-trained), in PSNR.

Beside it, of what a method generates from the sharp test photos: its noise over the camera's own
(1 is right), and how far the mean of its draws is from the camera's, in dB of PSNR (blur, colours;
higher is better). The last column says whether the losses have settled: how far the one that moved
most moved between the last two quarters of its time.

Finished rows are kept in --kept, benchmarks/fair, which is part of the repository: only rows that
are not there are trained (another folder trains all of them). What they need is kept in --work, and
a row that was stopped goes on. Every row below bicubic is listed with the reason, if somebody has
looked for it. --quick: a moment of some rows on scikit-image's photos, to see that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from crew import crew
from fair_rows import MINUTES, SCENARIOS, SEEDS, of_row, tag_of, verdict
from fair_table import below, draw_curves, gap, table
from hidden_camera import SCENARIOS as TITLES
from hidden_camera import HiddenCamera
from kept import check_photos, keep
from known_truth import means, settled
from known_truth_rows import (
    ANYWHERE,
    BICUBIC,
    ORACLE,
    REAL,
    SCALES,
    TRAINED,
    Setting,
    carry_out,
    measured,
    overrides,
    photos,
    prepare,
    run_name,
    test_names,
    train,
    weights,
)

KEPT = Path(__file__).with_name("fair")
DRAWS, LOOKED_AT = 6, 6  # of the generated LR, of the test photos
HALVES = "even", "odd"


@dataclass(frozen=True)
class Job:
    """One row of one table."""

    scenario: str
    row: str
    minutes: float
    seed: int

    def of(self, setting: Setting) -> Setting:
        """The setting that it is trained in."""
        return of_row(setting, self.row, self.minutes, self.seed)

    def run(self, setting: Setting) -> Path:
        """The folder of its run, of its second one where it has two."""
        own = self.of(setting)
        name = run_name(own, self.scenario, self.row)
        if (self.scenario, self.row) == (REAL, ORACLE):
            name = f"{REAL}-{HALVES[1]}{own.tag}"
        return setting.work / "runs" / name

    @property
    def name(self) -> str:
        """What names its file of figures."""
        return f"{self.scenario}-{self.row}{tag_of(self.minutes, self.seed)}.json"


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """The rows that a call asks for; those of no camera, and of the oracle, first."""
    found = []
    for row in sorted(options.row, key=[TRAINED, ORACLE, *MINUTES].index):
        seeds = range(SEEDS.get(row, 1)) if options.seed is None else [options.seed]
        for scenario in options.scenario:
            found += [Job(scenario, row, options.minutes[row], seed) for seed in seeds]
    return found


def lay_out(setting: Setting, real: Path) -> None:
    """A real camera's photos where known_truth.py looks for a scenario's, and the halves."""
    root = setting.work / "photos" / REAL
    for side in ("lr", "test_lr", "test_hr"):
        for number, path in enumerate(sorted((real / side).iterdir())):
            targets = [root / side / path.name]
            if side != "lr":
                half = root / HALVES[number % 2]
                targets.append(half / side.removeprefix("test_") / path.name)
            for target in targets:
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    shutil.copyfile(path, target)


def of_pairs(setting: Setting) -> str:
    """The bound on a real camera: two halves of the test pairs, each restored by the other."""
    result = setting.work / "results" / f"{REAL}-{ORACLE}{setting.tag}.json"
    if result.exists():
        return str(result)
    names = test_names(setting, REAL)
    images: list[dict] = []
    facts: dict[str, Any] = {}
    for number, half in enumerate(HALVES):
        root, own = setting.work / "photos" / REAL / half, ("data=", "data.lr=", "data.hr=", "degr")
        typed = [o for o in overrides(setting, REAL, TRAINED) if not o.startswith(own)]
        typed += ["data=pairs", f"data.lr={root / 'lr'}", f"data.hr={root / 'hr'}"]
        name = f"{REAL}-{half}{setting.tag}"
        facts = train(setting, name, [*typed, weights(setting, REAL)], setting.seconds)
        others = names[1 - number :: 2]
        every = measured(setting, REAL, setting.work / "runs" / name, len(names))
        images += [image for image in every if image["image"] in others]
    return keep(result, {"scenario": REAL, "row": ORACLE, **facts, "images": images})


def generated(setting: Setting, job: Job) -> dict[str, float]:
    """The noise and the mean of what a run generates, beside the hidden camera's own."""
    import torch

    from wildsr.error import UserError
    from wildsr.metric.fidelity import psnr
    from wildsr.photo.image import read_image
    from wildsr.pixels import floats
    from wildsr.run.degradation import Learned

    scale = SCALES[job.scenario]
    try:
        learned = Learned(str(job.run(setting)), scale, trust=True)
    except UserError:  # of a method that cleans the photo instead
        return {}
    camera, noises, near = HiddenCamera(job.scenario, scale), [], []
    root = setting.work / "photos" / job.scenario / "test_hr"
    for number, path in enumerate(sorted(root.iterdir())[:LOOKED_AT]):
        hr = floats(torch.from_numpy(read_image(path)).permute(2, 0, 1))
        torch.manual_seed(number)
        own, theirs = (torch.cat([d(hr) for _ in range(DRAWS)]) for d in (learned, camera))
        noises.append([float(draws.var(0).mean().sqrt()) for draws in (own, theirs)])
        mean = (draws.mean(0, keepdim=True) for draws in (own, theirs))
        near.append(float(psnr(*mean, 0, "rgb")))
    made, true = (fmean(column) for column in zip(*noises, strict=True))
    return {"noise": made / true, "lr_psnr": fmean(near)} if true else {"lr_psnr": fmean(near)}


def fulfil(setting: Setting, job: Job, kept: Path) -> str:
    """Train and measure a row, in a process of its own; the file of its figures in ``kept``."""
    import torch

    torch.set_num_threads(1)
    own, file = job.of(setting), kept / job.name
    if file.exists():
        return str(file)
    if (job.scenario, job.row) == (REAL, ORACLE):
        path = of_pairs(own)
    else:
        path = carry_out(own, job.scenario, job.row)
    figures = json.loads(Path(path).read_text())
    said = None if job.row == BICUBIC else verdict(job.run(setting))
    figures["settled"], figures["moved"] = said or (None, "")
    if job.scenario != REAL and job.row not in (BICUBIC, ORACLE):
        figures |= generated(setting, job)
    return keep(file, figures)


def collected(kept: Path, scenario: str, minutes: dict[str, float]) -> dict[str, list[dict]]:
    """The finished rows of a scenario, each with its seeds."""
    found: dict[str, list[dict]] = {}
    for row in MINUTES:
        for seed in range(max(SEEDS.values()) + 1):
            file = kept / Job(scenario, row, minutes[row], seed).name
            if file.exists():
                found.setdefault(row, []).append(json.loads(file.read_text()))
    return found


def show(setting: Setting, options: argparse.Namespace) -> dict[str, Any]:
    """Print the tables of what there is, and draw its curves; the figures."""
    figures: dict[str, Any] = {}
    for scenario in options.scenario:
        found = collected(options.kept, scenario, options.minutes)
        if not found:
            continue
        print(f"\n{scenario}: {TITLES.get(scenario, 'a real camera')}\n")
        print("\n".join([*table(found), "", *below(scenario, found)]))
        for row, results in found.items():
            each = [means(result) for result in results]
            figures[f"{scenario}_{row}_psnr"] = psnr = fmean(one["psnr"] for one in each)
            figures[f"{scenario}_{row}_ssim"] = fmean(one["ssim"] for one in each)
            figures[f"{scenario}_{row}_gap_closed"] = gap(found, psnr)
            for name in ("iterations", "planned", "noise", "lr_psnr", "settled"):
                if name in results[0]:
                    figures[f"{scenario}_{row}_{name}"] = results[0][name]
    if options.curves:
        for job in jobs_of(options):
            draw_curves(job.run(setting), options.curves)
    return figures


def work(setting: Setting, options: argparse.Namespace) -> None:
    """Train and measure what is not there yet."""
    hidden = [scenario for scenario in options.scenario if scenario != REAL]
    photos(setting, hidden)
    if REAL in options.scenario:
        lay_out(setting, options.canon)
    kept: Path = options.kept
    jobs = []
    for job in jobs_of(options):
        if (kept / job.name).exists():
            check_photos(kept / job.name, test_names(setting, job.scenario))
        else:
            jobs.append(job)
    shared = {replace(job, scenario=""): job for job in jobs if job.row in ANYWHERE}
    with crew(options.jobs) as pool:
        pool.submit(prepare, setting, options.scenario[0]).result()
        # One run serves all scenarios of such a row: its first measurement before the others.
        first = list(shared.values())
        for batch in (first, [job for job in jobs if job not in first]):
            for job, future in [(job, pool.submit(fulfil, setting, job, kept)) for job in batch]:
                try:
                    future.result()
                except Exception as error:  # one row's failure is not that of the others
                    print(f"{job} failed: {error}", file=sys.stderr)


def minutes_of(said: list[str]) -> dict[str, float]:
    """``ROW=N`` over the minutes that there are."""
    found = dict(MINUTES)
    for one in said:
        row, _, value = one.partition("=")
        if row not in found:
            raise argparse.ArgumentTypeError(f"--minutes {one}: ROW must be one of {list(found)}")
        try:
            found[row] = float(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"--minutes {one}: N must be a number") from None
    return found


def parsed() -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hr", type=Path, help="folder of sharp photos")
    parser.add_argument("--lr", type=Path, help="folder of other sharp photos, for LR and test")
    parser.add_argument("--canon", type=Path, help="folder of a real camera's lr, test_lr, test_hr")
    parser.add_argument("--scenario", nargs="+", choices=SCENARIOS)
    parser.add_argument("--row", nargs="+", choices=MINUTES, default=list(MINUTES))
    parser.add_argument("--minutes", nargs="+", default=[], metavar="ROW=N", help="of a row")
    parser.add_argument("--seed", type=int, help="one seed alone")
    parser.add_argument("--start", type=float, help="seconds on bicubic pairs before (120)")
    parser.add_argument("--photos", type=int, help="test photos, at most")
    parser.add_argument("--jobs", type=int, default=1, help="rows at a time")
    parser.add_argument("--work", type=Path, default=Path("runs/fair"))
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of finished rows' figures")
    parser.add_argument("--show", action="store_true", help="train nothing: what there is so far")
    parser.add_argument("--curves", type=Path, help="a folder for a picture of each run's losses")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    return parser, parser.parse_args()


def main() -> None:
    parser, options = parsed()
    if bool(options.hr) != bool(options.lr):
        parser.error("--hr and --lr come together")
    try:
        options.minutes = minutes_of(options.minutes)
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    if options.quick:
        scratch = tempfile.TemporaryDirectory()
        options.work = options.kept = Path(scratch.name)
        options.seed, options.scenario = 0, ["a"]
        options.row = [BICUBIC, "lud_vae"]
        options.minutes = dict.fromkeys(MINUTES, 0.02)
    hidden = [scenario for scenario in SCENARIOS if scenario != REAL]
    options.scenario = options.scenario or [*hidden, *([REAL] if options.canon else [])]
    if REAL in options.scenario and not (options.canon or options.show):
        parser.error(f"--scenario {REAL} needs --canon")
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "WANDB_MODE": "offline"}
    options.start = options.start or (0.5 if options.quick else 120)
    plain = {**vars(options), "seconds": 60.0, "full": False, "seed": 0}
    setting = settled(argparse.Namespace(**plain))
    try:
        if not options.show:
            work(setting, options)
    finally:  # a call that is stopped shows what it had
        figures = show(setting, options)
        if options.json:
            options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
