"""What does NIQE with a model of one's own answer to?

    python benchmarks/own_niqe.py --sharp DIR --test DIR      e.g. BSDS500's train and test

Fits the model on the photos of one folder and prints, as Markdown, the distance of the photos of
another one: as they are, and blurred, noisy, compressed and enlarged by bicubic interpolation; with
as many sharp photos as there are and with fewer. --quick takes 20 photos of each.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from wildsr.degradation.blur import separable_blur
from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.degradation.noise import gaussian
from wildsr.degradation.resize import resize
from wildsr.metric.niqe import compare, describe
from wildsr.photo.folder import list_images
from wildsr.photo.image import read_image
from wildsr.pixels import floats_of, to_8_bit

FEWER = (20, 50, 100)


def blurred(sigma: float) -> Callable[[Tensor], Tensor]:
    return lambda image: separable_blur(image, torch.tensor([sigma]), 21)


def enlarged(image: Tensor) -> Tensor:
    height, width = image.shape[2:]
    return resize(resize(image, (height // 4, width // 4), "bicubic"), (height, width), "bicubic")


WORSE: dict[str, Callable[[Tensor], Tensor]] = {
    "as they are": lambda image: image,
    **{f"blur, sigma {sigma}": blurred(sigma) for sigma in (0.6, 1.2, 2.4)},
    **{f"noise, sigma {n}": lambda image, n=n: gaussian(image, n / 255) for n in (3, 10, 25)},
    **{f"JPEG {q}": lambda image, q=q: jpeg(image, float(q)) for q in (80, 40, 10)},
    "bicubic x4": enlarged,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sharp", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    most = 20 if options.quick else None
    sharp = [
        describe(floats_of(read_image(p))) for p in list_images(options.sharp, "--sharp")[:most]
    ]
    test = [floats_of(read_image(path)) for path in list_images(options.test, "--test")[:most]]
    counts = sorted({n for n in FEWER if n < len(sharp)} | {len(sharp)})
    models = {count: torch.cat(sharp[:count]) for count in counts}
    blocks = {count: int(model[:, -1].sum()) for count, model in models.items()}
    print("| | " + " | ".join(f"{n} photos, {blocks[n]} blocks" for n in counts) + " |")
    print("| --- |" + " ---: |" * len(counts))
    figures: dict[str, dict[int, float]] = {}
    for name, worse in WORSE.items():
        torch.manual_seed(0)
        seen = torch.cat([describe(to_8_bit(worse(image))) for image in test])
        figures[name] = {count: compare(seen, model) for count, model in models.items()}
        print(f"| {name} | " + " | ".join(f"{v:.2f}" for v in figures[name].values()) + " |")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
