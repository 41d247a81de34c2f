"""Build the training loop and Lightning's trainer from a composed configuration."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import Any

import lightning
import torch
from lightning.pytorch.plugins.environments import SLURMEnvironment
from omegaconf import DictConfig, OmegaConf

from wildsr.config.make import (
    make,
    make_networks,
    method_class,
    sample_batch,
    sensor_of,
    start_from,
)
from wildsr.config.updates import known
from wildsr.error import UserError
from wildsr.method.finishing import FAITHFUL, FINISHED
from wildsr.network.protocol import Settles
from wildsr.network.trunk.encoder import Encoder
from wildsr.training.ema import Anchor
from wildsr.training.explain import explain, restored_from
from wildsr.training.guard import Guard, limits_of
from wildsr.training.module import Training
from wildsr.training.objective import Objective
from wildsr.training.precision import SINGLE
from wildsr.training.stage import Stages


def build_training(config: DictConfig) -> Training:
    """Build the training loop with its objective and networks; every name is checked.

    Raises:
        UserError: names that do not exist, and terms, networks or tensors without effect.
    """
    plain: Any = OmegaConf.to_container(config.method, resolve=True)
    losses: Any = OmegaConf.to_container(config.loss, resolve=True)
    made = make_networks(config)
    if config.weights is not None:
        if "upscale" not in made:
            raise UserError("`weights` are for a network `upscale`, which the method lacks.")
        start_from(made["upscale"], str(config.weights))
    stages = Stages(plain.get("stages"), config.iterations, config.seconds)
    for name, stage in stages.stages.items():
        if stage.until_settled is not None:
            known(f"`method.stages.{name}.until_settled`", [stage.until_settled], made)
            if not isinstance(made[stage.until_settled], Settles):
                raise UserError(
                    f"`method.stages.{name}.until_settled` must be a network with `settling`, but "
                    f"`{stage.until_settled}` is {type(made[stage.until_settled]).__name__}."
                )
    method = method_class(config)
    objective = Objective(method, plain["updates"], losses, plain["frozen"], list(stages.stages))
    batch = sample_batch(config)
    explain(objective, made, batch, config.scale)
    averaged, _ = restored_from(objective.method, made, batch, config.scale)
    for name, stage in stages.stages.items():
        for started, origin in stage.starts.items():
            known(f"`method.stages.{name}.starts`", [started, origin], made)
            known(f"`method.stages.{name}.starts`: an origin", [origin], averaged)
            averaged |= {started}
    finish = plain.get("finish")
    share = finish["anchor"] if finish else 0
    if share and config.weights is None:
        raise UserError(
            f"`finish.anchor` is {share}, a share of the weights that a training starts from, but "
            "none are given: give `weights`, or finish.anchor=0."
        )

    def optimizer(name: str) -> Any:
        node, what = config.method.optimizers[name], f"method.optimizers.{name}"
        return lambda parameters: make(node, what, torch.optim.Optimizer, params=list(parameters))

    loop = Training(
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
        Guard(limits_of(finish["guard"])) if finish else None,
        {FINISHED: Anchor(made[FAITHFUL], share)} if share else None,
    )
    for viewer in (*(term.loss for term in objective.terms), *made.values()):
        if isinstance(encoder := getattr(viewer, "encoder", None), Encoder):
            encoder.bands = sensor_of(config).bands
    loop.configure_optimizers()  # to find invalid arguments now rather than after the set-up
    return loop


def training_device(config: DictConfig) -> torch.device:
    """The device that ``trainer.accelerator`` selects: the first one, if there are several.

    Raises:
        UserError: as :func:`build_trainer`.
    """
    return build_trainer(config, []).strategy.root_device


def build_trainer(
    config: DictConfig, callbacks: list[lightning.Callback], automatic: str = SINGLE
) -> lightning.Trainer:
    """Build Lightning's trainer from ``config.trainer``: devices, precision and processes.

    Its own logging, checkpoints and progress bar are off; wildsr has its own.

    Args:
        config: of the training.
        callbacks: of Lightning.
        automatic: the meaning of ``trainer.precision=auto``; see ``choose_training_precision``.

    Raises:
        UserError: an invalid setting.
    """
    settings: Any = OmegaConf.to_container(config.trainer, resolve=True)
    if settings["precision"] == "auto":
        settings["precision"] = automatic
    if settings["strategy"] == "auto" and processes(settings) > 1:
        settings["strategy"] = "ddp_find_unused_parameters_true"  # no update uses all networks
    # Signals end a training; it is the user who queues it again (docs/cluster.md).
    plugins = [SLURMEnvironment(auto_requeue=False)] if _by_srun(settings) else None
    made: lightning.Trainer = make(
        settings,
        "trainer",
        lightning.Trainer,
        plugins=plugins,
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=0,
        callbacks=callbacks,
    )
    return made


def _by_srun(settings: Mapping[str, Any]) -> bool:
    """Whether it is SLURM that has started the processes of this training, each a task."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that srun exists and was not used
        started = SLURMEnvironment.detect()
    return started and int(os.environ["SLURM_NTASKS"]) == processes(settings)


def processes(settings: Mapping[str, Any]) -> int:
    """Number of processes that will train, as far as it is known before Lightning starts."""
    devices, nodes = settings["devices"], settings.get("num_nodes", 1)
    if isinstance(devices, list):
        count = len(devices)
    elif isinstance(devices, int) and devices > 0:
        count = devices
    elif isinstance(devices, str) and devices.isdecimal():
        count = int(devices)
    else:  # all of them
        cuda = settings["accelerator"] in ("auto", "gpu", "cuda")
        count = torch.cuda.device_count() if cuda else 1
    return count * (nodes if isinstance(nodes, int) else 1)
