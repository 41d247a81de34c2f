"""Build a method's updates and losses from ``conf/method``, every name checked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from hydra.utils import get_class
from torch import Tensor, nn

from wildsr.config.updates import check_term, check_update, known, named_values, stage_names
from wildsr.error import UserError, first_line, unknown
from wildsr.method.part import Method, given, network, tensor
from wildsr.network.trunk.encoder import Features
from wildsr.training.image_pool import ImagePool


@dataclass
class Term:
    """One loss, applied to named tensors and networks.

    Attributes:
        name: for logs and errors, ``update/term``.
        loss: the module that computes it.
        tensors: the loss's argument -> the method's tensor (or given); ``name.0`` is the first of
            a tuple.
        features: those of these arguments that the loss wants as its encoder's features.
        networks: the loss's argument -> the method's network (critics).
        weight: its factor in the update's sum; with 0 it is only logged.
        pool: the image pool that its ``fake`` passes through.
        ramp: iterations over which the weight rises from 0, counted from when the networks of its
            update are first trained.
    """

    name: str
    loss: nn.Module
    tensors: dict[str, str]
    networks: dict[str, str]
    features: frozenset[str] = frozenset()
    weight: float = 1.0
    pool: ImagePool = field(default_factory=lambda: ImagePool(0))
    ramp: int = 0

    def weight_at(self, age: int) -> float:
        """The weight ``age`` iterations after the ramp began."""
        return self.weight * min(1.0, age / self.ramp) if self.ramp else self.weight

    def __call__(self, step: Method) -> Tensor:
        """Its value without the weight, a scalar tensor."""
        operands = {a: self._operand(step, a, name) for a, name in self.tensors.items()}
        if self.pool.size:
            operands["fake"] = self.pool(operands["fake"])
        critics = {a: step.use_network(name) for a, name in self.networks.items()}
        value: Tensor = self.loss(**critics, **operands)
        return value

    def _operand(self, step: Method, argument: str, name: str) -> Any:
        if argument not in self.features:
            return self._read(step, name)
        # Cached in the method, under the same invariant: all terms that need the features of one
        # image by one encoder share a single forward pass.
        encoder: Any = self.loss.encoder
        return step.use_tensor(
            f"{encoder.name}({name})", lambda step: encoder(self._read(step, name))
        )

    def _read(self, step: Method, name: str) -> Any:
        whole, _, index = name.partition(".")
        value = getattr(step, whole)
        if not index and not isinstance(value, tuple):
            return value
        if not isinstance(value, tuple):
            raise UserError(f"Term `{self.name}`: {whole!r} is one tensor; drop the .{index}.")
        if not index or int(index) >= len(value):
            choices = [f"{whole}.{i}" for i in range(len(value))]
            raise UserError(f"Term `{self.name}`: {name!r} must be one of {choices}.")
        return value[int(index)]


@dataclass
class Update:
    """One optimiser step.

    Attributes:
        name: for logs and errors.
        trains: the networks that it trains.
        terms: the losses of whose weighted sum it is a step.
        every: it runs at iterations that this divides.
        clip: the largest gradient norm over all networks it trains; None for no limit.
        stages: those in which it runs; None for all.
    """

    name: str
    trains: frozenset[str]
    terms: tuple[Term, ...]
    every: int = 1
    clip: float | None = None
    stages: frozenset[str] | None = None


class Objective:
    """The updates of a method, in their order.

    Args:
        method: the class that computes the tensors.
        updates: name -> {trains, terms, every, clip, stages}; a term is {loss, weight, pool,
            ramp} and the arguments and options of its loss.
        losses: all losses: name -> {_target_, <options>}.
        frozen: networks that no update trains, on purpose.
        stages: the names of the method's stages, in their order.

    Raises:
        UserError: a name that does not exist, with the nearest one that does; a missing argument of
            a loss; no update at all, or none in a stage.
    """

    def __init__(
        self,
        method: type[Method],
        updates: Mapping[str, Mapping[str, Any]],
        losses: Mapping[str, Mapping[str, Any]],
        frozen: Sequence[str] = (),
        stages: Sequence[str] = (),
    ) -> None:
        if not isinstance(frozen, Sequence) or isinstance(frozen, str):
            raise UserError(f"`method.frozen` must be a list of networks, but got {frozen!r}.")
        self.method, self.frozen, self.stages = method, frozenset(frozen), tuple(stages)
        known("`method.frozen`", frozen, method.parts[network])
        self.updates = tuple(
            self._update(name, spec, losses) for name, spec in updates.items() if spec is not None
        )
        for update in self.updates:
            if both := sorted(self.frozen.intersection(update.trains)):
                raise UserError(
                    f"`method.frozen` has {both[0]}, which update `{update.name}` trains: take it "
                    "from one of them."
                )
        if not self.updates:
            raise UserError("`method.updates` must hold at least one update, but is empty.")
        for stage in self.stages:
            if not self.due(stage):
                raise UserError(f"Stage `{stage}` of `method.stages` has no update.")

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms of all updates."""
        return tuple(term for update in self.updates for term in update.terms)

    def due(self, stage: str | None) -> tuple[Update, ...]:
        """The updates of a stage (None for a method without stages), in their order."""
        return tuple(u for u in self.updates if u.stages is None or stage in u.stages)

    def trained(self, stage: str | None) -> frozenset[str]:
        """The networks that the updates of a stage train."""
        return frozenset(name for update in self.due(stage) for name in update.trains)

    def _update(self, name: str, spec: Mapping[str, Any], losses: Mapping[str, Any]) -> Update:
        terms = check_update(name, spec, self.method.parts[network], self.stages)
        during = stage_names(spec)
        built = tuple(
            self._term(f"{name}/{key}", named_values(f"Term `{name}/{key}`", value), losses)
            for key, value in terms.items()
        )
        return Update(
            name,
            frozenset(spec["trains"]),
            built,
            spec.get("every", 1),
            spec.get("clip"),
            None if during is None else frozenset(during),
        )

    def _term(self, name: str, spec: dict[str, Any], losses: Mapping[str, Any]) -> Term:
        where = f"Term `{name}`"
        chosen = spec.pop("loss", None)
        if chosen not in list(losses):
            raise unknown(f"{where}: loss", chosen, losses)
        options = dict(losses[chosen])
        target = _loss_class(f"`loss.{chosen}`", options.pop("_target_", None))
        arguments = inspect.signature(target.forward).parameters
        operands = {a: p for a, p in arguments.items() if a != "self"}
        hints = get_type_hints(target.forward)
        critics = [argument for argument in operands if hints.get(argument) is nn.Module]
        settable = set(inspect.signature(target).parameters)
        known(where, spec, {*operands, *settable, "weight", "pool", "ramp"} - {"args", "kwargs"})

        check_term(where, spec)
        weight, size = spec.pop("weight", 1.0), spec.pop("pool", 0)
        ramp = spec.pop("ramp", 0)
        if size and "fake" not in operands:
            raise UserError(f"{where}: pool is for losses of a `fake`, which {chosen!r} is not.")
        names = {a: spec.pop(a) for a in list(spec) if a in operands}
        for argument, parameter in operands.items():
            if names.get(argument) is None:
                if parameter.default is inspect.Parameter.empty:
                    raise UserError(f"{where}: loss {chosen!r} needs `{argument}`.")
                names.pop(argument, None)
        for argument, value in names.items():
            kinds = (network,) if argument in critics else (given, tensor)
            choices = [n for k in kinds for n in self.method.parts[k]]
            whole = re.sub(r"\.\d+$", "", str(value)) if argument not in critics else value
            known(f"{where}: {argument}", [whole], choices)
        try:
            loss = target(**(options | spec))
        except (TypeError, ValueError) as error:  # of which UserError is one
            raise UserError(f"{where}: {error}") from error
        return Term(
            name,
            loss,
            {a: v for a, v in names.items() if a not in critics},
            {a: v for a, v in names.items() if a in critics},
            frozenset(a for a in names if hints.get(a) is Features),
            float(weight),
            ImagePool(size),
            ramp,
        )


def _loss_class(where: str, name: object) -> type[nn.Module]:
    """The class of a loss.

    Raises:
        UserError: there is none of that name, or it is no module.
    """
    try:
        found = get_class(str(name))
    except Exception as error:  # of an import, any type
        raise UserError(f"{where}: `_target_` {name!r} is no class: {first_line(error)}") from error
    if not issubclass(found, nn.Module):
        raise UserError(f"{where}: `_target_` {name!r} is no torch.nn.Module.")
    return found
