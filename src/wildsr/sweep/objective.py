"""The objective of a sweep: a metric with ground truth, or a measure without one."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from wildsr.config.search import CARD, PANEL, objective_of
from wildsr.data.module import Folders
from wildsr.error import UserError
from wildsr.evaluation.evaluate import evaluate, interpolation, of_lr
from wildsr.evaluation.sets import some_of
from wildsr.evaluation.summary import summarise
from wildsr.inference.degrader import Degrader
from wildsr.inference.device import measuring_device
from wildsr.metric.consistency import NEEDS
from wildsr.metric.kind import HIGHER, Set
from wildsr.metric.panel import Panel
from wildsr.photo.image import list_images
from wildsr.report.card.of_run import ENOUGH, card_of
from wildsr.training.module import Training
from wildsr.training.validation import restoring

# The metrics that rank the checkpoints of a run (`evaluate.py checkpoints=all`), each with the size
# of an irrelevant difference in its own unit.
PANELS: Mapping[str, float] = {
    "lr_discrepancy": 0.5,
    "swd": 1.0,
    "noise_residue": 0.05,
    "colour_drift": 1.0,
}
ROW, BICUBIC = "trial", "bicubic"


class Objective:
    """One number that measures a training, at any moment of it.

    Args:
        config: of the sweep.

    Raises:
        UserError: the metric cannot be computed (a package or weights are missing).
    """

    def __init__(self, config: DictConfig) -> None:
        self.name = objective_of(config)
        self.strength, self.tile = config.strength, config.tile
        self.metrics = {CARD: (), PANEL: tuple(PANELS)}.get(self.name, (self.name,))
        self.channel, self.border = config.metric.channel, config.metric.border
        self._bicubic: Mapping[str, float | None] | None = None
        panel = self._panel(None)
        self.higher = self.name in panel.parts and panel.parts[self.name].better == HIGHER
        needs = panel.parts[self.name].needs if self.name in panel.parts else None
        if needs not in (None, NEEDS):  # each training has a learned degradation
            raise UserError(f"`objective={self.name}` cannot be computed: {needs}")

    @property
    def title(self) -> str:
        """Its name on the page."""
        if self.name == CARD:
            return "report card: mean of ln(1 + severity) over its lines"
        if self.name == PANEL:
            return f"panel: {', '.join(PANELS)}, each as a multiple of bicubic's, on average"
        about = self._panel(None).parts[self.name]
        return f"{about.title}{f' ({about.unit})' if about.unit else ''}"

    def of(self, training: Training, data: Folders) -> float:
        """Compute the objective now.

        Args:
            training: in its present state; it may continue afterwards.
            data: its photos, set up.

        Raises:
            UserError: it cannot be computed.
        """
        degrader = self._degrader(training)
        if self.name == CARD:
            if degrader is None:
                raise UserError("`objective=card` needs a method that generates LR.")
            return severity_of(degrader, data)
        found = self.values(training, data, degrader)
        if self.name == PANEL:
            # What needs a degradation depends on the trial's; the rest is the same for all trials.
            parts = self._panel(None).parts.items()
            own = tuple(name for name, part in parts if part.needs == NEEDS)
            if self._bicubic is None:
                rest = tuple(name for name in self.metrics if name not in own)
                self._bicubic = self._rows(training, data, degrader, BICUBIC, rest)
            with_own = self._rows(training, data, degrader, BICUBIC, own)
            return against(found, {**self._bicubic, **with_own})
        value = found[self.name]
        if value is None or not math.isfinite(value):
            raise UserError(f"`objective={self.name}` has no value on the validation photos.")
        return float(value)

    def values(
        self, training: Training, data: Folders, degrader: Degrader | None
    ) -> Mapping[str, float | None]:
        """The metrics of the averaged networks on the validation photos.

        Raises:
            UserError: no photo could be measured.
        """
        return self._rows(training, data, degrader, ROW)

    def _degrader(self, training: Training) -> Degrader | None:
        networks = copy.deepcopy(dict(training.networks.items()))
        try:
            made = Degrader(training.objective.method, networks, training.scale)
        except UserError:
            return None
        return made.eval().to(measuring_device(training.device))

    def _panel(self, degrader: Degrader | None, metrics: tuple[str, ...] | None = None) -> Panel:
        chosen = self.metrics if metrics is None else metrics
        return Panel(self.channel, self.border, chosen, degrader)

    def _rows(
        self,
        training: Training,
        data: Folders,
        degrader: Degrader | None,
        row: str,
        metrics: tuple[str, ...] | None = None,
    ) -> Mapping[str, float | None]:
        panel = self._panel(degrader, metrics)
        bicubic = of_lr(interpolation("bicubic", training.scale))
        made = {
            ROW: lambda: restoring(training, training.device, self.tile, self._strength(training)),
            BICUBIC: lambda: bicubic,
        }
        photos, sharp = {"validation": data.photos}, self._sharp(panel, data)
        outcomes, of_sets = evaluate(
            {row: made[row]}, photos, panel, sharp=sharp, device=training.device
        )
        failed = [outcome.error for outcome in outcomes if outcome.error is not None]
        if len(failed) == len(outcomes):
            raise UserError(f"No validation photo could be measured: {(failed or ['none'])[0]}")
        return summarise(outcomes, {}, None, of_sets).lines[0].values

    def _strength(self, training: Training) -> float:
        return self.strength if training.guard is not None else 0.0

    def _sharp(self, panel: Panel, data: Folders) -> Sequence[Path]:
        """Photos of the HR folder: objectives without ground truth must not use it."""
        if not any(isinstance(metric, Set) for metric in panel.parts.values()):
            return ()
        return some_of(list_images(data.hr, "data.hr"))


def severity_of(degrader: Degrader, data: Folders) -> float:
    """The report card as one number: how far generated LR is from real LR, 0 for no difference.

    The mean of ln(1 + severity) over the entries that could be judged; see
    :class:`~wildsr.report.card.entry.entry.Entry`.

    Raises:
        UserError: no entry could be judged.
    """
    made = card_of(degrader, data, data.seed, ENOUGH)
    known = [entry.severity for entry in made.entries if math.isfinite(entry.severity)]
    if not known:
        raise UserError(f"`objective=card`: {made.headline}")
    return sum(math.log1p(max(one, 0.0)) for one in known) / len(known)


def against(found: Mapping[str, float | None], bicubic: Mapping[str, float | None]) -> float:
    """Combine metrics for which lower is better into one number: 1 for bicubic interpolation.

    The mean of (value + slack) / (bicubic's + slack) over the metrics that both have.

    Raises:
        UserError: no metric could be computed.
    """
    ratios = []
    for name, slack in PANELS.items():
        one, other = found.get(name), bicubic.get(name)
        if one is not None and other is not None and math.isfinite(one) and math.isfinite(other):
            ratios.append((one + slack) / (other + slack))
    if not ratios:
        raise UserError("`objective=panel`: no metric of the panel could be computed.")
    return sum(ratios) / len(ratios)
