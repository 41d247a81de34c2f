"""Measure interpolated upscalers, and choose the default strength of a finish by a stated rule."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from wildsr.data.module import Folders
from wildsr.inference.degrader import Degrader
from wildsr.inference.device import measuring_device, single_precision
from wildsr.inference.tile import interpolate
from wildsr.method.dihedral import turn, turn_back
from wildsr.method.part import Method
from wildsr.metric.panel import Panel
from wildsr.pixels import floats, floats_of
from wildsr.run.averaged import at_strength

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
COUNT, SIDE = 4, 48  # crops of each kind, LR pixels a side
PAIRED = ("psnr", "st_lpips")  # on LR generated from HR photos
SINGLE = ("lr_discrepancy", "colour_drift", "checkerboard", "ringing")  # on real LR photos
TURNED = "turn_discrepancy"
WAYS = (1, 2, 4)  # mirrored, upside down, transposed
LOSS = 0.3  # dB
# The LR discrepancy is that of the ground truth on the demo, under the measured camera.
SLACK = {"lr_discrepancy": 0.5, "colour_drift": 1.0, "checkerboard": 0.5, "ringing": 4.0}
SLACK[TURNED] = 0.2  # at 0.1 above it nothing is visible, at 0.4 hatching along edges
RULE = (
    f"the largest of {list(STRENGTHS)} that loses at most {LOSS} dB of PSNR to strength 0, and "
    "exceeds the larger of strength 0 and bicubic interpolation by at most "
    f"{SLACK['colour_drift']:g} dE76 in colour drift, {SLACK['checkerboard']:g} levels in "
    f"checkerboard, {SLACK['ringing']:g} levels in ringing, {SLACK['lr_discrepancy']:g} dB in LR "
    f"discrepancy and {SLACK[TURNED]:g} levels in turn discrepancy; so do all smaller ones"
)
STATED = (
    f"PSNR and ST-LPIPS on at most {COUNT} crops of {SIDE} x {SIDE} LR pixels that the method "
    "generated of photos of the HR folder, all else on as many of the validation photos"
)


@dataclass(frozen=True)
class Found:
    """The metrics of all strengths, and the chosen one.

    Attributes:
        strength: the default.
        along: for each strength, and for "bicubic": the metrics.
    """

    strength: float
    along: Mapping[str, Mapping[str, float | None]]


def measure_strengths(
    method: type[Method],
    averages: Mapping[str, nn.Module],
    networks: Mapping[str, nn.Module],
    data: Folders,
    scale: int,
    device: torch.device,
) -> Found:
    """Measure interpolations of the faithful and the finished upscaler, and choose by ``RULE``.

    Args:
        method: with a finish stage.
        averages: with the two upscalers.
        networks: of the training, for the degradation.
        data: its photos.
        scale: HR size / LR size.
        device: where networks compute; metrics do so too if it is CUDA.
    """
    where = measuring_device(device)
    degrader = Degrader(method, copy.deepcopy(dict(networks)), scale).eval().to(where)
    pairs, real = _pairs(degrader, data, scale, where), _real(data, where)
    sensor = data.photos.sensor
    paired = Panel("rgb", scale, PAIRED).take(sensor)
    single = Panel("rgb", scale, SINGLE, degrader).take(sensor)

    def bicubic(lr: Tensor) -> Tensor:
        return interpolate(lr, scale, "bicubic", sensor.deep)

    upscalers: dict[str, Any] = {"bicubic": bicubic}
    for strength in STRENGTHS:
        upscalers[f"{strength:g}"] = at_strength(method, averages, scale, strength).to(device)
    along = {}
    with torch.no_grad(), single_precision():
        for name, upscale in upscalers.items():
            made = [upscale(lr.to(device)).clamp(0, 1).to(where) for lr, _ in pairs]
            rows = [paired.measure(sr, *pair[::-1]) for sr, pair in zip(made, pairs, strict=True)]
            made = [upscale(lr.to(device)).clamp(0, 1).to(where) for lr in real]
            rows += [single.measure(sr, None, lr) for sr, lr in zip(made, real, strict=True)]
            rows += [{TURNED: turn_discrepancy(upscale, lr.to(device))} for lr in real]
            along[name] = _means(rows)
    return Found(choose(along), along)


def turn_discrepancy(upscale: Callable[[Tensor], Tensor], lr: Tensor) -> float:
    """RMS difference between flipping before and after upscaling, in 1/255.

    A photo does not tell which way its rows run, so an upscaler that takes all detail from the
    photo is equivariant and has 0; patterns of its own, such as hatching in one direction or a
    pattern at a fixed position in each LR pixel, are detected whatever the photo shows. The root
    mean square over three flips.

    Args:
        upscale: LR (1, 3, H, W) to SR.
        lr: (1, 3, H, W) in [0, 1].
    """
    made = upscale(lr).clamp(0, 1)
    squares = [
        (turn_back(upscale(turn(lr, way).contiguous()).clamp(0, 1), way) - made).square().mean()
        for way in WAYS
    ]
    return 255 * float(torch.stack(squares).mean().sqrt())


def choose(along: Mapping[str, Mapping[str, float | None]]) -> float:
    """Choose the strength by ``RULE`` from the metrics of each; metrics that are None are ignored.

    Args:
        along: metrics of "bicubic" and of every strength, as text.
    """
    faithful, chosen = along["0"], 0.0
    for strength in STRENGTHS[1:]:
        here = along[f"{strength:g}"]
        if _more(faithful, here, "psnr") > LOSS:
            break
        over = [
            min(_more(here, faithful, name), _more(here, along["bicubic"], name)) > slack + 1e-9
            for name, slack in SLACK.items()
        ]
        if any(over):
            break
        chosen = strength
    return chosen


def _more(one: Mapping[str, float | None], other: Mapping[str, float | None], metric: str) -> float:
    """By how much the first has more of a metric; minus infinity where one is unknown."""
    first, second = one.get(metric), other.get(metric)
    return float("-inf") if first is None or second is None else first - second


def _means(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name in (*PAIRED, *SINGLE, TURNED):
        values = [v for row in rows if (v := row.get(name)) is not None]
        found[name] = sum(values) / len(values) if values else None
    return found


def _pairs(
    degrader: Degrader, data: Folders, scale: int, device: torch.device
) -> list[tuple[Tensor, Tensor]]:
    """Generated LR with its truth: the middle of evenly spaced photos of the HR folder."""
    store = data.hr_store
    made = []
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(data.seed)
        for index in _spaced(len(store)):
            hr = _middle(floats_of(store.image(index)), SIDE * scale, scale).to(device)
            made.append((degrader(hr), hr))
    return made


def _real(data: Folders, device: torch.device) -> list[Tensor]:
    return [
        _middle(floats(data.photos[index]["lr"]), SIDE, 1).to(device)
        for index in _spaced(len(data.photos))
    ]


def _spaced(count: int) -> list[int]:
    """At most ``COUNT`` indices, evenly spaced."""
    return [index * count // COUNT for index in range(COUNT)] if count > COUNT else [*range(count)]


def _middle(image: Tensor, side: int, multiple: int) -> Tensor:
    """The middle of (1, 3, H, W): a square, or less of a small image; sides of a multiple."""
    for dim in (-2, -1):
        length = min(side, image.shape[dim] // multiple * multiple)
        image = image.narrow(dim, (image.shape[dim] - length) // 2 // multiple * multiple, length)
    return image
