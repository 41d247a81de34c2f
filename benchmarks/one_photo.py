"""Super-resolution of one photo alone (kernelgan_zssr), where its kernel is known.

    python benchmarks/one_photo.py [--seeds 0 1] [--iterations 2400]

scikit-image's motorcycle, downscaled by 2 with a Gaussian of 2.2 x 0.9 pixels along 34 degrees, in
8 bits; a small upscaler, one thread. Per seed: PSNR and SSIM (RGB) of bicubic, of the same network
on bicubic pairs of the photo, and of the method, and the error of its kernel, as a share of the
norm of the true one. Prints a Markdown table. --quick: a moment of one seed.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

WIDTHS, ANGLE, SIDE = (2.2, 0.9), 34.0, 17


def gaussian(side: int) -> Tensor:
    """The true kernel, (side, side), centred between the two middle pixels of the sharp photo."""
    offsets = torch.arange(side, dtype=torch.float64) - side // 2 - 0.5
    down, right = torch.meshgrid(offsets, offsets, indexing="ij")
    cos, sin = math.cos(math.radians(ANGLE)), math.sin(math.radians(ANGLE))
    along, across = right * cos + down * sin, down * cos - right * sin
    kernel = torch.exp(-0.5 * ((along / WIDTHS[0]) ** 2 + (across / WIDTHS[1]) ** 2))
    return kernel / kernel.sum()


def photos(folder: Path) -> tuple[Path, Path]:
    """Write the LR photo and its truth."""
    from skimage.data import stereo_motorcycle

    hr = stereo_motorcycle()[0]
    height, width = (side // 2 * 2 for side in hr.shape[:2])
    hr = np.ascontiguousarray(hr[:height, :width])
    image = torch.from_numpy(hr).permute(2, 0, 1)[:, None].double()
    padded = torch.nn.functional.pad(image, (SIDE // 2,) * 4, mode="reflect")
    lr = torch.nn.functional.conv2d(padded, gaussian(SIDE)[None, None], stride=2)[:, 0]
    paths = folder / "photo.png", folder / "truth.png"
    Image.fromarray(lr.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()).save(paths[0])
    Image.fromarray(hr).save(paths[1])
    return paths


def error(kernel: Tensor) -> float:
    """Its distance to the true kernel, as a share of that one's norm."""
    true = gaussian(kernel.shape[-1])
    return float((kernel - true).norm() / true.norm())


def trained(
    lr: Path, hr: Path, seed: int, iterations: int, work: Path
) -> tuple[dict[str, Any], float]:
    """The rows of a run's results, and the error of its kernel."""
    import wildsr
    from wildsr.network.degrader.kernelgan import KernelGAN
    from wildsr.run.checkpoint import newest_checkpoint

    folder = wildsr.train(
        {
            "data.lr": str(lr),
            "data.val_hr": str(hr),
            "scale": 2,
            "data.patch": 64,
            "iterations": iterations,
            "seed": seed,
            "baseline": True,
            "metric": "rgb",
            "runs_dir": str(work),
            "name": str(seed),
            "network/upscaler": "compact_small",
        },
        quiet=True,
        method="kernelgan_zssr",
    ).folder
    rows = json.loads((folder / "results.json").read_text())["rows"]
    network = KernelGAN(2)
    network.load_state_dict(newest_checkpoint(folder)["networks"]["degrade"])
    kernel = network.cleaned().detach().double().view(network.size, network.size)
    return {row["name"]: row for row in rows}, error(kernel)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--iterations", type=int, default=2400)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    seeds, iterations = (options.seeds, options.iterations) if not options.quick else ([0], 12)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        lr, hr = photos(Path(scratch))
        print("| seed | bicubic | bicubic pairs | kernelgan_zssr | error of the kernel |")
        print("| --- | --- | --- | --- | --- |")
        for seed in seeds:
            rows, far = trained(lr, hr, seed, iterations, Path(scratch))
            said = [f"{row['psnr']:.2f} / {row['ssim']:.3f}" for row in rows.values()]
            print(f"| {seed} | {' | '.join(said)} | {far:.2f} |", flush=True)


if __name__ == "__main__":
    main()
