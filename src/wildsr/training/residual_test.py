"""Keep a camera's residual network only if a two-sample test says that it helps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor

from wildsr.data.module import Folders
from wildsr.loss.local_features import CROP, local_features
from wildsr.metric.statistic.two_sample import separation
from wildsr.network.degrader.residual_camera import ResidualCamera, Verdict
from wildsr.pixels import floats
from wildsr.report.card.of_run import MOST, eight_bits, photos_of
from wildsr.run.profile import FILE, write_profile
from wildsr.training.module import Training

LEAST = 2  # photos of a kind that a test needs
SAID = "; residual network: "  # before the verdict, in the sentence of camera.json
BETTER = 0.1  # share by which real and generated LR must come closer


class ResidualTest(lightning.Callback):
    """Tests the residual network of a camera at the end of the stage that trained it.

    A classifier learns to tell real LR from LR that the camera generates, with the network and
    without it; photos of the validation come first. If the network does not bring the two closer
    by the share ``BETTER`` at least, it is switched off.

    Args:
        data: real LR photos and sharp ones.
        folder: of the run, whose ``camera.json`` gets the result.
        say: prints a line about it.
    """

    def __init__(self, data: Folders, folder: Path, say: Callable[[str], None]) -> None:
        self.data, self.folder, self.say = data, folder, say

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        training: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Called after each iteration."""
        assert isinstance(training, Training)
        before, now = (training.stages.at(training.iteration - n) for n in (1, 0))
        if before == now:
            return
        ended = training.objective.trained(before) - training.objective.trained(now)
        for name in sorted(ended):
            camera = training.networks[name]
            if isinstance(camera, ResidualCamera):
                found = judged(camera, self.data, training.seed) if trainer.is_global_zero else None
                verdict: Any = trainer.strategy.broadcast(found, src=0)
                camera.take(verdict)
                if trainer.is_global_zero:
                    self.say(f"residual network: {verdict}")
                    _note(self.folder, verdict)


@torch.no_grad()
def judged(camera: ResidualCamera, data: Folders, seed: int) -> Verdict:
    """Whether a camera's images are more like the real photos with its residual network.

    Args:
        camera: trained; left as it is.
        data: set up.
        seed: of all random choices; the global random state is left unchanged.
    """
    photos = photos_of(data, seed, MOST)
    device = camera.cameras.device
    real = [_features(eight_bits(lr)) for lr in photos.lr if min(lr.shape[1:]) >= CROP]
    plain: list[Tensor] = []
    changed: list[Tensor] = []
    energies: list[Tensor] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for sharp in photos.hr:
            hr = floats(sharp).to(device)
            if min(hr.shape[2:]) < CROP * camera.scale:
                continue
            draws = camera.draws(hr)
            lr = camera.taken(hr, draws)
            change = camera.change(lr, draws[-1])
            energies.append(change.square().mean())
            for kept, made in ((plain, lr), (changed, lr + change)):
                coded = camera.coded(made, draws).clamp(0, 1)
                kept.append(_features(eight_bits(coded[0])))
    energy = 255 * float(torch.stack(energies).mean().sqrt()) if energies else 0.0
    if min(len(real), len(plain)) < LEAST:
        return Verdict(False, energy, None, None)
    without, beside = (separation(real, fake, seed) for fake in (plain, changed))
    # Chance alone makes a separation negative: then there is nothing to be gained.
    closer = without > 0 and beside < (1 - BETTER) * without
    return Verdict(closer, energy, without, beside)


def _features(image: Tensor) -> Tensor:
    return local_features(image.cpu())


def _note(folder: Path, verdict: Verdict) -> None:
    """Add the verdict to the run's ``camera.json``."""
    try:
        document = json.loads((folder / FILE).read_text("utf-8"))
        camera = document["sentence"].partition(SAID)[0]  # a killed run may repeat its test
        document["sentence"] = f"{camera}{SAID}{verdict}"
        document["residual"] = vars(verdict)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # deleted or changed by hand
    write_profile(folder, document)
