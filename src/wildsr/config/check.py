"""Refuse invalid values before anything slow is imported or built."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence

from omegaconf import DictConfig, ListConfig, OmegaConf

from wildsr.archive.shard import shard_of
from wildsr.argument import SCALES, check_device, check_integer
from wildsr.config.compose import check_scalars, configure
from wildsr.config.measured import check_measured, check_sensor, check_shown
from wildsr.config.paths import paths_by_name
from wildsr.config.search import check_search
from wildsr.config.trainer import check_logger, check_trainer
from wildsr.config.updates import check_method
from wildsr.config.value import (
    check_choice,
    check_least,
    check_limit,
    check_part,
    check_strength,
    check_switch,
    is_number,
    is_whole,
)
from wildsr.error import UserError, shortened, unknown

# Copies of lists in modules that import torch; tests/cli/test_command_lines.py compares them.
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos")
PAIRS = ("png", "jpeg", "tif")
IMAGES = (
    "png",
    "jpg",
    "jpeg",
    "webp",
    "tif",
    "tiff",
    "heic",
    "heif",
    "hif",
    "avif",
    "npy",
    "npz",
    "dcm",
)
WEIGHTS = ("safetensors", "pth")
PROGRAMS = ("onnx", "torchscript", "ncnn")
CAMERA = "camera"
TRAINERS = ("realesrgan", "trainner", "neosr")
ENGINES = ("torch", "compile", "onnxruntime", "openvino", "auto")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
INTEGERS = "int8"  # a precision of `upscale` only


def checked(verb: str, overrides: Sequence[str]) -> DictConfig:
    """Compose the configuration of a verb and check it.

    Args:
        verb: such as "train".
        overrides: as typed by the user, ``key=value``.

    Raises:
        UserError: a key is unknown or its value is invalid; the message names the first such key.
    """
    config = configure(verb, overrides)
    CHECKS[verb](config)
    check_scalars(verb, overrides, config)
    return config


def check_config(config: DictConfig) -> None:
    """Refuse invalid values of ``train``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    check_choice(config, "scale", SCALES)
    least = dict.fromkeys(("iterations", "keep", "validate_every", "checkpoint_every"), 1)
    for key, minimum in {**least, "log_every": 1, "tile": 8, "seed": 0, "snapshots": 0}.items():
        check_least(config, key, minimum)
    for key in ("explain", "baseline", "trust"):
        check_switch(config, key)
    check_switch(config, "augment", ["hr"])
    seconds = config.seconds
    if not (seconds is None or (is_number(seconds) and seconds > 0)):
        raise UserError(f"`seconds` must be a positive number or null, but got {seconds!r}.")
    for key in ("patch", "batch"):
        check_least(config, f"data.{key}", 1)
    check_least(config, "data.workers", 0)
    check_sensor(config)
    check_logger(config)
    missing = sorted(f"`{key}`" for key in OmegaConf.missing_keys(config))
    if missing:
        folders = [key for key in missing if key.startswith("`data.")]
        what = "folders of photos" if folders == missing else "see the configuration's comments"
        raise UserError(f"{' and '.join(missing)} must be given: {what}.")
    _metrics(config)
    check_method(config)
    check_trainer(config)


