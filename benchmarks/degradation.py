"""How many images a second are degraded, beside what people use today.

    python benchmarks/degradation.py [--device cuda]

Batches of 12x3x256x256, every part with parameters of each sample's own where the other side can
have them too; ours and theirs take turns in one process, medians of the rounds. The reference of
the second-order pipeline is Real-ESRGAN's own way of computing it, written naively
(`reference_realesrgan.py`). JPEG's fidelity is the PSNR to libjpeg's own decoding (4:2:0).

Prints Markdown tables; --json FILE keeps the figures. --quick takes fewer rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import kornia
import torch
from reference_realesrgan import reference, sharpened
from torch import Tensor

from wildsr.config.allocator import tune_allocator
from wildsr.config.compose import configure
from wildsr.config.make import make
from wildsr.data import demo
from wildsr.degradation import kernel as kernels
from wildsr.degradation.blur import blur, separable_blur
from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.degradation.noise import gaussian
from wildsr.degradation.resize import resize
from wildsr.degradation.sensor_noise import poisson, poisson_normal
from wildsr.degradation.sharpen import usm

BATCH, SIDE = 12, 256
PIPELINES = ("classical", "mild", "bsrgan", "realesrgan")
Call = Callable[[], object]


def crops(device: str, side: int = SIDE, batch: int = BATCH) -> Tensor:
    """Twelve different crops of scikit-image's photos."""
    found = []
    for name in demo.HR:
        photo = torch.from_numpy(demo.photo(name).copy()).permute(2, 0, 1).float() / 255
        for top, left in ((0, 0), (100, 200), (200, 60)):
            crop = photo[:, top : top + side, left : left + side]
            if crop.shape[1:] == (side, side):
                found.append(crop)
    return torch.stack(found[:batch]).to(device)


