"""What does the GAN finish buy, what does it cost, and which of its terms are worth having?

    python benchmarks/finish.py --hr bsds500/train --lr bsds500/test --scenario a b d
    python benchmarks/finish.py ... --canon realsr_canon --published compact_x4_photo.pth
    python benchmarks/finish.py ... --ablation                     with and without each term
    python benchmarks/finish.py ... --ablation "as shipped" "no turning"      some of it
    python benchmarks/finish.py ... --full                         for a GPU
    python benchmarks/finish.py ... --seeds 1 --learn 600 --finish 60 --tune 20 --tests 4

HR = the photos of --hr; LR = the first hundred of --lr through a scenario's hidden camera; test =
photos of the next hundred through the same camera, with their truth. --canon: a folder with lr,
test_lr and test_hr, for the scenario `canon`. Rows: interpolation; the ground truth itself, as far
as a figure needs nothing to compare with (its LR discrepancy is that of a perfect result); the same
upscaler trained on bicubic pairs; `wild`, faithful and at each strength of its finish; a supervised
finish on Real-ESRGAN's degradation; a published file as it is and fine-tuned through the measured
camera. Figures: means over test photos and seeds, RGB, border = scale; LR discrepancy by wild's
measured camera.
--sheet: a JPEG of crops of the first scenario, of the first photos or of those that --show names
(of the test's, without their suffixes). Everything lives in --work; finished trainings and
rows are kept, so a stopped benchmark goes on. --quick trains for a moment only, and wild alone: it
shows that the script works, not how good anything is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from known_truth_rows import Setting, photos
from PIL import Image

from wildsr.inference.strips import upscale_image
from wildsr.inference.tile import interpolate
from wildsr.metric.panel import Panel
from wildsr.photo.image import list_images, read_image
from wildsr.pixels import array_of, floats_of
from wildsr.report.sheet import contact_sheet
from wildsr.run.load import load_degrader, load_upscaler
from wildsr.training.strength import TURNED, turn_discrepancy

ROOT = Path(__file__).resolve().parents[1]
SCALE, CANON = 4, "canon"
METRICS = (
    *("psnr", "ssim", "st_lpips", "st_lpips_alex", "lpips", "dists", "haarpsi"),
    *("lr_discrepancy", "colour_drift", "checkerboard", "ringing"),
)
STRENGTHS = (0.25, 0.5, 0.75, 1.0)
TRUTH, BICUBIC, TRAINED, WILD = "ground truth", "bicubic", "bicubic-trained L1", "wild L1"
SUPERVISED, PUBLISHED, TUNED = "Real-ESRGAN-style + finish", "published", "published, fine-tuned"
TERMS = "finish.updates.sharpen.terms"
FROZEN = [
    "~finish.networks.critic_finish",
    "+finish.networks.critic_finish={_target_: wildsr.network.critic.frozen.FrozenCritic, "
    "features: 32}",
]
ABLATIONS = {  # of the finish: what is typed in addition
    "as shipped": [],
    "no perceptual term": [f"~{TERMS}.seen"],
    "no adversarial term": [f"~{TERMS}.fool"],
    "no LDL": [f"~{TERMS}.artifacts"],
    "no turning": [f"~{TERMS}.turned"],
    "no grid term": [f"~{TERMS}.grid"],
    "no pixel term": [f"~{TERMS}.pixel"],
    "with LR consistency": [
        f"+{TERMS}.again={{loss: l1, prediction: finished_again, target: fake_lr, weight: 1}}"
    ],
    "with LR discrepancy": [
        f"+{TERMS}.noise={{loss: lr_discrepancy, draws: finished_draws, lr: fake_lr, weight: 0.01}}"
    ],
    "with colour": [
        f"+{TERMS}.colour={{loss: colour, prediction: finished_sr, target: finished_truth}}"
    ],
    "content, not ST-LPIPS": [
        f"~{TERMS}.seen",
        f"+{TERMS}.content={{loss: content, prediction: finished_sr, target: finished_truth, "
        "weight: 0.05}",
    ],
    "alex, not VGG": [f"{TERMS}.seen.net=alex"],
    "generated LR only": [
        f"{TERMS}.fool.fake=finished_sr",
        "finish.updates.judge_finish.terms.mixed.fake=finished_sr",
    ],
    "relativistic, R1 + R2": [
        f"{TERMS}.fool.kind=relativistic",
        f"+{TERMS}.fool.real=other_hr",
        "finish.updates.judge_finish.terms.mixed.kind=relativistic",
        "+finish.updates.judge_finish.terms.r1={loss: r1, critic: critic_finish, real: other_hr, "
        "weight: 0.1}",
        "+finish.updates.judge_finish.terms.r2={loss: r2, critic: critic_finish, "
        "fake: finished_mixed, weight: 0.1}",
    ],
    "critic on wavelet bands": [
        "finish.networks.critic_finish.front={haar: {_target_: wildsr.network.front.front.Haar}}"
    ],
    "critic on frozen features": FROZEN,
    "critic on frozen features, six times the weight": [
        *FROZEN,
        f"{TERMS}.fool.weight=0.03",
        f"{TERMS}.fool.ramp=20",
    ],
}


@dataclass(frozen=True)
class Plan:
    """How much is trained and measured."""

    work: Path
    upscaler: str = "compact_small"
    patch: int = 24
    batch: int = 8
    iterations: int = 1200  # before the finish
    finish: int = 120  # iterations
    tuned: int = 60  # of the published file, all of them of the finish
    critic: int = 12  # features
    crop: int | None = 32  # of the perceptual term
    tests: int = 8  # photos
    accelerator: str = "cpu"
    metrics: tuple[str, ...] = METRICS

    def typed(self, folder: Path, seed: int) -> list[str]:
        """What all trainings have in common."""
        return [
            *("data=folders", f"data.lr={folder / 'lr'}", f"data.hr={self.work / 'photos' / 'hr'}"),
            *("data.preview=1", f"data.patch={self.patch}", f"data.batch={self.batch}"),
            *(f"seed={seed}", f"trainer.accelerator={self.accelerator}", "logger=none"),
            *(f"data.cache={self.work / 'cache'}", "validate_every=1000000", "snapshots=0"),
            *("metric.metrics=[psnr]", "checkpoint_every=200"),
        ]

    def finishing(self, learn: int, finish: int, kind: str = "gan") -> list[str]:
        """A finish of so many iterations after so many others; its kind names a file in conf."""
        critic = f"finish.networks.critic_finish.features={self.critic}"
        crop = "null" if self.crop is None else self.crop
        share = finish / (learn + finish)
        return [
            *(f"finish={kind}", f"iterations={learn + finish}", f"finish.share={share}", critic),
            f"finish.updates.sharpen.terms.seen.crop={crop}",
        ]


def train(plan: Plan, folder: Path, name: str, seed: int, typed: Sequence[str]) -> Path:
    """The folder of a training that is carried out unless it is there."""
    runs = plan.work / "runs"
    run = runs / f"{folder.name}-{seed}-{name}"
    if not (run / "results.json").exists():
        command = [sys.executable, str(ROOT / "train.py"), *plan.typed(folder, seed), *typed]
        command += [f"runs_dir={runs}", f"name={run.name}", "resume=auto"]
        subprocess.run(command, check=True, stdout=sys.stderr)
    return run


def faithful(run: Path) -> Path:
    """The faithful weights of a run."""
    return run / "weights" / f"{SCALE}x_{run.name}.safetensors"


def measured(
    plan: Plan, folder: Path, seed: int, name: str, upscale: object, camera: Path
) -> dict[str, float]:
    """The means of a row over the test photos; kept in --work."""
    kept = plan.work / "rows" / f"{folder.name}-{seed}-{name.replace('/', '_')}.json"
    if kept.exists():
        found: dict[str, float] = json.loads(kept.read_text())
        return found
    degrader = load_degrader(camera, 256 * SCALE)
    alone = ("lr_discrepancy", "checkerboard", "ringing")  # what needs no other image
    panel = Panel("rgb", SCALE, alone if name == TRUTH else plan.metrics, degrader)
    rows = []

    def enlarged(lr: torch.Tensor) -> torch.Tensor:
        if isinstance(upscale, str):
            return interpolate(lr, SCALE, upscale).clamp(0, 1)
        return floats_of(upscale_image(upscale, array_of(lr)))  # type: ignore[arg-type]

    for path in list_images(folder / "test_lr", "test_lr")[: plan.tests]:
        lr = floats_of(read_image(path))
        hr = floats_of(read_image(folder / "test_hr" / path.name))
        with torch.no_grad():
            rows.append(panel.measure(hr if name == TRUTH else enlarged(lr), hr, lr))
            if name != TRUTH:
                rows[-1][TURNED] = turn_discrepancy(enlarged, lr)
    means = {m: sum(r[m] for r in rows) / len(rows) for m in rows[0] if rows[0][m] is not None}  # type: ignore[misc]
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(means))
    return means


def upscalers(
    plan: Plan, folder: Path, seed: int, published: Path | None
) -> Iterator[tuple[str, object, Path]]:
    """Row -> what upscales, and the run whose camera judges it; each trained when it is asked."""
    own = [f"network/upscaler={plan.upscaler}"]
    wild = train(plan, folder, "wild", seed, [*own, *plan.finishing(plan.iterations, plan.finish)])
    device = {"device": "auto" if plan.accelerator != "cpu" else "cpu"}
    yield BICUBIC, "bicubic", wild
    if len(plan.metrics) == len(METRICS):
        yield TRUTH, TRUTH, wild
    plain = [*own, "method=supervised", "degradation=bicubic", f"iterations={plan.iterations}"]
    yield TRAINED, load_upscaler(train(plan, folder, "bicubic", seed, plain), **device), wild
    yield WILD, load_upscaler(wild, strength=0.0, **device), wild
    for strength in STRENGTHS:
        row = f"wild + finish, strength {strength:g}"
        yield row, load_upscaler(wild, strength=strength, **device), wild
    if len(plan.metrics) < len(METRICS):  # --quick
        return
    pipeline = [*own, "method=pooled", "degradation=realesrgan"]
    pipeline += plan.finishing(plan.iterations, plan.finish)
    run = train(plan, folder, "realesrgan", seed, pipeline)
    yield SUPERVISED, load_upscaler(run, strength=1.0, **device), wild
    if published is not None:
        yield PUBLISHED, load_upscaler(weights=published, **device), wild
        tune = ["experiment=fine_tune", f"weights={published}"]
        tune += plan.finishing(plan.tuned, plan.tuned, "tuned")
        run = train(plan, folder, "tuned", seed, tune)
        for strength in (0.0, 1.0):
            row = f"{TUNED}, strength {strength:g}"
            yield row, load_upscaler(run, strength=strength, **device), wild


def ablated(
    plan: Plan, folder: Path, seed: int, chosen: Sequence[str]
) -> Iterator[tuple[str, object, Path]]:
    """The finish with and without its parts, each from the same faithful upscaler."""
    own = [f"network/upscaler={plan.upscaler}"]
    wild = train(plan, folder, "wild", seed, [*own, *plan.finishing(plan.iterations, plan.finish)])
    yield WILD, load_upscaler(wild, strength=0.0), wild
    # One iteration of the stage before, which moves nothing.
    still = [f"weights={faithful(wild)}", "method.optimizers.upscale.lr=0"]
    for name in chosen:
        typed = ABLATIONS[name]
        short = "".join(c if c.isalnum() else "-" for c in name)
        changed = [*own, *still, *plan.finishing(1, plan.finish), *typed]
        run = train(plan, folder, f"ablation-{short}", seed, changed)
        yield name, load_upscaler(run, strength=1.0), wild


def table(found: dict[str, list[dict[str, float]]]) -> Iterator[str]:
    """Means over seeds as Markdown."""
    columns = [
        m for m in (*METRICS, TURNED) if any(m in one for rows in found.values() for one in rows)
    ]
    yield "| row | " + " | ".join(columns) + " |"
    yield "| --- |" + " ---: |" * len(columns)
    for row, seeds in found.items():
        places = [2 if m in ("psnr", "ringing", "lr_discrepancy", TURNED) else 3 for m in columns]
        cells = [
            f"{sum(one[m] for one in seeds) / len(seeds):.{n}f}" if m in seeds[0] else ""
            for m, n in zip(columns, places, strict=True)
        ]
        yield f"| {row} | " + " | ".join(cells) + " |"


SHOWN = (BICUBIC, WILD, "wild + finish, strength 1", SUPERVISED, PUBLISHED)
LARGEST = 300_000  # bytes of a sheet that is kept beside a page


def sheet(
    plan: Plan, folder: Path, shown: dict[str, object], kept: Path | None, names: Sequence[str]
) -> Path:
    """Crops of test photos under some rows: the named, else the first; as a small JPEG ``kept``."""
    rows, paths = [], list_images(folder / "test_lr", "test_lr")
    named = [path for name in names for path in paths if path.stem == name]
    for path in named or paths[: min(plan.tests, 6)]:
        lr = read_image(path)
        row = {"real LR": floats_of(lr)}
        for name, upscale in shown.items():
            plain = isinstance(upscale, str)
            row[name] = (
                interpolate(floats_of(lr), SCALE, upscale).clamp(0, 1)  # type: ignore[arg-type]
                if plain
                else floats_of(upscale_image(upscale, lr))  # type: ignore[arg-type]
            )
        row["truth"] = floats_of(read_image(folder / "test_hr" / path.name))
        rows.append(row)
    path = plan.work / f"finish-{folder.name}.png"
    contact_sheet(rows, path, f"benchmarks/finish.py, {folder.name}")
    if kept is None:
        return path
    with Image.open(path) as picture:
        for quality in (92, 85, 75, 60):
            picture.convert("RGB").save(kept, "JPEG", quality=quality)
            if kept.stat().st_size < LARGEST:
                break
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("hr", "lr", "canon", "published", "work", "json", "sheet"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--scenario", nargs="*", default=["a", "b", "d"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--show", nargs="*", default=[], help="names of test photos for the sheet")
    for name in ("learn", "finish", "tune", "tests"):
        parser.add_argument(f"--{name}", type=int, help="in place of the setting's")
    parser.add_argument("--ablation", nargs="*", choices=ABLATIONS)
    for name in ("full", "quick"):
        parser.add_argument(f"--{name}", action="store_true")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp())
    plan = Plan(work)
    if options.full:
        plan = Plan(work, "compact", 64, 16, 40000, 10000, 5000, 64, None, 100, "auto")
    if options.quick:
        few = ("psnr", "ssim", "checkerboard")
        plan = Plan(work, "compact_small", 16, 2, 6, 4, 1, 4, 32, 1, "cpu", few)
    sizes = dict(iterations=options.learn, finish=options.finish, tuned=options.tune)
    sizes["tests"] = options.tests
    plan = replace(plan, **{name: size for name, size in sizes.items() if size is not None})
    seeds = range(1 if options.quick else options.seeds)
    scenarios = options.scenario[:1] if options.quick else options.scenario
    if options.hr is None or options.lr is None:
        from wildsr.data.demo import HELD_OUT, HR, photo

        options.hr, options.lr = work / "sharp", work / "source"
        import numpy as np

        for names, target in ((HR, options.hr), (HELD_OUT, options.lr)):
            target.mkdir(parents=True, exist_ok=True)
            for name in names:
                Image.fromarray(np.ascontiguousarray(photo(name))).save(target / f"{name}.png")
    hr, sources = (tuple(list_images(d, "folder")) for d in (options.hr, options.lr))
    half = min(100, len(sources) // 2)
    rest = sources[half : 2 * half]  # in their order, so that those that are measured come first
    test = [p for i, p in enumerate(rest) if i < plan.tests or p.stem in options.show]
    photos(Setting(work, hr, sources[:half], tuple(test), 0, 0), scenarios)
    folders = {name: work / "photos" / name for name in scenarios}
    if options.canon is not None:
        folders[CANON] = options.canon
    flat: dict[str, float] = {}
    for scenario, folder in folders.items():
        found: dict[str, list[dict[str, float]]] = {}
        shown: dict[str, object] = {}
        for seed in seeds:
            rows = (
                ablated(plan, folder, seed, options.ablation or list(ABLATIONS))
                if options.ablation is not None
                else upscalers(plan, folder, seed, options.published)
            )
            for row, upscale, camera in rows:
                means = measured(plan, folder, seed, row, upscale, camera)
                found.setdefault(row, []).append(means)
                if options.ablation is not None or row in (*SHOWN, f"{TUNED}, strength 1"):
                    shown.setdefault(row, upscale)
                flat |= {f"{scenario}/{seed}/{row}/{m}": v for m, v in means.items()}
        kept = options.sheet if scenario == next(iter(folders)) else None
        print(f"\n{scenario}\n", *table(found), sep="\n")
        print(f"\n{sheet(plan, folder, shown, kept, options.show)}")
        if options.json:
            options.json.write_text(json.dumps(flat, indent=1))


if __name__ == "__main__":
    main()
