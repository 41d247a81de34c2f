"""What the detectors of artefacts answer to: photos, plain upscalings, and each with one fault.

    python benchmarks/artefacts.py                    crops of scikit-image's photos
    python benchmarks/artefacts.py --hr DIR           photos of your own

At x4, 320x320 crops; the LR photo is the crop made small by bicubic. White noise of sigma 5 levels
in each channel; sharpening by twice the difference to a blur of about 2 pixels; "JPEG 30" is the LR
photo compressed before it is upscaled; "dots" are every fourth pixel 8 levels brighter. Means over
the crops. Nothing is timed.

Prints a Markdown table; --json FILE keeps the figures. --quick takes two crops.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from wildsr.data import demo
from wildsr.degradation.bicubic import downscale
from wildsr.degradation.blur import blur
from wildsr.degradation.jpeg.codec import libjpeg
from wildsr.degradation.kernel import isotropic
from wildsr.inference.tile import interpolate
from wildsr.metric.panel import Panel
from wildsr.photo.image import list_images, read_image
from wildsr.pixels import to_8_bit

SCALE, SIDE, CROPS = 4, 320, 10
PHOTOS = (
    "motorcycle_left",
    "motorcycle_right",
    "coffee",
    "rocket",
    "astronaut",
    "hubble_deep_field",
)
NAMES = ("noise_residue", "sharpness", "ringing", "blockiness", "checkerboard", "colour_drift")


def noisy(image: Tensor) -> Tensor:
    return image + 5 / 255 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


def sharpened(image: Tensor) -> Tensor:
    kernel = isotropic(torch.tensor([1.5]), 11)
    return image + 2 * (image - blur(image, kernel))


def dotted(image: Tensor) -> Tensor:
    dots = torch.zeros_like(image)
    dots[..., ::SCALE, ::SCALE] = 8 / 255
    return image + dots


def warmer(image: Tensor) -> Tensor:
    return image * torch.tensor([1.05, 1, 0.95])[:, None, None]


def results(hr: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Name -> (result, LR photo)."""
    lr = to_8_bit(downscale(hr, SCALE)).clamp(0, 1)
    pressed = libjpeg(lr, torch.tensor([30.0]))
    bicubic = interpolate(lr, SCALE, "bicubic")
    faults: dict[str, Callable[[Tensor], Tensor]] = {
        "noise": noisy,
        "sharpened": sharpened,
        "dots": dotted,
        "warmer by 5 %": warmer,
    }
    made = {"the photo itself": hr, "bicubic": bicubic}
    made |= {kind: interpolate(lr, SCALE, kind) for kind in ("lanczos", "nearest")}
    for name, fault in faults.items():
        made |= {f"the photo, {name}": fault(hr), f"bicubic, {name}": fault(bicubic)}
    found = {name: (image.clamp(0, 1), lr) for name, image in made.items()}
    return {**found, "bicubic of JPEG 30": (interpolate(pressed, SCALE, "bicubic"), pressed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hr", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    given = None if options.hr is None else list_images(options.hr, "--hr")
    photos = [demo.photo(n) for n in PHOTOS] if given is None else map(read_image, given)
    crops = [p[:SIDE, :SIDE] for p in photos if min(p.shape[:2]) >= SIDE]
    panel = Panel("rgb", 0, NAMES)
    values: dict[str, list[list[float]]] = {}
    for crop in crops[: 2 if options.quick else CROPS]:
        hr = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 255
        for name, (sr, lr) in results(hr).items():
            measured = panel.measure(sr, None, lr)
            values.setdefault(name, []).append([float(measured[n] or 0) for n in NAMES])
    titles = [f"{panel.parts[n].title} {panel.parts[n].unit}".strip() for n in NAMES]
    print(f"| result | {' | '.join(titles)} |\n| --- |{' ---: |' * len(NAMES)}")
    figures = {}
    for name, rows in values.items():
        means = torch.tensor(rows).mean(dim=0).tolist()
        print(f"| {name} | {' | '.join(f'{mean:.2f}' for mean in means)} |")
        figures |= {f"{name}: {n}": mean for n, mean in zip(NAMES, means, strict=True)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
