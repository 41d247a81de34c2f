"""A real camera: the default beside bicubic pairs and beside true pairs of the same camera.

    python benchmarks/real_camera.py --lr DIR --hr DIR --test LR_DIR HR_DIR

LR = photos of a camera; HR = unrelated sharp photos; test = LR photos of that camera with their
truth. Rows: interpolation (with --scale 1: the photo as it is), an upscaler trained on bicubic
pairs, on the pipelines of BSRGAN and Real-ESRGAN, a published method, the default, and one trained
on true pairs of the camera, in two halves: each upscaler restores the half that it
was not trained on.
Every row has the same upscaler, the same start (trained on bicubic pairs) and the same time, as in
known_truth.py. Figures: means over the test photos, RGB, border = scale; PSNR and SSIM may part
ways on real pairs, so ST-LPIPS (VGG, on the middle 256 x 256 pixels) stands beside.

Finished rows are kept, and a row that was stopped goes on. --quick trains for a moment, on bicubic
LR photos of scikit-image: it shows that the script works.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from known_truth_rows import LEARN, train

BICUBIC, TRAINED, PAIRS = "bicubic", "bicubic-trained", "pairs"
PIPELINES = ("bsrgan", "realesrgan")  # by hand, for every camera
ROWS = (BICUBIC, TRAINED, *PIPELINES, "impressionism", "wild", PAIRS)
HALVES = ("even", "odd")
FIGURES = ("psnr", "ssim", "st_lpips")


@dataclass(frozen=True)
class Setting:
    """What the benchmark is run with; ``work`` and ``seconds`` are what ``train`` reads of it."""

    work: Path
    lr: Path
    hr: Path
    test: tuple[Path, Path]
    scale: int
    seconds: float
    start: float
    seed: int
    upscaler: str = "compact_small"
    patch: int = 24


def typed(setting: Setting, row: str) -> list[str]:
    """What is typed after ``python train.py`` for a row, but for how long and where."""
    common = [f"data.patch={setting.patch}", "data.batch=8", "data.preview=1", "finish=none"]
    common += [f"scale={setting.scale}", f"seed={setting.seed}", "trainer.accelerator=cpu"]
    common += ["trainer.precision=32-true"]  # on processors with and without bfloat16
    common += [f"network/upscaler={setting.upscaler}", f"data.cache={setting.work / 'cache'}"]
    common += ["logger=none", "validate_every=1000000", "checkpoint_every=200"]
    common += [f"method.{option}" for option in LEARN]
    if row in HALVES:
        root = setting.work / "halves" / row
        return [
            *common,
            "data=pairs",
            "method=supervised",
            f"data.lr={root / 'lr'}",
            f"data.hr={root / 'hr'}",
        ]
    folders = ["data=folders", f"data.lr={setting.lr}", f"data.hr={setting.hr}"]
    chosen = [f"method={row}"]
    if row == TRAINED:
        chosen = ["method=supervised", "degradation=bicubic"]
    elif row in PIPELINES:
        chosen = ["method=pooled", f"degradation={row}"]
    return [*common, *folders, *chosen]


def halves(setting: Setting) -> None:
    """The test photos in two folders of pairs."""
    for side, folder in zip(("lr", "hr"), setting.test, strict=True):
        for number, path in enumerate(sorted(folder.iterdir())):
            target = setting.work / "halves" / HALVES[number % 2] / side / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copyfile(path, target)


def measured(setting: Setting, folder: Path | None, names: list[str]) -> list[dict]:
    """The figures of some test photos; of plain interpolation without a run."""
    import torch

    from wildsr.evaluation.evaluate import delivered, interpolation, of_lr
    from wildsr.loss.st_lpips import STLPIPS
    from wildsr.metric.fidelity import psnr, ssim
    from wildsr.metric.st_lpips import Measure
    from wildsr.photo.image import read_image
    from wildsr.pixels import floats
    from wildsr.run.load import load_upscaler

    restore = of_lr(interpolation("bicubic", setting.scale))
    if folder is not None:
        restore = delivered(load_upscaler(folder, device="cpu", precision="fp32", tile=512))
    perceptual = Measure(STLPIPS("vgg").eval())
    found = []
    for name in names:
        lr, truth = (
            torch.from_numpy(read_image(side / name)).permute(2, 0, 1) for side in setting.test
        )
        sr, hr = floats(restore({"lr": lr})), floats(truth)
        values = {"psnr": psnr(sr, hr, setting.scale, "rgb")}
        values |= {"ssim": ssim(sr, hr, setting.scale, "rgb")}
        values |= {"st_lpips": perceptual(middle(sr), middle(hr))}
        found.append({"image": name, **{n: float(v) for n, v in values.items()}})
    return found


def middle(image):
    """The middle of an image, at most 256 pixels a side: ST-LPIPS takes 13 seconds a megapixel."""
    top, left = (max((length - 256) // 2, 0) for length in image.shape[-2:])
    return image[..., top : top + 256, left : left + 256]


def carry_out(setting: Setting, row: str) -> dict:
    """Train and measure one row, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    result = setting.work / "results" / f"{row}.json"
    if result.exists():
        return json.loads(result.read_text())
    names = sorted(path.name for path in setting.test[0].iterdir())
    facts: dict = {}
    if row == BICUBIC:
        images = measured(setting, None, names)
    elif row == PAIRS:
        images = []
        for number, half in enumerate(HALVES):
            facts = train(setting, half, [*typed(setting, half), weights(setting)], setting.seconds)
            images += measured(setting, setting.work / "runs" / half, names[1 - number :: 2])
    else:
        facts = train(setting, row, [*typed(setting, row), weights(setting)], setting.seconds)
        images = measured(setting, setting.work / "runs" / row, names)
    result.parent.mkdir(parents=True, exist_ok=True)
    made = {"row": row, **facts, "images": images}
    result.with_suffix(".partial").write_text(json.dumps(made))
    result.with_suffix(".partial").rename(result)
    return made


