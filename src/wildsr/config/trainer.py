"""Refuse invalid values of ``trainer`` and ``logger``: what a training runs on, and logs to."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf

from wildsr.config.value import check_least
from wildsr.error import UserError, shortened, unknown

LOGGERS = ("wandb", "csv", "tensorboard", "none")
MODES = ("auto", "online", "offline")  # of W&B
ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
TRAINING_PRECISIONS = ("auto", "bf16-mixed", "32-true", "64-true")
# Keys that a training takes: those of conf/trainer/default.yaml, and some of Lightning's beside.
KEYS = (
    *("_target_", "accelerator", "devices", "num_nodes", "strategy", "precision"),
    *("deterministic", "benchmark", "sync_batchnorm", "detect_anomaly", "profiler"),
)
# What Lightning's other keys are called here.
INSTEAD = {
    "gradient_clip_val": "`method.updates.NAME.clip`",
    "accumulate_grad_batches": "`data.batch`",
    "max_steps": "`iterations`",
    "max_epochs": "`iterations`",
    "max_time": "`seconds`",
    "limit_train_batches": "`iterations`",
    "fast_dev_run": "`iterations`",
    "val_check_interval": "`validate_every`",
    "log_every_n_steps": "`log_every`",
}


def check_trainer(config: DictConfig) -> None:
    """Refuse what cannot be trained on, and Lightning's settings that a training has its own of.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    for key in config.trainer:
        if key in INSTEAD:
            raise UserError(f"`trainer.{key}` is not for this training loop: use {INSTEAD[key]}.")
        if key not in KEYS:
            raise unknown("`trainer`: a key", key, KEYS)
    check_least(config, "trainer.num_nodes", 1)
    for key in ("deterministic", "benchmark"):
        value: Any = OmegaConf.select(config, f"trainer.{key}")
        if not (value is None or isinstance(value, bool) or value == "warn"):
            raise UserError(f"`trainer.{key}` must be true or false, but got {shortened(value)}.")
    for key, choices in {"accelerator": ACCELERATORS, "precision": TRAINING_PRECISIONS}.items():
        if (value := OmegaConf.select(config, f"trainer.{key}")) not in choices:
            raise unknown(f"`trainer.{key}`", value, choices)


def check_logger(config: DictConfig) -> None:
    """Refuse what nothing can be logged to.

    Raises:
        UserError: it names the key, the value and the valid ones.
    """
    if config.logger.kind not in LOGGERS:
        raise unknown("`logger`", config.logger.kind, LOGGERS)
    mode = config.logger.get("mode", "auto")
    if mode not in MODES:
        raise unknown("`logger.mode`", mode, MODES)
