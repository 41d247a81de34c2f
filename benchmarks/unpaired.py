"""How much of the gap between bicubic pairs and the true camera does the learned camera close?

    python benchmarks/unpaired.py           the demo, three seeds and the oracle (12 minutes)
    python benchmarks/unpaired.py --hr DIR --lr DIR --test DIR [--seconds 120]

With folders of your own sharp photos, --lr and --test go through the demo's hidden camera first;
--test keeps its truth. Prints a Markdown table; figures are means over the held-out photos, RGB,
border = scale. --quick trains for a moment only: it shows that the script works, not how good the
method is.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image

from wildsr.config.choice import CONF
from wildsr.photo.image import list_images, read_image

ROOT = Path(__file__).resolve().parents[1]
SCALE = 4
PHOTOS = 100  # at most, of --lr and of --test


def hidden(sources: Path, lr: Path, hr: Path | None, limit: int) -> None:
    """Take the photos of ``sources`` with the demo's camera; keep the truth where ``hr`` says."""
    config = OmegaConf.load(CONF / "degradation" / "demo_camera.yaml")
    camera = instantiate(config, scale=SCALE)
    torch.manual_seed(0)
    for folder in filter(None, (lr, hr)):
        folder.mkdir(parents=True)
    for path in list_images(sources, "--lr / --test")[:limit]:
        photo = read_image(path)
        height, width = (side // SCALE * SCALE for side in photo.shape[:2])
        photo = photo[:height, :width]
        sharp = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float().div(255)
        taken = camera(sharp)[0].permute(1, 2, 0).mul(255).round().byte().numpy()
        Image.fromarray(taken).save(lr / f"{path.stem}.png")
        if hr is not None:
            Image.fromarray(np.ascontiguousarray(photo)).save(hr / f"{path.stem}.png")


def train(runs: Path, name: str, *overrides: str) -> dict[str, dict]:
    """One run of train.py; its rows by name."""
    command = [sys.executable, str(ROOT / "train.py"), f"runs_dir={runs}", f"name={name}"]
    subprocess.run([*command, "logger=none", *overrides], check=True, stdout=sys.stderr)
    rows = json.loads((runs / name / "results.json").read_text())["rows"]
    return {row["name"]: row for row in rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for folder in ("hr", "lr", "test"):
        parser.add_argument(f"--{folder}", type=Path)
    parser.add_argument("--seconds", type=float, help="of training, each")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    given = [options.hr, options.lr, options.test]
    if any(given) and not all(given):
        parser.error("--hr, --lr and --test come together")
    seeds = 1 if options.quick else options.seeds

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        common = []
        if all(given):
            hidden(options.lr, root / "lr", None, PHOTOS)
            hidden(options.test, root / "val_lr", root / "val_hr", PHOTOS)
            common = ["data=folders", "network/upscaler=compact_small", "data.patch=24"]
            common += [f"data.{name}={root / name}" for name in ("lr", "val_lr", "val_hr")]
            common += [f"data.hr={options.hr.resolve()}", f"data.cache={root / 'cache'}"]
            common += ["data.batch=8", "iterations=1200"]
        if options.seconds:
            common += [f"seconds={options.seconds}", "iterations=1000000"]
        if options.quick:
            common += ["iterations=60"]
        common += ["validate_every=1000000", "finish=none"]
        runs = [
            train(root / "runs", f"seed{s}", f"seed={s}", "baseline=true", *common)
            for s in range(seeds)
        ]
        oracle = ["method=supervised", "degradation=demo_camera", "baseline=false"]
        bound = {} if options.quick else train(root / "runs", "oracle", *oracle, *common)

    print("| upscaler | " + " | ".join(f"seed {s}: PSNR / SSIM" for s in range(seeds)) + " |")
    print("| --- |" + " ---: |" * seeds)
    figures = {}
    for name in ("bicubic", "bicubic-trained", "wild"):
        cells = [f"{run[name]['psnr']:.2f} / {run[name]['ssim']:.4f}" for run in runs]
        print(f"| {name} | " + " | ".join(cells) + " |")
        for seed, run in enumerate(runs):
            key = name.replace("-", "_")
            figures |= {f"{key}_{m}_seed{seed}": run[name][m] for m in ("psnr", "ssim")}
    if bound:
        row = bound["supervised"]
        cell = f"{row['psnr']:.2f} / {row['ssim']:.4f}"
        print(f"| oracle (the true camera) | {cell} |" + " |" * (seeds - 1))
        figures |= {"oracle_psnr": row["psnr"], "oracle_ssim": row["ssim"]}
        gap = row["psnr"] - runs[0]["bicubic-trained"]["psnr"]
        figures["gap_closed"] = (runs[0]["wild"]["psnr"] - runs[0]["bicubic-trained"]["psnr"]) / gap
        closed = f"{figures['gap_closed']:.0%}"
        print(f"\nOf the gap between bicubic pairs and the oracle, seed 0 closes {closed}.")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
