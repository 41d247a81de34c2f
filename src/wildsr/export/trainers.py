"""Convert a measured degradation to the settings of other trainers' synthetic degradations."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from wildsr.calibration.statistics import NAMES, statistics
from wildsr.degradation.coding import JPEGCoding
from wildsr.degradation.pipeline.blur import Blur
from wildsr.degradation.pipeline.noise import JPEG, Noise
from wildsr.degradation.pipeline.pipeline import Pipeline
from wildsr.degradation.pipeline.resize import RandomResize, ToLR
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import PARAMETERS, PRIOR, covariance
from wildsr.network.degrader.stored import SUBSAMPLINGS
from wildsr.pixels import to_8_bit

SUFFIX = {"realesrgan": ".yml", "trainner": ".yml", "neosr": ".toml"}
MIDDLE = (0.05, 0.95)  # quantiles of the population that a range spans
ROUND = 1.15  # ratio of the widths up to which a blur counts as isotropic
WIDTHS, NOISES = (0.7, 0.85, 1.0), (0.85, 1.0, 1.2)  # factors of the grid search
KERNELS = {
    "iso": "isotropic",
    "aniso": "anisotropic",
    "generalized_iso": "generalized",
    "generalized_aniso": "generalized_anisotropic",
}
DATASET = (  # keys that stand under datasets.train
    *("blur_kernel_size", "kernel_list", "kernel_prob", "sinc_prob", "blur_sigma"),
    *("betag_range", "betap_range", "blur_kernel_size2", "kernel_list2", "kernel_prob2"),
    *("sinc_prob2", "blur_sigma2", "betag_range2", "betap_range2", "final_sinc_prob"),
)
QUALITIES = {  # of libjpeg, by how coarse its table is
    quality: JPEGCoding.libjpeg(quality).coarseness for quality in range(5, 100)
}

Settings = dict[str, Any]


@dataclass(frozen=True)
class Handover:
    """Settings for another trainer, and how well they reproduce the measured degradation.

    Attributes:
        settings: its keys and values.
        apart: for each statistic, the mean over images degraded by the settings minus that over
            images degraded by the measured degradation, in dB.
        lost: what the settings cannot express, one sentence each.
    """

    settings: Settings
    apart: dict[str, float]
    lost: tuple[str, ...]


def handover(camera: MeasuredCamera, sharp: Sequence[Tensor], seed: int = 0) -> Handover:
    """Find the settings of Real-ESRGAN's pipeline that come nearest to a measured degradation.

    The second order is switched off. Ranges span the central 90 % of the measured population. The
    trainers' resizing adds blur of its own, and their noise is specified before JPEG: so blur
    widths and noise are scaled by the factors (a grid search) whose images are nearest to the
    measured degradation's, in the statistics by which it was measured.

    Args:
        camera: the measured degradation.
        sharp: HR crops (1, 3, H, W) in [0, 1], at least 32 LR pixels a side; 20 or more are better.
        seed: of all random draws.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shown = _mean([to_8_bit(camera(hr, camera.draws(hr))).clamp(0, 1) for hr in sharp])
        best: Handover | None = None
        for width, noise in product(WIDTHS, NOISES):
            settings = settings_of(camera, width, noise)
            pipeline = pipeline_of(settings, camera.scale)
            torch.manual_seed(seed)
            apart = _mean([to_8_bit(pipeline(hr)).clamp(0, 1) for hr in sharp]) - shown
            found = Handover(
                settings, dict(zip(NAMES, apart.tolist(), strict=True)), lost_of(camera)
            )
            if best is None or distance(found.apart) < distance(best.apart):
                best = found
    assert best is not None
    return best


def distance(apart: Mapping[str, float]) -> float:
    """Root mean square of the differences over the statistics, in dB."""
    return math.sqrt(sum(value**2 for value in apart.values()) / len(apart))


def settings_of(camera: MeasuredCamera, width: float = 1.0, noise: float = 1.0) -> Settings:
    """The keys of Real-ESRGAN's options, with one order of degradation.

    Args:
        camera: the measured degradation.
        width: factor on all blur widths.
        noise: factor on all noise levels.
    """
    cameras = camera.cameras.cpu().double()
    column = dict(zip(PARAMETERS, cameras.T, strict=True))
    shape = cameras.clone()
    bicubic = column["bicubic"] > 0.5
    shape[bicubic, :3] = PRIOR.double()[:3]
    xx, yy, xy = covariance(shape, camera.scale).unbind(-1)
    middle, half = (xx + yy) / 2, torch.sqrt(((xx - yy) / 2).square() + xy.square())
    power = torch.where(bicubic, 1.0, column["shape"].exp())
    # Ours keeps the variance for every exponent, theirs does not.
    own = 2 * torch.lgamma(1 / power).exp() / torch.lgamma(2 / power).exp() * 0.5 ** (1 / power)
    major, minor = (
        (own * v.clamp(min=1e-4)).sqrt() * width for v in (middle + half, middle - half)
    )
    round_, plain = major < ROUND * minor, (power - 1).abs() < 0.2
    share = torch.stack([round_ & plain, ~round_ & plain, round_ & ~plain, ~round_ & ~plain])
    middling = column["noise"].exp() * noise
    shot = column["shot"].sigmoid()
    made: Settings = {
        "resize_prob": [0, 1, 0],
        "resize_range": [_short(1 / camera.scale)] * 2,
        "gaussian_noise_prob": _short(float(1 - shot.mean())),
        "noise_range": _range(middling),
        "poisson_scale_range": _range(middling * math.sqrt(2) / 16),
        "gray_noise_prob": _short(float(column["gray"].mean())),
        "jpeg_range": [99, 100],
        "second_blur_prob": 0,
        "resize_prob2": [0, 0, 1],
        "resize_range2": [1, 1],
        "gaussian_noise_prob2": 1,
        "noise_range2": [0, 0],
        "poisson_scale_range2": [0, 0],
        "gray_noise_prob2": 0,
        "jpeg_range2": _qualities(camera),
        "blur_kernel_size": 21,
        "kernel_list": list(KERNELS),
        "kernel_prob": [_short(float(s)) for s in share.double().mean(1)],
        "sinc_prob": 0,
        "blur_sigma": _range(torch.cat([major, minor])),
        "betag_range": _range(power[~plain]) if bool((~plain).any()) else [1, 1],
        "betap_range": [1, 1],
    }
    for key in ("blur_kernel_size", "kernel_list", "kernel_prob", "sinc_prob", "blur_sigma"):
        made[f"{key}2"] = made[key]
    return made | {"betag_range2": [1, 1], "betap_range2": [1, 1], "final_sinc_prob": 0}