def check_evaluate(config: DictConfig) -> None:
    """Refuse invalid values of ``evaluate``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    for key, least in {"tile": 8, "seed": 0, "page_mb": 0}.items():
        check_least(config, key, least)
    check_logger(config)
    for key in ("card", "overwrite", "trust"):
        check_switch(config, key)
    check_device("`device`", config.device)
    check_choice(config, "precision", PRECISIONS)
    check_limit(config)
    if config.card and (config.run is None or len(paths_by_name(config.run, "run")) > 1):
        raise UserError("`card=true` needs one `run`: the card is of a run's degradation.")
    if config.scale is not None:
        check_choice(config, "scale", SCALES)
    several = [config.upscaler] if isinstance(config.upscaler, str) else config.upscaler
    for kind in several if isinstance(several, ListConfig | list) and several else [several]:
        if not isinstance(kind, str) or kind not in INTERPOLATIONS:
            raise unknown("`upscaler`", kind, INTERPOLATIONS)
    which = config.checkpoints
    numbers = which if isinstance(which, ListConfig) else [which]
    if which not in ("last", "all") and not (
        numbers and all(isinstance(n, int) and not isinstance(n, bool) for n in numbers)
    ):
        raise UserError(
            f"`checkpoints` must be last, all or a list of iterations, but got {shortened(which)}."
        )
    check_strength(config, several=True)
    _metrics(config)
    if not isinstance(config.panel, ListConfig) or not config.panel:
        raise UserError(f"`panel` must be a list of metrics, but got {shortened(config.panel)}.")
    for name in config.panel:
        if name not in _catalogue():
            raise unknown("`panel`: each", name, _catalogue())
    for key in ("run", "weights", "results", "data.lr", "data.hr"):
        paths_by_name(OmegaConf.select(config, key), key)
    shard_of(config.shard)
    _cluster(config)
    if config.data.lr is None and config.data.hr is not None:
        raise UserError("`data.hr` is the truth of `data.lr`, which was not given.")
    if config.data.lr is None and config.run is None:
        raise UserError("`data.lr` must be given: a folder of LR photos (or `run`, for its own).")


def check_upscale(config: DictConfig) -> None:
    """Refuse invalid values of ``upscale``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    for key in ("overwrite", "colour_fix", "ensemble", "trust"):
        check_switch(config, key)
    for key in ("scale", "tile", "overlap", "batch", "outscale", "limit"):
        value, whole = config[key], key not in ("outscale", "limit")
        if value is not None and not (is_number(value) and (isinstance(value, int) or not whole)):
            raise UserError(f"`{key}` must be a number or null, but got {shortened(value)}.")
    if not (is_whole(config.quality) and 1 <= config.quality <= 100):
        raise UserError(f"`quality` must be 1 to 100, but got {shortened(config.quality)}.")
    if config.outscale is not None and not 0 < config.outscale <= 64:
        raise UserError(f"`outscale` must be in (0, 64], but got {config.outscale}.")
    _depth(config)
    check_measured(config)
    if config.limit is not None and not config.limit > 0:
        raise UserError(f"`limit` must be positive, but got {config.limit}.")
    if config.format is not None:
        check_choice(config, "format", IMAGES)
    check_part(config)
    _cluster(config)
    check_choice(config, "engine", ENGINES)
    check_choice(config, "precision", (*PRECISIONS, INTEGERS))
    if config.precision == INTEGERS and config.engine not in ("openvino", "auto"):
        raise UserError(
            f"`precision={INTEGERS}` needs engine=openvino (or auto), but got "
            f"engine={config.engine}."
        )
    if config.calibration is not None and config.precision != INTEGERS:
        raise UserError("`calibration` is for precision=int8, whose ranges come from photos.")
    if config.engine == "auto" and config.cluster is not None:
        raise UserError(
            "`engine=auto` times engines on one machine, and `cluster` may have others: name one "
            "(engine=openvino), so that all compute the same."
        )
    check_device("`device`", config.device)
    check_strength(config)
    if config.input is None:
        raise UserError("`input` must be given: a photo, a folder of photos, or a video.")
    if config.output is None:
        raise UserError("`output` must be given: a folder, or a file for one photo or video.")
    if (config.run is None) == (config.weights is None):
        raise UserError("One of `run` (a run folder) and `weights` (a file) must be given.")


def _cluster(config: DictConfig) -> None:
    """Refuse what is no cluster."""
    where = config.cluster
    if not (where in (None, "ray") or (isinstance(where, str) and where.startswith("ray://"))):
        raise UserError(
            f"`cluster` must be ray, ray://HOST:PORT or null, but got {shortened(where)}."
        )
    check_integer("`workers`", config.workers, 1, null=True)
    check_integer("`cores`", config.cores, 1)


def _depth(config: DictConfig) -> None:
    """Refuse what is no depth of files."""
    if config.depth not in (None, 8, 16, "float") or config.depth is True:
        raise UserError(
            f"`depth` must be 8, 16, float or null, but got {shortened(config.depth, '')}."
        )


