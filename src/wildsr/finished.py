"""A run that can be used: its method with averaged networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from wildsr import build, checkpoint, run
from wildsr.checkpoint import fill
from wildsr.error import UserError
from wildsr.inference.restore import Restorer


def restorer_of(folder: Path) -> Restorer:
    """The averaged networks of the newest checkpoint of a run.

    Raises:
        UserError: if the folder is no run, or has no checkpoint of its architecture.
    """
    return averaged(folder, checkpoint.newest(folder)["ema"])


def averaged(folder: Path, weights: Mapping[str, Mapping[str, Tensor]]) -> Restorer:
    """A run's method with averaged networks of these weights.

    Raises:
        UserError: they are not of the architecture that the run's config names.
    """
    config = run.config_of(folder)
    made = build.networks(config)
    for name, values in weights.items():
        if name not in made:
            raise UserError(
                f"The checkpoint in {folder} has a network `{name}`, its config has none."
            )
        fill(made[name], dict(values), f"The checkpoint's average of `{name}`")
    networks = {name: made[name] for name in weights}
    return Restorer(build.method_class(config), networks, config.scale).eval()


def method_name(folder: Path) -> str:
    """The name of a run's method: its config's file."""
    return str(run.config_of(folder).method._target_).rsplit(".", 2)[-2]
