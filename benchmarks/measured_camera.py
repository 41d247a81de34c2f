"""What the default camera measures of hidden cameras, beside the truth.

    python benchmarks/measured_camera.py --hr bsds500/train --lr bsds500/test

HR = the photos of --hr; LR = the first hundred of --lr through a hidden camera of known_truth.py.
Nothing is trained: each line is what training would print before its first iteration. Without --hr
and --lr: scikit-image's photos, which are few. --quick measures one camera.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from hidden_camera import SCALES, HiddenCamera
from known_truth import sources

# HR pixels (standard deviations), 1/255 at half brightness before any processing, quality, and the
# share of each camera. The widths of a line and a box are sides / sqrt(12), of a disc radius / 2.
TRUTH = {
    "a": [(2.4, 1.4, math.hypot(4, 8 / math.sqrt(2)), None, 1.0)],
    "b": [(2.4, 1.4, math.hypot(3, 6 / math.sqrt(2)), 60, 1.0)],
    "c": [(1.53, 1.53, math.hypot(3, 255 * math.sqrt(0.5 / 1000)), None, 1.0)],
    "x2": [(1.4, 0.8, math.hypot(3, 6 / math.sqrt(2)), 75, 1.0)],
    "motion": [(10 / 12**0.5, 1.5 / 12**0.5, math.hypot(3, 5 / math.sqrt(2)), None, 1.0)],
    "phone": [(1.8, 1.8, None, 85, 1.0)],
    "cropped": [(6 / 12**0.5, 6 / 12**0.5, math.hypot(3, 6 / math.sqrt(2)), 70, 1.0)],
    "two": [
        (1.4, 1.4, math.hypot(1.5, 2 / math.sqrt(2)), 90, 0.5),
        (2.8, 2.0, math.hypot(6, 10 / math.sqrt(2)), 50, 0.5),
    ],
    "clean": [(1.5, 1.5, 0.0, None, 1.0)],
}


def photos(scenario: str, paths: list[Path]) -> list[np.ndarray]:
    from wildsr.photo.image import read_image

    scale, camera, taken = SCALES[scenario], HiddenCamera(scenario, SCALES[scenario]), []
    for number, path in enumerate(paths):
        photo = read_image(path)
        height, width = (length // scale * scale for length in photo.shape[:2])
        photo = np.ascontiguousarray(photo[:height, :width])
        torch.manual_seed(number)
        lr = camera(torch.from_numpy(photo).permute(2, 0, 1)[None].float().div(255))[0]
        taken.append(lr.permute(1, 2, 0).mul(255).round().byte().numpy())
    return taken


def lines(scenario: str, lr: list[Path], hr: list[np.ndarray], seed: int) -> list[str]:
    from wildsr.calibration.measure import measured
    from wildsr.forensics.pixels import read_pixels
    from wildsr.network.degrader.physics import physical

    taken = photos(scenario, lr)
    begun = time.process_time()
    seen = [read_pixels(photo) for photo in taken]
    read = (time.process_time() - begun) / len(taken)
    begun = time.perf_counter()
    found = measured([p.name for p in lr], taken, seen, hr, SCALES[scenario], seed)
    took = time.perf_counter() - begun
    if found.calibration is None:
        return [f"| {scenario} | {found.reason} |"]
    made, groups = [], found.calibration
    total = sum(map(len, groups.members))
    true = sorted(TRUTH[scenario], key=lambda camera: -(camera[3] or 101))
    order = sorted(
        zip(groups.groups, groups.members, strict=True),
        key=lambda one: -min(seen[i].quality or 101 for i in one[1]),
    )
    for index, (group, members) in enumerate(order):
        said = physical(group.solution.camera, SCALES[scenario])
        bicubic = said["bicubic"] > 0.5
        noise = math.hypot(said["noise_read"], said["noise_shot"] / math.sqrt(2))
        qualities = sorted({seen[i].quality for i in members if seen[i].quality is not None})
        major, minor, level, quality, share = true[min(index, len(true) - 1)]
        widths = (
            "bicubic" if bicubic else f"{said['blur_major']:.2f}, {said['blur_minor']:.2f}"
        ) + f" / {major:.2f}, {minor:.2f}"
        level_said = f"{noise:.1f} / " + ("-" if level is None else f"{level:.1f}")
        coded = f"{', '.join(map(str, qualities)) or '-'} / {quality or '-'}"
        shares = f"{len(members) / total:.0%} / {share:.0%}"
        seconds = f"{groups.seconds:.0f} in {took:.0f} + {read:.2f} a photo"
        cells = [scenario, widths, level_said, coded, shares, f"{group.misfit:.2f}", seconds]
        made.append("| " + " | ".join(cells) + " |")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hr", type=Path, help="folder of sharp photos")
    parser.add_argument("--lr", type=Path, help="folder of other sharp photos, for LR")
    parser.add_argument("--scenario", nargs="+", choices=TRUTH, default=list(TRUTH))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if bool(options.hr) != bool(options.lr):
        parser.error("--hr and --lr come together")
    from wildsr.photo.image import read_image

    sharp, taken, _ = sources(options.hr, options.lr)
    hr = [read_image(path) for path in sharp]
    print(
        "| camera | blur, px: found / true | noise at half | quality | share | misfit | seconds |"
    )
    print("|" + " --- |" * 7)
    for scenario in options.scenario[:1] if options.quick else options.scenario:
        print("\n".join(lines(scenario, taken, hr, options.seed)), flush=True)


if __name__ == "__main__":
    main()