def pipeline_of(settings: Settings, scale: int) -> Pipeline:
    """The project's own implementation of the pipeline, with one order of these settings."""
    pairs = zip(settings["kernel_list"], settings["kernel_prob"], strict=True)
    steps = {
        "blur": Blur(
            {KERNELS[kind]: share for kind, share in pairs if share > 0},
            settings["blur_sigma"],
            beta_generalized=settings["betag_range"],
            sizes=[7, settings["blur_kernel_size"]],
        ),
        "resize": RandomResize(settings["resize_range"], 0, 1, 0),
        "noise": Noise(
            {
                "gaussian": settings["gaussian_noise_prob"],
                "poisson": 1 - settings["gaussian_noise_prob"],
            },
            settings["noise_range"],
            settings["poisson_scale_range"],
            settings["gray_noise_prob"],
        ),
        "jpeg": JPEG(settings["jpeg_range"]),
        "to_lr": ToLR(),
        "last": JPEG(settings["jpeg_range2"]),
    }
    return Pipeline(scale=scale, steps=steps)


def lost_of(camera: MeasuredCamera) -> tuple[str, ...]:
    """What the settings cannot express of a measured degradation, one sentence each."""
    median = camera.physical()
    found = ["The grid of JPEG begins at the corner, and its tables are libjpeg's."]
    share = median["jpeg_share"]
    if share < 1:
        found.append(f"JPEG is for all pictures or none; of this camera's {share:.0%} have it.")
    if "webp_share" in median:
        found.append("WebP is taken for the JPEG that is as coarse.")
    halved = camera.subsampling >= SUBSAMPLINGS.index("4:2:0")  # WebP's are, too
    if not bool(halved.all()):
        share = float((~halved).float().mean())
        found.append(f"Colour is halved (4:2:0); of this camera's pictures {share:.0%} are not.")
    for key, limit, words in (
        ("noise_correlation", 0.3, "The noise is white; this camera's has a grain."),
        ("sharpening", 0.05, "LR is not sharpened; this camera's is."),
        ("denoising", 0.05, "LR is not denoised; this camera's is."),
        ("noise_blotch", 1.2, "Noise is as coarse in colour as in brightness; not this camera's."),
    ):
        if median.get(key, 0.0) > limit:
            found.append(words)
    if camera.defects():
        found.append("There are no impulses and stripes; this camera has them.")
    if camera.fringes():
        found.append("Channels lie on each other; this camera's do not.")
    return tuple(found)


def written(handed: Handover, trainer: str, scale: int) -> str:
    """The settings as text, to be copied into the options of a trainer.

    Args:
        handed: the settings.
        trainer: realesrgan, trainner or neosr.
        scale: HR size / LR size.
    """
    heads = [f"Degradation of a measured camera, for {trainer}, scale {scale}."]
    heads += [f"Root mean square over {len(NAMES)} statistics: {distance(handed.apart):.1f} dB"]
    heads[-1] += " from the camera's own pictures."
    heads += handed.lost
    lines = [f"# {head}" for head in heads]
    if trainer == "neosr":
        lines += ["[degradations]", *(f"{k} = {_text(v)}" for k, v in handed.settings.items())]
        return "\n".join(lines) + "\n"
    top = {k: v for k, v in handed.settings.items() if k not in DATASET}
    lines += [f"{key}: {_text(value)}" for key, value in top.items()]
    lines += ["datasets:", "  train:"]
    lines += [f"    {key}: {_text(handed.settings[key])}" for key in DATASET]
    return "\n".join(lines) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_text(one) for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _mean(pictures: Sequence[Tensor]) -> Tensor:
    return torch.stack([statistics(picture).mean(0) for picture in pictures]).mean(0)


def _range(values: Tensor) -> list[float]:
    ends = values.quantile(torch.tensor(MIDDLE, dtype=values.dtype))
    return [_short(float(end)) for end in ends]


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _qualities(camera: MeasuredCamera) -> list[int]:
    """The nearest qualities of libjpeg, or the finest where fewer than half are coded."""
    coded = [coding.coarseness for coding in camera.codings() if coding is not None]
    if 2 * len(coded) < len(camera.subsampling):
        return [99, 100]
    near = [min(QUALITIES, key=lambda q, c=one: abs(QUALITIES[q] - c)) for one in coded]  # type: ignore[misc]
    ends = torch.tensor(near, dtype=torch.float64).quantile(torch.tensor(MIDDLE).double())
    return [round(float(end)) for end in ends]