def check_degrade(config: DictConfig) -> None:
    """Refuse invalid values of ``degrade``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    for key in ("hr", "output"):
        if OmegaConf.is_missing(config, key) or config[key] is None:
            raise UserError(f"`{key}` must be given: a folder.")
    learned = "run" in list(config.degradation)  # `in` alone leaves out ???
    if config.run is not None and not learned:
        raise UserError("Either `run` or `degradation` must be given, but got both.")
    if config.run is None and learned:
        raise UserError("`run` must be given: a run folder (or degradation=NAME, a known one).")
    if OmegaConf.is_missing(config.degradation, "file"):
        raise UserError("`degradation.file` must be given: a camera.json.")
    if config.run is None and config.scale is None:
        raise UserError("`scale` must be given with `degradation`: HR size / LR size.")
    if config.scale is not None:
        check_choice(config, "scale", SCALES)
    if config.format is not None:
        check_choice(config, "format", PAIRS)
    _depth(config)
    check_measured(config)
    check_part(config)
    _cluster(config)
    for key in ("overwrite", "trust"):
        check_switch(config, key)
    check_device("`device`", config.device)
    check_limit(config)
    for key, least in (("draws", 1), ("seed", 0), ("tile", 64)):
        check_least(config, key, least)
    check_integer("`quality`", config.quality, 1, 100, null=True)


def check_look(config: DictConfig) -> None:
    """Refuse invalid values of ``look``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    if OmegaConf.is_missing(config.data, "lr") or config.data.lr is None:
        raise UserError("`data.lr` must be given: a folder of photos.")
    check_choice(config, "scale", SCALES)
    for key, least in (("seed", 0), ("photos", 1)):
        check_least(config, key, least)
    check_switch(config, "overwrite")
    check_limit(config)


def check_export(config: DictConfig) -> None:
    """Refuse invalid values of ``export``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    if (config.run is None) == (config.weights is None):
        raise UserError("Either `run` or `weights` must be given: a run folder, or a file.")
    check_choice(config, "format", (*WEIGHTS, *PROGRAMS, CAMERA, *TRAINERS))
    check_strength(config)
    if config.format in (CAMERA, *TRAINERS) and config.run is None:
        raise UserError(f"`format={config.format}` needs `run`: a file of weights has no camera.")
    for key in ("fp16", "trust"):
        check_switch(config, key)
    check_device("`device`", config.device)
    check_integer("`size`", config.size, 8, null=True)
    if config.size is not None and config.format not in PROGRAMS:
        raise UserError(f"`size` is for {', '.join(PROGRAMS)}: weights alone have no size.")
    check_least(config, "seed", 0)
    if config.name is not None and not re.fullmatch(r"[^/\0]+", config.name):
        raise UserError(f"`name` must be the name of a file, but got {shortened(config.name)}.")


def check_app(config: DictConfig) -> None:
    """Refuse invalid values of ``app``.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    if config.run is None and config.weights is None:
        raise UserError("`run` or `weights` must be given: a run folder, a file or a folder.")
    check_integer("`port`", config.port, 1, 65535)
    for key in ("limit", "upload", "upload_time", "storage", "share"):
        value = config[key]
        if not (is_number(value) and value > 0):
            raise UserError(f"`{key}` must be a positive number, but got {shortened(value)}.")
    for key in ("visitors", "queue"):
        check_least(config, key, 1)
    for key in ("public", "trust"):
        check_switch(config, key)
    check_shown(config)
    if config.host is None or not str(config.host).strip("'\" "):
        raise UserError("`host` must be an address of this computer, but got none.")
    if config.tile is not None:
        check_least(config, "tile", 8)
    check_device("`device`", config.device)


def check_sweep(config: DictConfig) -> None:
    """Refuse invalid values of ``sweep`` that can be found without composing any trial.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    check_config(config)
    check_search(config)


CHECKS: dict[str, Callable[[DictConfig], None]] = {
    "train": check_config,
    "sweep": check_sweep,
    "evaluate": check_evaluate,
    "upscale": check_upscale,
    "degrade": check_degrade,
    "look": check_look,
    "export": check_export,
    "app": check_app,
}


@functools.cache
def _catalogue() -> tuple[str, ...]:
    """Names of all metrics: those of ``metric=full``."""
    return tuple(configure("evaluate", ["metric=full"]).metric.metrics)


def _metrics(config: DictConfig) -> None:
    asked = config.metric.metrics
    if not isinstance(asked, ListConfig):
        raise UserError(f"`metric.metrics` must be a list, but got {shortened(asked)}.")
    for name in asked:
        if name not in _catalogue():
            raise unknown("`metric.metrics`: each", name, _catalogue())
