"""From the composed configuration to objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from wildsr.allocator import tune_allocator as tune_allocator  # where the verbs call it
from wildsr.checkpoint import fill
from wildsr.error import UserError, first_line
from wildsr.explain import explain, restored_from
from wildsr.method.part import Method
from wildsr.network.published import Published, read_weights
from wildsr.objective import Objective
from wildsr.stage import Stages
from wildsr.training import Training

SCALES = (1, 2, 3, 4, 8)


def check(config: DictConfig) -> None:
    """Refuse top-level values that cannot be meant.

    Raises:
        UserError: naming the key, the value and what it may be.
    """
    if config.scale not in SCALES:
        raise UserError(f"`scale` must be one of {list(SCALES)}, but got {config.scale!r}.")
    least = dict.fromkeys(("iterations", "keep", "validate_every", "checkpoint_every"), 1)
    for key, minimum in {**least, "log_every": 1, "tile": 8, "seed": 0, "snapshots": 0}.items():
        if not (isinstance(config[key], int) and config[key] >= minimum):
            raise UserError(
                f"`{key}` must be an integer of at least {minimum}, but got {config[key]!r}."
            )
    seconds = config.seconds
    if not (seconds is None or (isinstance(seconds, int | float) and seconds > 0)):
        raise UserError(f"`seconds` must be a positive number or null, but got {seconds!r}.")
    for key in ("patch", "batch"):
        value = config.data[key]
        if not (isinstance(value, int) and value >= 1):
            raise UserError(f"`data.{key}` must be an integer of at least 1, but got {value!r}.")
    missing = sorted(f"`{key}`" for key in OmegaConf.missing_keys(config))
    if missing:
        folders = [key for key in missing if key.startswith("`data.")]
        what = "folders of photos" if folders == missing else "see the configuration's comments"
        raise UserError(f"{' and '.join(missing)} must be given: {what}.")


def make(node: DictConfig, what: str, **arguments: Any) -> Any:
    """Instantiate ``node`` by its ``_target_``; what its constructor refuses becomes one sentence.

    Raises:
        UserError: naming ``what`` could not be made and why.
    """
    try:
        return instantiate(node, **arguments)
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, UserError):
            raise UserError(f"`{what}`: {cause}") from error
        raise UserError(f"`{what}` cannot be made: {first_line(cause)}") from error


def method_class(config: DictConfig) -> type[Method]:
    """The method that the configuration names."""
    target = config.method._target_
    try:
        found: type[Method] = get_class(target)
    except Exception as error:
        raise UserError(f"`method._target_` must be a class, but got {target!r}.") from error
    return found


def networks(config: DictConfig) -> dict[str, nn.Module]:
    """New networks, the same for the same ``seed``."""
    torch.manual_seed(config.seed)
    return {
        str(n): make(node, f"method.networks.{n}") for n, node in config.method.networks.items()
    }


def start(network: nn.Module, weights: str) -> None:
    """Let an upscaler begin with the weights in a file.

    Raises:
        UserError: if there is no such file, or it is of another architecture.
    """
    if not isinstance(network, Published):  # which has read them already
        path = Path(weights).expanduser()
        fill(network, read_weights(path), f"`weights` {path}")


def scale_of_weights(config: DictConfig, overrides: list[str]) -> int | None:
    """The scale of the published weights that are to be trained, unless one was typed."""
    if any(override.split("=", 1)[0] == "scale" for override in overrides):
        return None
    node = config.network.upscaler
    if node._target_ != "wildsr.network.published.Published":
        return None
    scale: int = make(node, "network.upscaler", scale=None).scale
    return scale


def sample_batch(config: DictConfig) -> dict[str, Tensor]:
    """Two random samples of each domain, of the size that training uses, for a dry run."""
    patch, generator = config.data.patch, torch.Generator().manual_seed(0)
    sides = {"hr": patch * config.scale, "real_lr": patch, "other_hr": patch * config.scale}
    return {n: torch.rand(2, 3, side, side, generator=generator) for n, side in sides.items()}


def training(config: DictConfig) -> Training:
    """The objective, its networks and the loop, every name in the configuration checked.

    Raises:
        UserError: for names that do not exist, and terms, networks or tensors without effect.
    """
    plain: Any = OmegaConf.to_container(config.method, resolve=True)
    losses: Any = OmegaConf.to_container(config.loss, resolve=True)
    made = networks(config)
    if config.weights is not None:
        if "upscale" not in made:
            raise UserError("`weights` are for a network `upscale`, which the method lacks.")
        start(made["upscale"], str(config.weights))
    shares = plain.get("stages") or {}
    if not isinstance(shares, dict):
        raise UserError(f"`method.stages` must be names with shares, but got {shares!r}.")
    if shares and config.seconds is not None:
        raise UserError(
            f"`seconds` must be null for a method with stages ({', '.join(shares)}), which are "
            f"shares of `iterations`, but got {config.seconds!r}."
        )
    stages = Stages(shares, config.iterations)
    method = method_class(config)
    objective = Objective(method, plain["updates"], losses, plain["frozen"], list(shares))
    batch = sample_batch(config)
    explain(objective, made, batch, config.scale)
    averaged, _ = restored_from(objective.method, made, batch, config.scale)

    def optimizer(name: str) -> Any:
        node, what = config.method.optimizers[name], f"method.optimizers.{name}"
        return lambda parameters: make(node, what, params=list(parameters), _convert_="all")

    training = Training(
        objective,
        made,
        {str(name): optimizer(str(name)) for name in config.method.optimizers},
        {
            str(n): make(node, f"method.schedules.{n}")
            for n, node in config.method.schedules.items()
        },
        frozenset(averaged),
        config.scale,
        config.seed,
        config.method.ema,
        config.augment,
        stages,
    )
    training.configure_optimizers()  # what they refuse is to be said now, not when all is set up
    return training


def trainer(config: DictConfig, callbacks: list[lightning.Callback]) -> lightning.Trainer:
    """Lightning's trainer: devices, precision and processes; the rest is ours."""
    settings = dict(config.trainer)
    if settings["precision"] == "auto":
        cuda = settings["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        settings["precision"] = "bf16-mixed" if cuda else "32-true"
    known = ("bf16-mixed", "32-true", "64-true")
    if settings["precision"] not in known:
        raise UserError(
            f"`trainer.precision` must be one of {['auto', *known]}, "
            f"but got {settings['precision']!r}."
        )
    try:
        made: lightning.Trainer = instantiate(
            settings,
            max_epochs=1,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            limit_val_batches=0,
            callbacks=callbacks,
            _convert_="object",
        )
    except Exception as error:
        cause = error.__cause__ or error
        raise UserError(f"`trainer` cannot be made: {first_line(cause)}") from error
    return made
