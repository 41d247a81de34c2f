"""Contact sheets of every part and every pipeline of the degradations, for docs/degradations.md.

    python benchmarks/degradation_sheet.py --out docs

Writes degradation_parts.jpg (kernels, noises, compression, a sensor: each at three strengths),
degradation_fields.jpg (print, palettes, textures, tape, line sensors, radar, ultrasound: the same)
and degradation_pipelines.jpg (each pipeline on six draws, with what it drew), and prints the latter
in words. --quick draws fewer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from wildsr.config.compose import configure
from wildsr.config.make import make
from wildsr.data import demo
from wildsr.degradation import kernel as kernels
from wildsr.degradation import optics
from wildsr.degradation.analogue import chroma_bleed, interlace
from wildsr.degradation.blur import blur
from wildsr.degradation.dither import even_palette, floyd_steinberg, ordered_dither, own_palette
from wildsr.degradation.halftone import halftone
from wildsr.degradation.jpeg.codec import webp
from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.degradation.noise import gaussian, speckle
from wildsr.degradation.pipeline.noise import Sensor
from wildsr.degradation.resize import resize
from wildsr.degradation.scanner import gamma_speckle, rayleigh_speckle, stripes
from wildsr.degradation.sensor_noise import poisson, poisson_gauss, poisson_normal
from wildsr.degradation.sharpen import usm
from wildsr.degradation.texture import bc1

SIDE, GAP, LABEL = 128, 6, 14
PIPELINES = ("classical", "mild", "bsrgan", "realesrgan")
FIELDS = ("halftone", "dither", "dxt1", "vhs", "stripes", "sar", "ultrasound")


def crop() -> Tensor:
    """An eye and fur: edges, texture and smooth places."""
    photo = demo.photo("chelsea")[60:316, 90:346]
    return torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255


def kernel_picture(kernel: Tensor) -> Tensor:
    """A kernel as a picture, its largest tap white."""
    shown = (kernel / kernel.amax()).clamp(0, 1) ** 0.5
    return resize(shown[None].expand(1, 3, -1, -1), (SIDE, SIDE), "nearest")


def rows() -> list[tuple[str, list[Tensor]]]:
    """Label and pictures of each part."""
    small = crop()[..., 40:168, 40:168]
    low, middle, high = (torch.tensor([value]) for value in (0.8, 1.6, 3.0))
    angle = torch.tensor([0.6])
    made = [("the picture", [small])]
    for name, kernel in {
        "isotropic": lambda s: kernels.isotropic(s, 21),
        "anisotropic": lambda s: kernels.anisotropic(s, s / 2, angle, 21),
        "generalized, beta 0.6": lambda s: kernels.generalized(
            s, s / 2, angle, torch.tensor([0.6]), 21
        ),
        "plateau, beta 1.5": lambda s: kernels.plateau(s, s / 2, angle, torch.tensor([1.5]), 21),
        "sinc": lambda s: kernels.sinc(3.2 / s.clamp_min(1.05), 21),
        "motion": lambda s: optics.motion(4 * s, angle, 21),
        "defocus disc": lambda s: optics.disc(1.8 * s, 21),
        "sub-pixel shift": lambda s: optics.delta(s, s / 2, 21),
    }.items():
        pictures = []
        for strength in (low, middle, high):
            taps = kernel(strength)
            pictures += [kernel_picture(taps), blur(small, taps)]
        made.append((name, pictures))
    torch.manual_seed(0)
    sensor = {n: Sensor(read=(n, n), shot=(3 * n, 3 * n)) for n in (1, 3, 6)}
    for name, operator, strengths in (
        ("Gaussian noise", lambda x, s: gaussian(x, s / 255), (5, 15, 30)),
        ("gray noise", lambda x, s: gaussian(x, s / 255, torch.tensor([True])), (5, 15, 30)),
        ("Poisson noise, exact", poisson, (0.5, 1, 3)),
        ("Poisson noise, normal", poisson_normal, (0.5, 1, 3)),
        ("shot and read noise", lambda x, s: poisson_gauss(x, 2 * s / 255, s / 255), (3, 8, 15)),
        ("speckle", speckle, (0.05, 0.1, 0.2)),
        ("sensor, demosaicked", lambda x, s: one_step(sensor[s], x), (1, 3, 6)),
        ("JPEG, quality", jpeg, (80, 40, 10)),
        ("WebP, quality", webp, (80, 40, 10)),
        ("sharpening", lambda x, s: usm(x, s), (0.3, 0.5, 1.5)),
        ("smaller, bicubic", lambda x, s: again(x, s, "bicubic"), (2, 4, 8)),
        ("smaller, nearest", lambda x, s: again(x, s, "nearest"), (2, 4, 8)),
    ):
        label = f"{name}: {', '.join(str(s) for s in strengths)}"
        made.append((label, [operator(small, strength).clamp(0, 1) for strength in strengths]))
    return made


def fields() -> list[tuple[str, list[Tensor]]]:
    """Label and pictures of each part that belongs to other fields than photography."""
    small = crop()[..., 40:168, 40:168]
    torch.manual_seed(0)
    made = [("the picture", [small])]
    for name, operator, strengths in (
        ("halftone, period in pixels", halftone, (3.0, 4.5, 8.0)),
        ("Floyd-Steinberg, levels", lambda x, n: floyd_steinberg(x, even_palette(n)), (4, 3, 2)),
        ("ordered dither, levels", lambda x, n: ordered_dither(x, even_palette(n)), (4, 3, 2)),
        (
            "Floyd-Steinberg, own colours",
            lambda x, n: floyd_steinberg(x, own_palette(x, n)),
            (32, 16, 4),
        ),
        ("BC1 (DXT1), made smaller before", lambda x, n: again(x, n, "area", bc1), (1, 2, 4)),
        ("fields apart, pixels", interlace, (1.0, 3.0, 6.0)),
        ("colour bleeding, pixels", lambda x, w: chroma_bleed(x, w, w / 2), (2.0, 5.0, 10.0)),
        ("stripes, offset", lambda x, s: stripes(x, s / 255, s / 255), (3, 8, 20)),
        ("radar speckle, looks", gamma_speckle, (16.0, 4.0, 1.0)),
        ("ultrasound, share", lambda x, s: rayleigh_speckle(x, 1.6, 0.7, s), (0.3, 0.6, 1.0)),
    ):
        label = f"{name}: {', '.join(str(s) for s in strengths)}"
        made.append((label, [operator(small, strength).clamp(0, 1) for strength in strengths]))
    return made


def again(
    image: Tensor, factor: int, kind: str, then: Callable[[Tensor], Tensor] = Tensor.clone
) -> Tensor:
    """Made smaller, put through something, and as large again by repeating pixels."""
    small = then(resize(image, (SIDE // factor,) * 2, kind))
    return resize(small, (SIDE, SIDE), "nearest")


def one_step(step: torch.nn.Module, image: Tensor) -> Tensor:
    """A single step of a pipeline on one picture."""
    from wildsr.degradation.pipeline.pipeline import Pipeline

    return Pipeline(1, {"step": step})(image, [0])


def sheet(labelled: list[tuple[str, list[Tensor]]]) -> Image.Image:
    """Rows of pictures under their labels."""
    columns = max(len(pictures) for _, pictures in labelled)
    line = SIDE + LABEL + GAP
    paper = Image.new("RGB", (columns * (SIDE + GAP) + GAP, len(labelled) * line + GAP), "white")
    draw = ImageDraw.Draw(paper)
    for row, (label, pictures) in enumerate(labelled):
        draw.text((GAP, row * line + 1), label, fill="black")
        for column, picture in enumerate(pictures):
            pixels = picture[0].permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()
            place = (GAP + column * (SIDE + GAP), row * line + LABEL)
            paper.paste(Image.fromarray(np.ascontiguousarray(pixels)), place)
    return paper


def pipelines(draws: int) -> list[tuple[str, list[Tensor]]]:
    """LR of every pipeline, twice as large by repeated pixels."""
    hr, made = crop(), []
    for name in (*PIPELINES, *FIELDS):
        config = configure("train", ["method=supervised", f"degradation={name}"])
        pipeline = make(config.degradation, "degradation")
        lr = pipeline(hr.expand(draws, -1, -1, -1), range(draws))
        print(f"\n{name}")
        for line in pipeline.describe():
            print(f"- {line}")
        large = resize(lr, (SIDE, SIDE), "nearest")
        made.append((f"degradation={name}, x4", list(large.split(1))))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path())
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    drawn = pipelines(2 if options.quick else 6)
    for name, labelled in (("pipelines", drawn), ("parts", rows()), ("fields", fields())):
        path = options.out / f"degradation_{name}.jpg"
        sheet(labelled).save(path, quality=88)
        print(path)


if __name__ == "__main__":
    main()
