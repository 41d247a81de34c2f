"""Does the report card put degradations in the order of the upscalers that are trained with them?

    python benchmarks/report_card.py           the demo's photos (few: the card sees little)
    python benchmarks/report_card.py --hr DIR --lr DIR --test DIR
    python benchmarks/report_card.py --runs DIR...    finished runs whose data had the truth

Real LR is made from the sharp photos of --lr by the demo's hidden camera; a ladder of other
cameras, of known mistakes, and `wild` cameras learned for some iterations, make LR of --hr. For
each the card compares the two sets, and the same small upscaler, which begins as a bicubic-
trained one, is trained through the camera for some hundred iterations; its PSNR on held-out
photos of --test, taken by the hidden camera, is the truth (RGB, border = scale). The card's order
is that of `wildsr.report.card.card.Card.order`: the number of lines that differ, then the sliced
Wasserstein distance of the finest details. Prints a Markdown table and Spearman's correlation of
both ranks (1: the same order); --quick shows that the script works, not how good the card is.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from camera import Crops, Settings, learn, taken, whole
from rich.console import Console
from scipy.stats import spearmanr
from torch import Tensor, nn

from wildsr.data.demo import HELD_OUT, HR, LR, photo
from wildsr.degradation.bicubic import Bicubic
from wildsr.degradation.camera import KnownCamera
from wildsr.metric.fidelity import psnr
from wildsr.network.degrader.camera import Camera
from wildsr.network.upscaler.compact import Compact
from wildsr.photo.image import list_images, read_image
from wildsr.pixels import to_8_bit
from wildsr.report.card.card import Card, card
from wildsr.report.card.of_run import card_of_run
from wildsr.report.card.sheet import write_card

SCALE, PATCH, BATCH = 4, 24, 8
CARD_PHOTOS, TRAINING_PHOTOS, TEST_PHOTOS = 40, 100, 24  # at most
TRUE = {"blur_major": 2.4, "blur_minor": 1.4, "blur_angle": 30.0}
TRUE |= {"read": 4.0, "shot": 8.0, "jpeg_quality": 95}  # conf/degradation/demo_camera.yaml
LADDER = {  # what is wrong
    "true camera": {},
    "noise -15 %": {"read": 3.4, "shot": 6.8},
    "noise x0.5": {"read": 2.0, "shot": 4.0},
    "no noise": {"read": 0.0, "shot": 0.0},
    "noise x1.5": {"read": 6.0, "shot": 12.0},
    "noise flat": {"read": 6.9, "shot": 0.0},
    "blur x0.6": {"blur_major": 1.4, "blur_minor": 0.8},
    "blur x1.5": {"blur_major": 3.4, "blur_minor": 2.4},
    "blur round": {"blur_major": 1.9, "blur_minor": 1.9},
    "blur turned": {"blur_angle": 120.0},
    "JPEG 40": {"jpeg_quality": 40},
    "JPEG 80": {"jpeg_quality": 80},
    "no JPEG": {"jpeg_quality": None},
    "blur x0.6, no noise": {"blur_major": 1.4, "blur_minor": 0.8, "read": 0.0, "shot": 0.0},
    "blur x1.5, noise x0.5": {"blur_major": 3.4, "blur_minor": 2.4, "read": 2.0, "shot": 4.0},
}
QUICK = ("true camera", "no noise")
LEARNED = (40, 400)  # iterations


@dataclass
class Rung:
    """A degradation, what the card says of it, and what it is good for."""

    name: str
    card: Card
    truth: float  # dB


def drawn(camera: Camera) -> Callable[[Tensor], Tensor]:
    """A learned camera that makes its own draws, in 8 bits."""

    @torch.no_grad()
    def take(hr: Tensor) -> Tensor:
        return to_8_bit(camera(hr, camera.draws(hr))).clamp(0, 1)

    return take


def trained(
    start: nn.Module, take: Callable[[Tensor], Tensor], sharp: list[np.ndarray], iterations: int
) -> nn.Module:
    """A copy of an upscaler, trained on pairs of ``take``; its average."""
    torch.manual_seed(0)
    network, crops = copy.deepcopy(start), Crops(sharp, PATCH * SCALE, BATCH, 0)
    average = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.98)
    )
    adam = torch.optim.Adam(network.parameters(), 5e-4, (0.9, 0.99))
    for _ in range(iterations):
        hr = crops.draw()
        with torch.no_grad():
            lr = take(hr)
        loss = (network(lr) - hr).abs().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        average.update_parameters(network)
    return average.module


@torch.no_grad()
def quality(network: nn.Module, lr: list[np.ndarray], hr: list[np.ndarray]) -> float:
    """Mean PSNR in dB."""
    values = []
    for small, large in zip(lr, hr, strict=True):
        image = torch.from_numpy(small.copy()).permute(2, 0, 1)[None].float() / 255
        values.append(psnr(network(image).clamp(0, 1), whole(large), SCALE, "rgb").item())
    return float(np.mean(values))


def tensors(photos: list[np.ndarray]) -> list[Tensor]:
    """(H, W, 3) to (3, H, W), uint8."""
    return [torch.from_numpy(photo.copy()).permute(2, 0, 1) for photo in photos]


def climb(options: argparse.Namespace) -> list[Rung]:
    """Every rung of the ladder, the learned cameras last."""
    sharp, sources, test = photos_of(options)
    hidden = KnownCamera(SCALE, **TRUE)
    lr, test_lr = taken(sources, hidden), taken(test, hidden)
    names = QUICK if options.quick else tuple(LADDER)
    takes: dict[str, Callable[[Tensor], Tensor]] = {
        name: KnownCamera(SCALE, **(TRUE | LADDER[name])) for name in names
    }
    takes["bicubic"] = Bicubic(SCALE)
    for iterations in LEARNED[:1] if options.quick else LEARNED:
        torch.manual_seed(0)
        camera = Camera(SCALE)
        learn(camera, sharp, lr, Settings(), 5 if options.quick else iterations)
        takes[f"wild, {iterations} iterations"] = drawn(camera)
    warm, iterations = (5, 5) if options.quick else (2 * options.iterations, options.iterations)
    torch.manual_seed(0)
    start = trained(Compact(SCALE, 24, 6, "prelu"), takes["bicubic"], sharp, warm)
    rungs = []
    for name, take in takes.items():
        began = time.perf_counter()
        made = tensors(taken(sharp[:CARD_PHOTOS], take))
        found = card(tensors(lr[:CARD_PHOTOS]), made)
        truth = quality(trained(start, take, sharp, iterations), test_lr, test)
        rungs.append(Rung(name, found, truth))
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return rungs


def photos_of(options: argparse.Namespace) -> tuple[list, list, list]:
    """Sharp photos, those that the hidden camera takes, those that are held out."""
    if options.hr is None:
        names = (HR, LR, HELD_OUT)
        return tuple([photo(name) for name in domain] for domain in names)  # type: ignore
    folders = (options.hr, options.lr, options.test)
    limits = (TRAINING_PHOTOS, TRAINING_PHOTOS, TEST_PHOTOS)
    found = []
    for folder, limit in zip(folders, limits, strict=True):
        paths = list_images(folder, "folder")
        # Where --lr and --test are one folder, its ends.
        paths = paths[-limit:] if folder is options.test else paths[:limit]
        found.append([read_image(path) for path in paths])
    return found[0], found[1], found[2]


def finished(folders: list[Path]) -> list[Rung]:
    """The rungs that are finished runs: their own cards, and the PSNR in their results."""
    rungs = []
    for folder in folders:
        rows = json.loads((folder / "results.json").read_text())["rows"]
        found = card_of_run(folder, Console(stderr=True))
        if found is not None and rows[-1]["psnr"] is not None:
            rungs.append(Rung(folder.name, found, rows[-1]["psnr"]))
    return rungs


def ranks(values: list) -> list[int]:
    """1 for the smallest."""
    return [1 + sum(other < value for other in values) for value in values]


def key_of(name: str) -> str:
    """A name without what JSON's readers stumble over."""
    return "_".join("".join(x if x.isalnum() else " " for x in name.replace("'", "")).split())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for folder in ("hr", "lr", "test"):
        parser.add_argument(f"--{folder}", type=Path)
    parser.add_argument("--runs", type=Path, nargs="+")
    parser.add_argument("--iterations", type=int, default=250, help="of each upscaler")
    parser.add_argument("--cards", type=Path, help="folder for the cards")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    given = [options.hr, options.lr, options.test]
    if any(given) and not all(given):
        parser.error("--hr, --lr and --test come together")
    for folder in options.runs or []:
        if not (folder / "results.json").is_file():
            parser.error(f"--runs: {folder} is no finished run (no results.json)")
    rungs = finished(options.runs) if options.runs else climb(options)
    if options.cards:
        for rung in rungs:
            write_card(rung.card, options.cards / rung.name.replace(" ", "_").replace(",", ""))
    by_card = ranks([rung.card.order() for rung in rungs])
    by_truth = ranks([-rung.truth for rung in rungs])
    head = ("degradation", "lines that differ", "distance", "two-sample", "rank by the card")
    print(f"| {' | '.join(head)} | PSNR | rank |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    figures: dict[str, float] = {}
    lines = sorted(zip(by_truth, by_card, rungs, strict=True), key=lambda line: line[0])
    for truth_rank, card_rank, rung in lines:
        differ, distance = rung.card.order()
        accuracy = rung.card.value("two_sample", "accuracy")
        told = "n/a" if accuracy is None else f"{100 * accuracy:.0f} %"
        cells = (
            f"{differ} | {distance:.0f} | {told} | {card_rank} | {rung.truth:.2f} | {truth_rank}"
        )
        print(f"| {rung.name} | {cells} |")
        key = key_of(rung.name)
        figures |= {f"{key}_differ": differ, f"{key}_distance": distance, f"{key}_psnr": rung.truth}
    for name, order in orders(rungs).items():
        agreement = float(spearmanr(order, by_truth).statistic)
        figures[f"spearman_{key_of(name)}"] = agreement
        print(f"\nSpearman's rank correlation with the truth, by {name}: {agreement:.2f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def orders(rungs: list[Rung]) -> dict[str, list[int]]:
    """Ranks by the card's order, and by some of its numbers alone."""
    cards = [rung.card for rung in rungs]
    found = {"the card's order": ranks([made.order() for made in cards])}
    for name, line, value in (
        ("two-sample accuracy alone", "two_sample", "accuracy"),
        ("distance alone", "wasserstein", "distance_fine"),
    ):
        numbers = [made.value(line, value) for made in cards]
        if None not in numbers:
            found[name] = ranks(numbers)
    return found


if __name__ == "__main__":
    main()