def weights(setting: Setting) -> str:
    """The start of all rows: the same upscaler after some time on bicubic pairs."""
    return f"weights={setting.work}/runs/start/weights/{setting.scale}x_start.safetensors"


def prepare(setting: Setting) -> None:
    """Train the start, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    train(setting, "start", typed(setting, TRAINED), setting.start)


def table(found: dict[str, dict]) -> str:
    lines = ["| upscaler | PSNR | SSIM | ST-LPIPS | iterations |", "|" + " --- |" * 5]
    for row, result in found.items():
        means = [sum(i[f] for i in result["images"]) / len(result["images"]) for f in FIGURES]
        cells = f"{means[0]:.2f} | {means[1]:.4f} | {means[2]:.4f}"
        lines.append(f"| {row} | {cells} | {result.get('iterations', '')} |")
    return "\n".join(lines)


def sample(folder: Path) -> tuple[Path, Path, tuple[Path, Path]]:
    """Folders like the real ones, for --quick: scikit-image's photos, LR by bicubic."""
    import skimage
    from PIL import Image

    from wildsr.data.demo import HR, LR

    files = {path.stem: path for path in (Path(skimage.__file__).parent / "data").iterdir()}
    for side in ("lr", "hr", "test_lr", "test_hr"):
        (folder / side).mkdir()
    for name in HR:
        Image.open(files[name]).convert("RGB").save(folder / "hr" / f"{name}.png")
    for name in LR[:4]:
        photo = Image.open(files[name]).convert("RGB").resize((256, 256))
        small = photo.resize((64, 64), Image.Resampling.BICUBIC)
        photo.save(folder / "test_hr" / f"{name}.png")
        for side in ("lr", "test_lr"):
            small.save(folder / side / f"{name}.png")
    return folder / "lr", folder / "hr", (folder / "test_lr", folder / "test_hr")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lr", type=Path, help="folder of photos of the camera")
    parser.add_argument("--hr", type=Path, help="folder of sharp photos of anything")
    parser.add_argument("--test", type=Path, nargs=2, help="LR photos of the camera, their truth")
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--row", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seconds", type=float, default=60, help="of one thread, for each row")
    parser.add_argument("--start", type=float, default=120, help="of one thread, before all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="rows at a time")
    parser.add_argument("--work", type=Path, default=Path("runs/real_camera"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        scratch = tempfile.TemporaryDirectory()
        options.work, options.seconds, options.start = Path(scratch.name), 0.5, 0.5
        options.lr, options.hr, options.test = sample(options.work)
    if not (options.lr and options.hr and options.test):
        parser.error("--lr, --hr and --test come together")
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    folders = options.lr.resolve(), options.hr.resolve()
    tests = options.test[0].resolve(), options.test[1].resolve()
    setting = Setting(
        options.work.resolve(),
        *folders,
        tests,
        options.scale,
        options.seconds,
        options.start,
        options.seed,
    )
    halves(setting)
    found = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, context) as pool:
        pool.submit(prepare, setting).result()
        for row, job in [(row, pool.submit(carry_out, setting, row)) for row in options.row]:
            try:
                found[row] = job.result()
            except Exception as error:  # one row's failure is not that of the others
                print(f"{row} failed: {error}", file=sys.stderr)
    print(table(found))
    if options.json:
        figures = {
            f"{row}_{f}": sum(i[f] for i in result["images"]) / len(result["images"])
            for row, result in found.items()
            for f in FIGURES
        }
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