def in_turns(calls: dict[str, Call], rounds: int, device: str) -> dict[str, float]:
    """Median seconds of each; one after the other in every round."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if device == "cuda":
                torch.cuda.synchronize()
            if number:  # the first round warms up
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def parts(hr: Tensor) -> dict[str, tuple[str, dict[str, Call]]]:
    """Part -> (what theirs is, {"ours": ..., "theirs": ...})."""
    count = len(hr)
    sigma = torch.linspace(0.5, 3, count, device=hr.device)
    kernel = kernels.anisotropic(sigma, sigma.flip(0), sigma, 21)
    quality = torch.linspace(30, 95, count, device=hr.device)
    leaf, taps = hr.clone().requires_grad_(), kernel.clone().requires_grad_()
    half = (hr.shape[2] // 2, hr.shape[3] // 2)

    def backward(value: Tensor) -> None:
        value.sum().backward()

    def kornia_poisson() -> Tensor:  # Kornia has none: the reference's, distinct values counted
        levels = [2 ** (len(torch.unique(one)) - 1).bit_length() for one in hr.mul(255).round()]
        scale = torch.tensor(levels, device=hr.device, dtype=hr.dtype).view(-1, 1, 1, 1)
        return hr + torch.poisson(hr * scale) / scale - hr

    sigmas = torch.stack([sigma, sigma], 1)
    filter2d = kornia.filters.filter2d
    compress = kornia.enhance.jpeg_codec_differentiable
    return {
        "blur 21x21": (
            "kornia filter2d",
            {"ours": lambda: blur(hr, kernel), "theirs": lambda: filter2d(hr, kernel)},
        ),
        "blur 21x21, gradient to image and kernel": (
            "kornia filter2d",
            {
                "ours": lambda: backward(blur(leaf, taps)),
                "theirs": lambda: backward(filter2d(leaf, taps)),
            },
        ),
        "isotropic blur 21": (
            "kornia gaussian_blur2d",
            {
                "ours": lambda: separable_blur(hr, sigma, 21),
                "theirs": lambda: kornia.filters.gaussian_blur2d(hr, (21, 21), sigmas),
            },
        ),
        "sharpening 51": (
            "the reference's dense filter",
            {"ours": lambda: usm(hr), "theirs": lambda: sharpened(hr)},
        ),
        "resize x0.5, bicubic": (
            "kornia resize, antialiased",
            {
                "ours": lambda: resize(hr, half, "bicubic"),
                "theirs": lambda: kornia.geometry.resize(hr, half, "bicubic", antialias=True),
            },
        ),
        "JPEG": (
            "kornia jpeg_codec_differentiable",
            {"ours": lambda: jpeg(hr, quality), "theirs": lambda: compress(hr, quality)},
        ),
        "JPEG, gradient to the image": (
            "kornia jpeg_codec_differentiable",
            {
                "ours": lambda: backward(jpeg(leaf, quality)),
                "theirs": lambda: backward(compress(leaf, quality)),
            },
        ),
        "Gaussian noise": (
            "kornia RandomGaussianNoise (one level a batch)",
            {
                "ours": lambda: gaussian(hr, sigma / 255),
                "theirs": lambda: kornia.augmentation.RandomGaussianNoise(std=0.1, p=1.0)(hr),
            },
        ),
        "Poisson noise, exact": (
            "the reference's",
            {"ours": lambda: poisson(hr), "theirs": kornia_poisson},
        ),
        "Poisson noise, normal": (
            "the reference's exact one",
            {"ours": lambda: poisson_normal(hr), "theirs": kornia_poisson},
        ),
        "21x21 kernels": (
            "kornia get_gaussian_kernel2d (no rotation)",
            {
                "ours": lambda: kernels.anisotropic(sigma, sigma, sigma, 21),
                "theirs": lambda: kornia.filters.get_gaussian_kernel2d((21, 21), sigmas),
            },
        ),
    }


def fidelity(hr: Tensor) -> dict[str, float]:
    """PSNR to libjpeg's decoding, in dB."""
    found = {}
    for quality in (30, 60, 90):
        same = torch.full((len(hr),), float(quality), device=hr.device)
        rounded = hr.mul(255).round() / 255
        truth = libjpeg(rounded.cpu(), same.cpu()).to(hr)
        theirs = kornia.enhance.jpeg_codec_differentiable(rounded, same)
        for who, image in (("ours", jpeg(rounded, same)), ("kornia", theirs)):
            error = (image - truth).square().mean()
            found[f"jpeg_psnr_q{quality}_{who}"] = float(-10 * torch.log10(error.clamp_min(1e-12)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of a crop")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    tune_allocator()
    torch.manual_seed(0)
    hr, figures = crops(options.device, options.side, options.batch), {}

    size = f"{len(hr)}x3x{options.side}x{options.side}"
    print(f"| part ({size}) | ours, ms | theirs, ms | ratio | theirs is |")
    print("| --- | ---: | ---: | ---: | --- |")
    for name, (what, calls) in parts(hr).items():
        taken = in_turns(calls, rounds, options.device)
        ours, theirs = (1000 * taken[who] for who in ("ours", "theirs"))
        print(f"| {name} | {ours:.1f} | {theirs:.1f} | {theirs / ours:.1f}x | {what} |", flush=True)
        key = "".join(c if c.isalnum() else "_" for c in name)
        figures |= {f"{key}_ms": ours, f"{key}_ratio": theirs / ours}

    found = fidelity(hr)
    figures |= found
    print("\n| JPEG beside libjpeg, dB | Q30 | Q60 | Q90 |\n| --- | ---: | ---: | ---: |")
    for who in ("ours", "kornia"):
        cells = [f"{found[f'jpeg_psnr_q{q}_{who}']:.1f}" for q in (30, 60, 90)]
        print(f"| {who} | {' | '.join(cells)} |")

    calls: dict[str, Call] = {"reference": lambda: reference(hr)}
    for name in PIPELINES:
        config = configure("train", ["method=supervised", f"degradation={name}"])
        pipeline = make(config.degradation, "degradation")
        calls[name] = lambda pipeline=pipeline: pipeline(hr)
    # Draws differ from round to round, and with them the work: many rounds of ours for one.
    with torch.no_grad():
        taken = in_turns(calls, max(1, rounds // 2), options.device)
        many = {name: call for name, call in calls.items() if name != "reference"}
        taken |= in_turns(many, 3 * rounds, options.device)
    print("\n| pipeline, x4 | images/s | beside the reference |\n| --- | ---: | ---: |")
    for name, seconds in taken.items():
        rate = len(hr) / seconds
        ratio = taken["reference"] / seconds
        print(f"| {name} | {rate:.1f} | {ratio:.1f}x |")
        figures |= {f"{name}_images_per_s": rate, f"{name}_over_reference": ratio}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
