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
import io
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import torch
from hidden_camera import SCALES, HiddenCamera
from known_truth import sources
from PIL import Image

FOLDERS = 4  # of each kind and size
SIZES = (1, 4, 8)
QUALITY = 30


def bicubic(photo: np.ndarray, scale: int) -> np.ndarray:
    """A photo (H, W, 3) of 8 bits, shrunk."""
    from wildsr.degradation.bicubic import downscale

    height, width = (side // scale * scale for side in photo.shape[:2])
    small = downscale(tensor(photo[:height, :width]), scale)[0]
    return small.permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()


def by_camera(photo: np.ndarray, name: str) -> np.ndarray:
    """A photo (H, W, 3) of 8 bits as one of the hidden cameras takes it."""
    scale = SCALES[name]
    height, width = (side // scale * scale for side in photo.shape[:2])
    taken = HiddenCamera(name, scale)(tensor(photo[:height, :width]))[0]
    return taken.permute(1, 2, 0).clamp(0, 1).mul(255).round().byte().numpy()


def tensor(photo: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(photo)).permute(2, 0, 1)[None].float() / 255


def saved(photo: np.ndarray) -> np.ndarray:
    """A photo after JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=QUALITY)
    return np.asarray(Image.open(buffer))


def detail(photo: np.ndarray) -> float:
    """How much finest detail a photo has."""
    luma = photo.astype(np.float64).mean(2)
    return float(np.abs(np.diff(np.diff(luma, axis=0), axis=1)).mean())


def folders(photos: list[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    for start in range(0, min(FOLDERS * size, len(photos) - size + 1), size):
        yield photos[start : start + size]


def judged(lr: list[np.ndarray], hr: list[np.ndarray], scale: int) -> tuple[float, float]:
    """By how much bicubic fits a folder worse, and its share in training."""
    from wildsr.calibration import study
    from wildsr.calibration.measure import measured
    from wildsr.forensics.pixels import read_pixels

    worse, own = [], study.with_few

    def noted(share: float, photos: int, by: float) -> float:
        worse.append(by)
        return own(share, photos, by)

    study.with_few = noted
    try:
        names = [str(number) for number in range(len(lr))]
        found = measured(names, lr, [read_pixels(photo) for photo in lr], hr, scale, 0)
    finally:
        study.with_few = own
    assert found.calibration is not None, found.reason
    return worse[0], found.calibration.groups[0].bicubic


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
    kinds = {
        "bicubic x2": (others, 2, lambda photo: bicubic(photo, 2)),
        "bicubic x2 of the softest": (softest, 2, lambda photo: bicubic(photo, 2)),
        "bicubic x4 of the softest": (softest, 4, lambda photo: bicubic(photo, 4)),
        "bicubic x2, JPEG 30": (others, 2, lambda photo: saved(bicubic(photo, 2))),
        "camera a": (others, SCALES["a"], lambda photo: by_camera(photo, "a")),
        "camera c": (others, SCALES["c"], lambda photo: by_camera(photo, "c")),
    }
    print("| photos | in a folder | folders | bicubic worse by: median, most | share of bicubic |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for kind, (photos, scale, taken) in list(kinds.items())[: 1 if options.quick else None]:
        for size in SIZES[:1] if options.quick else SIZES:
            torch.manual_seed(0)
            chosen = list(folders(photos, size))[: 2 if options.quick else None]
            found = [judged([taken(photo) for photo in one], hr, scale) for one in chosen]
            worse, shares = zip(*found, strict=True)
            cells = [kind, str(size), str(len(found)), f"{median(worse):.0f}, {max(worse):.0f}"]
            cells.append(f"{min(shares):.0%} to {max(shares):.0%}")
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
