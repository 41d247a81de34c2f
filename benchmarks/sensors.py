"""Unpaired training on gray 16-bit images whose camera is known: how much of the gap it closes.

    python benchmarks/sensors.py                                       scikit-image's own photos
    python benchmarks/sensors.py --hr bsds500/train --lr bsds500/test  the photos of two folders

Photos of 8 bits become images of a sensor: gray, in linear light (v^2.2), every 2 x 2 pixels one
mean, so that there are far more than 256 values; kept in 16 bits from a black level of 5 % on. LR
= half of the other photos through a camera (x2): an anisotropic Gaussian blur, and noise that light
makes, from the black level on. Test = the other half, through the same camera, with their truth.

Every row trains the same gray upscaler from the same start (trained on bicubic pairs) for the same
processor seconds of one thread. Figures: means over the test photos, PSNR and SSIM from black to
white (0 to 65535), border = scale,

    gap closed = (wild - bicubic-trained) / (oracle - bicubic-trained), in PSNR.

Finished rows are kept in --work. --quick trains for a moment only, and shows that it works.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from pathlib import Path

import numpy as np
import torch
from known_truth_rows import LEARN, Setting, train
from torch import Tensor, nn

from wildsr.degradation.camera import KnownCamera
from wildsr.evaluation.evaluate import Restore, delivered, interpolating
from wildsr.metric.panel import Panel
from wildsr.photo.image import list_images, read_image
from wildsr.photo.samples import read_samples, write_samples
from wildsr.photo.sensor import Sensor
from wildsr.pixels import floats_of
from wildsr.run.load import load_upscaler

SCALE, BLACK, GAMMA = 2, 0.05, 2.2
BLUR = (1.5, 1.0, 30.0)  # HR pixels, HR pixels, degrees
READ, SHOT = 0.004, 0.03  # of the range: in the dark, and what light adds at white
GRAY = Sensor(1, "16")
# Of what comes with scikit-image; both domains hold texture and sky, and no scene is in two.
HR = ("brick", "camera", "gravel", "hubble_deep_field", "ihc", "motorcycle_left", "retina")
LR = ("astronaut", "coins", "grass", "rocket", "moon", "cell")
TEST = ("chelsea", "coffee", "motorcycle_right")
TRAINED, ORACLE = "bicubic-trained", "oracle"
ROWS = {
    TRAINED: ["method=supervised", "degradation=bicubic"],
    "wild": ["method=wild"],
    ORACLE: ["method=supervised", "method.networks.degrade={_target_: sensors.SensorCamera}"],
}


class SensorCamera(nn.Module):
    """The hidden camera: ``lr = sample(blur(hr)) + noise``, (B, 1, sH, sW) to (B, 1, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.blur = KnownCamera(SCALE, *BLUR, read=0.0, shot=0.0, jpeg_quality=None)

    @torch.no_grad()
    def forward(self, hr: Tensor) -> Tensor:
        """Degrade images of [0, 1]; the noise comes from torch's generator."""
        from wildsr.degradation.blur import blur_and_sample

        clean = blur_and_sample(hr, self.blur.kernel().to(hr), SCALE)
        variance = READ**2 + SHOT**2 * (clean - BLACK).clamp(min=0)
        return (clean + torch.randn_like(clean) * variance.sqrt()).clamp(0, 1)


def sensed(photo: np.ndarray) -> np.ndarray:
    """An 8-bit RGB photo as a gray image of a linear sensor, (h, w, 1) in [BLACK, 1]."""
    light = ((photo / 255.0) ** GAMMA).mean(2)
    height, width = (side // (2 * SCALE) * (2 * SCALE) for side in light.shape)
    light = light[:height, :width].reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return (BLACK + (1 - BLACK) * light[..., None]).astype(np.float32)


def write(image: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_samples(path, np.rint(image.clip(0, 1) * 65535).astype(np.uint16))


def photos(options: argparse.Namespace, root: Path) -> None:
    """Write hr/, lr/, test_lr/ and test_hr/, unless they are there."""
    if (root / "done").exists():
        return
    if options.hr:
        hr, others = list_images(options.hr, "--hr"), list_images(options.lr, "--lr")
        lr, test = others[:100], others[100 : 100 + options.photos]
    else:
        import skimage

        files = {p.stem: p for p in (Path(skimage.__file__).parent / "data").iterdir()}
        hr, lr, test = ([files[name] for name in names] for names in (HR, LR, TEST))
    camera = SensorCamera()
    for path in hr:
        write(sensed(read_image(path)), root / "hr" / f"{path.stem}.tif")
    for number, path in enumerate([*lr, *test]):
        sharp = sensed(read_image(path))
        torch.manual_seed(number)
        taken = camera(floats_of(sharp))[0].permute(1, 2, 0).numpy()
        if number < len(lr):
            write(taken, root / "lr" / f"{path.stem}.tif")
        else:
            write(taken, root / "test_lr" / f"{path.stem}.tif")
            write(sharp, root / "test_hr" / f"{path.stem}.tif")
    (root / "done").touch()


def typed(row: str, root: Path, seed: int) -> list[str]:
    """What is typed after ``python train.py``."""
    data = ["data=folders", f"data.lr={root / 'lr'}", f"data.hr={root / 'hr'}", "data.preview=1"]
    data += ["data.patch=24", "data.batch=8", f"data.cache={root / 'cache'}", "data.range=type"]
    sensor = [*GRAY.overrides(), f"scale={SCALE}", f"seed={seed}", "network/upscaler=compact_small"]
    quiet = ["logger=none", "validate_every=1000000", "checkpoint_every=200", "finish=none"]
    quiet += ["trainer.precision=32-true"]  # on processors with and without bfloat16
    return data + sensor + quiet + ROWS[row] + [f"method.{o}" for o in LEARN]


def measured(restore: Restore, root: Path, panel: Panel) -> list[dict[str, float]]:
    """PSNR and SSIM of each test photo."""
    found = []
    for path in sorted((root / "test_lr").iterdir()):
        lr, truth = (
            torch.from_numpy(GRAY.seen(read_samples(p))).permute(2, 0, 1)
            for p in (path, root / "test_hr" / path.name)
        )
        values = panel.measure(restore({"lr": lr})[None], truth[None])
        found.append({name: float(value or 0) for name, value in values.items()})
    return found


def rows(options: argparse.Namespace, work: Path, seed: int) -> dict[str, dict[str, float]]:
    """The figures of every row for one seed."""
    root = work / "photos"
    setting = Setting(work, (), (), (), options.seconds, options.start, seed)
    panel = Panel("rgb", SCALE, ["psnr", "ssim"]).take(GRAY)
    made = {"bicubic": measured(interpolating("bicubic", SCALE), root, panel)}
    start = f"start-{seed}"
    train(setting, start, typed(TRAINED, root, seed), options.start)
    weights = f"weights={work}/runs/{start}/weights/{SCALE}x_{start}.safetensors"
    for row in ROWS:
        name = f"{row}-{seed}"
        train(setting, name, [*typed(row, root, seed), weights], options.seconds)
        upscaler = load_upscaler(work / "runs" / name, device="cpu", precision="fp32", trust=True)
        made[row] = measured(delivered(upscaler), root, panel)
    return {
        row: {m: statistics.fmean(image[m] for image in images) for m in ("psnr", "ssim")}
        for row, images in made.items()
    }


def gap(found: dict[str, dict[str, float]]) -> float:
    low, high = found[TRAINED]["psnr"], found[ORACLE]["psnr"]
    return (found["wild"]["psnr"] - low) / (high - low) if high > low else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hr", type=Path, help="folder of sharp photos")
    parser.add_argument("--lr", type=Path, help="folder of other sharp photos, for LR and test")
    parser.add_argument("--seconds", type=float, help="of one thread, for each row (60)")
    parser.add_argument("--start", type=float, help="of one thread, on bicubic pairs before (120)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--photos", type=int, default=100, help="test photos of --lr, at most")
    parser.add_argument(
        "--work", type=Path, default=Path("runs/sensors"), help="kept between calls"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if bool(options.hr) != bool(options.lr):
        parser.error("--hr and --lr come together")
    options.seconds = options.seconds or (0.5 if options.quick else 60)
    options.start = options.start or (0.5 if options.quick else 120)
    os.environ |= {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    torch.set_num_threads(1)
    scratch = tempfile.TemporaryDirectory() if options.quick else None
    work = Path(scratch.name) if scratch else options.work.resolve()
    photos(options, work / "photos")
    found = {seed: rows(options, work, seed) for seed in options.seeds}
    print("| upscaler | " + " | ".join(f"seed {seed}" for seed in found) + " |")
    print("| --- |" + " --- |" * len(found))
    for row in ("bicubic", *ROWS):
        cells = [f"{f[row]['psnr']:.2f} / {f[row]['ssim']:.4f}" for f in found.values()]
        print(f"| {row} | " + " | ".join(cells) + " |")
    print("| gap closed | " + " | ".join(f"{gap(f):.0%}" for f in found.values()) + " |")
    if options.json:
        figures = {
            f"{row}_{metric}_{seed}": value
            for seed, each in found.items()
            for row, values in each.items()
            for metric, value in values.items()
        }
        figures |= {f"gap_closed_{seed}": gap(each) for seed, each in found.items()}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
