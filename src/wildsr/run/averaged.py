"""Make the restorer of a run from averaged weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor, nn

from wildsr.config.make import make_networks, method_class
from wildsr.error import UserError
from wildsr.inference.restorer import Restorer
from wildsr.method.finishing import FAITHFUL, FINISHED
from wildsr.method.part import Method
from wildsr.network.interpolation import check_strength, interpolated
from wildsr.network.size_limit import size_limit
from wildsr.network.weights import fill
from wildsr.run.finish import default_strength


def averaged(
    folder: Path,
    config: DictConfig,
    weights: Mapping[str, Mapping[str, Tensor]],
    strength: float | None,
) -> Restorer:
    """The restorer of a run, with averaged networks of these weights.

    Args:
        folder: of the run.
        config: recorded with it.
        weights: network name -> weights.
        strength: of the finish; None for the run's default.

    Raises:
        UserError: the weights are not those of the configuration's networks; a strength for a run
            without a finish.
    """
    for name in weights:
        if name not in config.method.networks:
            raise UserError(
                f"The checkpoint in {folder} has a network `{name}`, its config has none."
            )
    if not weights:
        raise UserError(f"The checkpoint in {folder} is damaged: it has no averaged network.")
    networks = networks_of(folder, config, weights)
    for name, network in networks.items():
        fill(network, weights[name], f"The checkpoint's average of `{name}`")
    if FINISHED in networks:
        used = default_strength(folder) if strength is None else strength
        check_strength("`strength`", used)
        return at_strength(method_class(config), networks, config.scale, used)
    if strength is not None:
        raise UserError(
            f"`strength` is for runs with a finish, which {folder} has not (finish=none)."
        )
    return Restorer(method_class(config), networks, config.scale).eval()


def at_strength(
    method: type[Method], networks: Mapping[str, nn.Module], scale: int, strength: float
) -> Restorer:
    """The restorer of a method with a finish, its weights interpolated by the strength.

    Args:
        method: with a finish.
        networks: averaged networks, among them the faithful and the finished upscaler; unchanged.
        scale: HR size / LR size.
        strength: in [0, 1]: 0 for the faithful weights, 1 for the finished ones.
    """
    used = {name: network for name, network in networks.items() if name != FINISHED}
    between = copy.deepcopy(networks[FAITHFUL])
    faithful, finished = (networks[name].state_dict() for name in (FAITHFUL, FINISHED))
    between.load_state_dict(interpolated(faithful, finished, strength))
    return Restorer(method, {**used, FAITHFUL: between}, scale).eval()


def networks_of(
    folder: Path, config: DictConfig, weights: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, nn.Module]:
    """New networks for these weights, which bound how large they may be."""
    numbers = [value for network in weights.values() for value in network.values()]
    with size_limit(numbers, f"The run folder {folder}"):
        return make_networks(config, weights)
