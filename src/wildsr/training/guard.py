"""Detect a finish (GAN) stage that goes wrong, and roll it back to its last good state."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wildsr.argument import check_integer
from wildsr.error import UserError, unknown
from wildsr.metric.consistency import drift
from wildsr.metric.grid import PERIODS, checkerboard
from wildsr.metric.ringing import START, overshoot
from wildsr.pixels import luma

PATIENCE = 3  # checks in a row at which the critic classifies everything correctly


@dataclass(frozen=True)
class Limits:
    """The limits of what counts as good; None switches a check off.

    Attributes:
        every: iterations between two checks.
        most: how often the stage is rolled back; at the next time it ends.
        level: change of the mean brightness, in [0, 1] units.
        colour: colour drift beyond the faithful upscaler's, in dE76.
        detail: (least, most): the mean difference between neighbouring pixels, as a factor of the
            faithful upscaler's at least and of the HR crop's at most.
        checkerboard: in 1/255, beyond the larger of the faithful upscaler's and the HR crop's.
        ringing: in 1/255, likewise.
        accuracy: of the critic; it has won if it reaches this at three checks in a row.
    """

    every: int = 50
    most: int = 3
    level: float | None = 0.05
    colour: float | None = 3.0
    detail: tuple[float, float] | None = (0.7, 2.5)
    checkerboard: float | None = 1.0
    ringing: float | None = 8.0
    accuracy: float | None = 0.99


def limits_of(spec: Mapping[str, Any]) -> Limits:
    """The limits of ``finish.guard`` in a configuration.

    Raises:
        UserError: an unknown name, or an invalid value.
    """
    names = list(asdict(Limits()))
    for name, value in spec.items():
        where = f"`finish.guard.{name}`"
        if name not in names:
            raise unknown("`finish.guard`", name, names)
        if name in ("every", "most"):
            check_integer(where, value, 1 if name == "every" else 0)
            continue
        numbers = value if name == "detail" and isinstance(value, list | tuple) else [value]
        good = all(
            isinstance(n, int | float) and not isinstance(n, bool) and n >= 0 for n in numbers
        )
        two = name != "detail" or len(numbers) == 2
        if value is not None and not (good and two):
            what = "two numbers" if name == "detail" else "a number of at least 0"
            raise UserError(f"{where} must be {what}, or null, but got {value!r}.")
    detail = spec.get("detail")
    made = {**spec, **({"detail": tuple(detail)} if detail is not None else {})}
    return Limits(**made)


class Guard:
    """Checks the finished upscaler's output now and then, and keeps its last good state.

    Args:
        limits: of what counts as good.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.good: dict[str, Any] = {}  # the last good state
        self.factor = 1.0  # of the learning rates: each rollback halves them
        self.back: list[dict[str, Any]] = []  # the rollbacks: iteration and reason
        self.won = 0  # checks in a row at which the critic classified everything correctly
        self.values: dict[str, float] = {}  # measured at the last check

    @property
    def ended(self) -> bool:
        """Whether the stage was rolled back too often and has ended."""
        return len(self.back) > self.limits.most

    def due(self, age: int) -> bool:
        """Whether a check is due, ``age`` iterations after the stage began (from 0)."""
        return not self.ended and (age + 1) % self.limits.every == 0

    @torch.no_grad()
    def look(
        self, sr: Tensor, faithful: Tensor, hr: Tensor, lr: Tensor, critic: nn.Module, real: Tensor
    ) -> str | None:
        """Check a batch; returns what is wrong with it, in words, or None.

        Args:
            sr: (B, 3, sH, sW), ``lr`` upscaled by the network that is checked.
            faithful: (B, 3, sH, sW), ``lr`` upscaled by the faithful upscaler.
            hr: (B, 3, sH, sW), the ground truth.
            lr: (B, 3, H, W).
            critic: of HR images.
            real: (B, 3, sH, sW), unrelated HR crops.
        """
        if not bool(torch.isfinite(sr).all()):
            return "it makes NaN or infinite values"
        accuracy = _accuracy(critic, real, sr)
        images = [image.float().clamp(0, 1) for image in (sr, faithful, hr, lr)]
        if sr.device.type == "mps":  # which has no float64
            images = [image.cpu() for image in images]
        sr, faithful, hr, lr = images
        scale = sr.shape[-1] // lr.shape[-1]
        found = {"accuracy": accuracy, "level": float((sr.mean() - hr.mean()).abs())}
        found |= {"detail": _detail(sr), "detail_faithful": _detail(faithful)}
        found |= {"detail_hr": _detail(hr)}
        meters = _meters(min(sr.shape[-2:]), scale)
        for name, meter in meters.items():
            found[name] = meter(sr, lr)
            others = [meter(faithful, lr)] + ([] if name == "colour" else [meter(hr, lr)])
            found[f"{name}_before"] = max(others)
        self.values = found
        return self._judge(found)

    def _judge(self, found: Mapping[str, float]) -> str | None:
        limits = self.limits
        if limits.level is not None and found["level"] > limits.level:
            return f"its mean brightness is off by {found['level']:.3f}"
        if limits.detail is not None:
            least, most = limits.detail
            if found["detail"] < least * found["detail_faithful"]:
                return (
                    f"it shows {found['detail'] / found['detail_faithful']:.2f} times the detail "
                    "of the faithful upscaler"
                )
            if found["detail"] > most * max(found["detail_hr"], found["detail_faithful"]):
                return (
                    f"it shows {found['detail'] / max(found['detail_hr'], 1e-9):.1f} times the "
                    "detail of sharp photos"
                )
        for name in ("colour", "checkerboard", "ringing"):
            most_of, before = getattr(limits, name), found.get(f"{name}_before")
            if most_of is None or before is None or found[name] <= before + most_of:
                continue
            return f"its {name} is {found[name]:.2f}, {before:.2f} before"
        wins = limits.accuracy is not None and found["accuracy"] >= limits.accuracy
        self.won = self.won + 1 if wins else 0
        if self.won >= PATIENCE:
            return f"the critic tells it from sharp photos in {found['accuracy']:.1%} of all places"
        return None

    def taken_back(self, iteration: int, why: str) -> str:
        """Count a rollback; returns a sentence about it."""
        self.factor /= 2
        self.won = 0
        self.back.append({"iteration": iteration, "why": why})
        what = (
            "the finish ends with its last good state"
            if self.ended
            else f"back to its last good state, learning rates x {self.factor:g}"
        )
        return f"iteration {iteration}: the finish went wrong ({why}): {what}"

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {
            "good": self.good,
            "factor": self.factor,
            "back": [dict(b) for b in self.back],
            "won": self.won,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        self.good, self.factor = dict(state["good"]), float(state["factor"])
        self.back, self.won = list(state["back"]), int(state["won"])


def _accuracy(critic: nn.Module, real: Tensor, fake: Tensor) -> float:
    """The share of the critic's logits on the right side of 0, of both halves."""
    shares = []
    for image, sign in ((real, 1), (fake, -1)):
        made: Any = critic(image)
        logits = made if isinstance(made, tuple | list) else (made,)
        shares += [(sign * logit > 0).float().mean() for logit in logits]
    return float(torch.stack(shares).mean())


def _detail(image: Tensor) -> float:
    """The mean step between neighbours of the luma."""
    gray = luma(image)
    steps = F.pad(gray, (0, 1, 0, 1), mode="replicate")
    across = (steps[..., :-1, 1:] - gray).abs().mean()
    down = (steps[..., 1:, :-1] - gray).abs().mean()
    value = float(across + down)
    return value if math.isfinite(value) else math.inf


def _meters(side: int, scale: int) -> dict[str, Any]:
    """Each meter of a batch, of those that images of this side are large enough for."""
    period = reach = max(2, scale)
    meters: dict[str, Any] = {"colour": lambda sr, lr: float(drift(sr, lr).mean())}
    if side >= PERIODS * period:
        meters["checkerboard"] = lambda sr, lr: float(checkerboard(sr, period).mean())
    if side >= 2 * (START + 4 * reach) + 1:
        meters["ringing"] = lambda sr, lr: sum(overshoot(i, reach) for i in sr.split(1)) / len(sr)
    return meters
