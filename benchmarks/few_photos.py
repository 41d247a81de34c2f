"""Whether a blur can be told from bicubic downscaling by a few photos.

    python benchmarks/few_photos.py --hr bsds500/train --lr bsds500/test

Folders of one to eight LR photos, made from photos of --lr: by bicubic downscaling, some of the
softest photos of all, which look blurred, some JPEG-coded; and by the hidden cameras a and c of
known_truth.py. For each folder the default camera says by how much chi^2 of bicubic downscaling is
above that of the blur that it measured (negative: bicubic fits better), and the share of the
training images that is made by bicubic downscaling. Printed are medians and the extremes.

Without --hr and --lr: scikit-image's photos. --quick: two folders.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from hidden_camera import HiddenCamera
from known_truth import sources

from wildsr.degradation.bicubic import downscale
from wildsr.pixels import array_of, floats

FOLDERS = 4  # of each kind and size
SIZES = (1, 4, 8)
Camera = Callable[[torch.Tensor], torch.Tensor]


def taken(photo: np.ndarray, camera: Camera, scale: int) -> np.ndarray:
    """The LR photo, uint8 (H, W, 3), that a camera takes of a photo."""
    height, width = (side // scale * scale for side in photo.shape[:2])
    sharp = torch.from_numpy(np.ascontiguousarray(photo[:height, :width])).permute(2, 0, 1)
    return array_of(camera(floats(sharp)))


def detail(photo: np.ndarray) -> float:
    """How much finest detail a photo has."""
    luma = photo.astype(np.float64).mean(2)
    return float(np.abs(np.diff(np.diff(luma, axis=0), axis=1)).mean())


def folders(photos: list[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    for start in range(0, min(FOLDERS * size, len(photos) - size + 1), size):
        yield photos[start : start + size]


def judged(lr: list[np.ndarray], hr: list[np.ndarray], scale: int) -> tuple[float, float]:
    """By how much bicubic fits a folder worse, and its share in training."""
    from wildsr.calibration.measure import measured
    from wildsr.forensics.pixels import read_pixels

    names = [str(number) for number in range(len(lr))]
    found = measured(names, lr, [read_pixels(photo) for photo in lr], hr, scale, 0)
    assert found.calibration is not None, found.reason
    group = found.calibration.groups[0]
    return group.worse, group.bicubic


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hr", type=Path, help="folder of sharp photos")
    parser.add_argument("--lr", type=Path, help="folder of other sharp photos")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if bool(options.hr) != bool(options.lr):
        parser.error("--hr and --lr come together")
    from wildsr.photo.image import read_image

    sharp, lr, test = sources(options.hr, options.lr)
    hr, others = ([read_image(path) for path in paths] for paths in (sharp, (*lr, *test)))
    softest = sorted(others, key=detail)
    kinds: dict[str, tuple[list[np.ndarray], Camera, int]] = {
        "bicubic x2": (others, partial(downscale, scale=2), 2),
        "bicubic x2 of the softest": (softest, partial(downscale, scale=2), 2),
        "bicubic x4 of the softest": (softest, partial(downscale, scale=4), 4),
        "bicubic x2, JPEG 30": (others, HiddenCamera("d", 2), 2),
        "camera a": (others, HiddenCamera("a", 4), 4),
        "camera c": (others, HiddenCamera("c", 4), 4),
    }
    print("| photos | in a folder | folders | bicubic worse by: median, most | share of bicubic |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for kind, (photos, camera, scale) in list(kinds.items())[: 1 if options.quick else None]:
        for size in SIZES[:1] if options.quick else SIZES:
            torch.manual_seed(0)
            chosen = list(folders(photos, size))[: 2 if options.quick else None]
            found = [
                judged([taken(photo, camera, scale) for photo in one], hr, scale) for one in chosen
            ]
            worse, shares = zip(*found, strict=True)
            cells = [kind, str(size), str(len(found)), f"{median(worse):.0f}, {max(worse):.0f}"]
            cells.append(f"{min(shares):.0%} to {max(shares):.0%}")
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
