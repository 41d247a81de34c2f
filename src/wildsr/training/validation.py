"""Validation during training: metrics if there is ground truth, and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import lightning
import torch
from rich.console import Console
from rich.markup import escape
from torch import Tensor, nn

from wildsr.data.module import Folders
from wildsr.data.validation import ValidationPhotos
from wildsr.evaluation.evaluate import Restore, delivered, evaluate, interpolating
from wildsr.evaluation.summary import summarise
from wildsr.inference.prepare import prepare
from wildsr.inference.restorer import Restorer
from wildsr.method.finishing import STAGE
from wildsr.method.part import Method, tensor
from wildsr.metric.panel import Panel
from wildsr.photo.view import views
from wildsr.pixels import floats, floats_of, on_cpu
from wildsr.report.degradation.camera import camera_figure
from wildsr.report.degradation.describe import describe
from wildsr.report.sheet import contact_sheet
from wildsr.run.averaged import at_strength
from wildsr.training.logger import Log
from wildsr.training.module import Training

PICTURES = 4  # rows of a contact sheet
SIDE = 768  # HR pixels: largest side of a photo that is degraded for a picture


class Validation(lightning.Callback):
    """Validates at intervals.

    Args:
        data: its ``photos`` are used.
        panel: the metrics.
        every: iterations between validations.
        folder: where the pictures go, one folder for each validation.
        logs: where metrics and pictures go.
        tile: side of a tile in LR pixels.
        console: for one line about each validation.
    """

    def __init__(
        self,
        data: Folders,
        panel: Panel,
        every: int,
        folder: Path,
        logs: list[Log],
        tile: int,
        console: Console,
    ) -> None:
        self.data, self.panel, self.every, self.folder = data, panel, every, folder
        self.logs, self.tile, self.console = logs, tile, console

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        training: lightning.LightningModule,
        *_: Any,
    ) -> None:
        """Validate if it is due."""
        assert isinstance(training, Training)
        if training.iteration % self.every == 0 and trainer.is_global_zero:
            self.look(training)

    def look(self, training: Training) -> None:
        """Measure, draw and log; the training state is not changed."""
        at = training.iteration
        finishing = training.guard is not None and training.stages.at(at) == STAGE
        restores = {"SR": restoring(training, training.device, self.tile)}
        if finishing:
            restores["finished"] = restoring(training, training.device, self.tile, 1.0)
        rows = {"finished" if name == "finished" else "sr": r for name, r in restores.items()}
        if len(self.data.photos) and self.data.photos.photos[0][1] is not None:
            photos = {"validation": self.data.photos}
            outcomes, of_sets = evaluate(
                {name: partial(_same, restore) for name, restore in rows.items()},
                photos,
                self.panel,
                device=training.device,
            )
            for outcome in outcomes:
                if outcome.error is not None:
                    self.console.print(
                        f"validation, {outcome.image}: {outcome.error}", markup=False
                    )
            for means in summarise(outcomes, {}, None, of_sets).lines:
                group = "validation" if means.row == "sr" else f"validation_{means.row}"
                known = {f"{group}/{n}": v for n, v in means.values.items() if v is not None}
                line = ", ".join(f"{n.split('/')[1]} {value:.3f}" for n, value in known.items())
                said = group.replace("_", ", ")
                self.console.print(f"iteration {at}: {said} {line}", markup=False)
                for log in self.logs:
                    log.scalars(known, at)
        paths = pictures(training, self.data, restores, self.folder / f"iteration-{at:08d}")
        for log in self.logs:
            log.pictures(paths, at)


def _same(restore: Restore) -> Restore:
    return restore


def restorer(training: Training, strength: float = 0.0) -> Restorer:
    """The averaged networks as one network from real LR to SR.

    With a finish stage, interpolated at this strength.
    """
    average, method = dict(training.ema.networks.items()), training.objective.method
    if training.guard is not None:
        return at_strength(method, average, training.scale, strength)
    return Restorer(method, average, training.scale).eval()


def restoring(
    training: Training, device: torch.device, tile: int, strength: float = 0.0
) -> Restore:
    """The averaged networks as a function of a photo, with the result that ``upscale`` would write.

    Args:
        training: its averages are moved to ``device``, and keep their format.
        device: where to compute.
        tile: side of a tile in LR pixels.
        strength: of the finish, if there is one; 0 is the faithful upscaler.
    """
    network, scale = restorer(training, strength), training.scale
    return delivered(prepare(network, scale, "this run", device, precision=None, tile=tile))


def pictures(
    training: Training,
    data: Folders,
    restores: Mapping[str, Restore],
    folder: Path,
) -> dict[str, Path]:
    """Draw a contact sheet, and the learned kernel and noise if there is a degrader.

    Args:
        training: whose networks are shown.
        data: its photos.
        restores: the upscalers, by the names of their columns.
        folder: where the pictures go.

    Returns:
        name -> file, for the loggers.
    """
    made = {}
    shown = []
    networks = dict(training.networks.items())
    for index in range(min(PICTURES, len(data.photos))):
        photo = data.photos[index]
        lr = floats(photo["lr"])
        truth = floats(photo["hr"]) if "hr" in photo else None
        row = {
            "real LR": lr,
            "fake LR": fake_lr(training.objective.method, networks, data, truth, index),
            "bicubic": floats(interpolating("bicubic", training.scale)(photo)),
            **{name: floats(restore(photo)) for name, restore in restores.items()},
            "truth": truth,
        }
        sensor = data.photos.sensor
        shown.append(row if sensor.plain else views(row, "real LR", sensor.bands))
    if shown:
        made["contact"] = folder / "contact.png"
        contact_sheet(shown, made["contact"], f"iteration {training.iteration}")
    degrader = networks.get("degrade")
    learned = describe(degrader) if degrader is not None else None
    if learned is not None:
        true = describe(data.camera) if data.camera is not None else None
        made["degradation"] = folder / "degradation.png"
        camera_figure(learned, true, made["degradation"])
    return made


@torch.no_grad()
def fake_lr(
    method: type[Method],
    networks: Mapping[str, nn.Module],
    data: Folders,
    truth: Tensor | None,
    index: int,
) -> Tensor | None:
    """Degrade ``truth`` (1, 3, H, W), or a photo of the HR folder, by the method: (1, 3, h, w).

    None for methods without a degradation.

    Args:
        method: the class.
        networks: by name.
        data: its photos.
        truth: in [0, 1]; None: a photo of the HR folder.
        index: of that photo, and seed of the random numbers.
    """
    if "fake_lr" not in method.parts[tensor]:
        return None
    if truth is None:
        image = data.hr_store.image(index % len(data.hr_store))
        truth = floats_of(image)
    scale = data.scale
    height, width = (min(side, SIDE) // scale * scale for side in truth.shape[-2:])
    parameter = next(p for n in networks.values() for p in n.parameters())
    modes = {name: network.training for name, network in networks.items()}
    with torch.random.fork_rng():
        torch.manual_seed(index)
        for network in networks.values():
            network.eval()
        step = method(networks, {"hr": truth[..., :height, :width].to(parameter)}, scale)
        made = step.fake_lr  # type: ignore[attr-defined]
        for name, network in networks.items():
            network.train(modes[name])
    return on_cpu(made)


def readable(photos: ValidationPhotos, console: Console) -> None:
    """Read every validation photo once: drop unreadable ones, refuse pairs that do not fit.

    Raises:
        UserError: a photo and its ground truth whose sizes do not fit ``scale``.
    """
    from wildsr.photo.image import UnreadableImage

    kept, names = [], []
    for index in range(len(photos)):
        try:
            photos[index]
        except UnreadableImage as error:
            console.print(
                f"[yellow]warning:[/] validation photo skipped: {escape(str(error))}",
                highlight=False,
            )
            continue
        kept.append(photos.photos[index])
        names.append(photos.names[index])
    photos.photos, photos.names = kept, names
