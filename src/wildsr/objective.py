"""From the names in ``conf/method`` to numbers, every name checked."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

import torch
from hydra.utils import get_class
from torch import Tensor, nn

from wildsr.error import UserError, unknown
from wildsr.loss.encoder import Features
from wildsr.method.part import Method, given, network, optional, tensor
from wildsr.pool import ImagePool


@dataclass
class Term:
    """One loss on named operands.

    Attributes:
        name: how logs and errors call it, ``update/term``.
        loss: the module that computes it.
        tensors: the loss's argument -> the method's tensor (or given); ``name.0`` is the first of
            a tuple.
        features: those of these arguments that the loss wants as its encoder's features.
        networks: the loss's argument -> the method's network (critics).
        weight: its factor in the update's sum; 0 means it is only logged.
        pool: the history that its ``fake`` passes through.
    """

    name: str
    loss: nn.Module
    tensors: dict[str, str]
    networks: dict[str, str]
    features: frozenset[str] = frozenset()
    weight: float = 1.0
    pool: ImagePool = field(default_factory=lambda: ImagePool(0))

    def __call__(self, step: Method) -> Tensor:
        """Its value, unweighted: a scalar tensor."""
        operands = {a: self._operand(step, a, name) for a, name in self.tensors.items()}
        if self.pool.size:
            operands["fake"] = self.pool(operands["fake"])
        critics = {a: step.use_network(name) for a, name in self.networks.items()}
        value: Tensor = self.loss(**critics, **operands)
        return value

    def _operand(self, step: Method, argument: str, name: str) -> Any:
        if argument not in self.features:
            return self._read(step, name)
        # In the method's own store, where the invariant holds for it: every term that asks for
        # features of one image by one encoder gets those of one pass.
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
        name: how logs and errors call it.
        trains: the networks that it moves.
        terms: what it minimises the weighted sum of.
        every: it runs at iterations that this divides.
        clip: the largest gradient norm over all that it trains; None for no limit.
    """

    name: str
    trains: frozenset[str]
    terms: tuple[Term, ...]
    every: int = 1
    clip: float | None = None


@dataclass
class Explained:
    """A row of the table that ``explain=true`` prints."""

    update: str
    trains: list[str]
    terms: list[str]
    computed: list[str]
    constants: list[str]


class Objective:
    """The updates of a method, in their order.

    Args:
        method: the class that derives the tensors.
        updates: name -> {trains, terms, every, clip}; a term is {loss, weight, pool} and the
            arguments and options of its loss.
        losses: the catalogue: name -> {_target_, <options>}.
        frozen: networks that no update trains, on purpose.

    Raises:
        UserError: for any name that does not exist, with the nearest one that does.
    """

    def __init__(
        self,
        method: type[Method],
        updates: Mapping[str, Mapping[str, Any]],
        losses: Mapping[str, Mapping[str, Any]],
        frozen: Sequence[str] = (),
    ) -> None:
        self.method, self.frozen = method, frozenset(frozen)
        _known("`method.frozen`", frozen, method.parts[network])
        self.updates = tuple(
            self._update(name, _mapping(f"`method.updates.{name}`", spec), losses)
            for name, spec in updates.items()
            if spec is not None
        )
        if not self.updates:
            raise UserError("`method.updates` must hold at least one update, but is empty.")

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms of all updates."""
        return tuple(term for update in self.updates for term in update.terms)

    def _update(self, name: str, spec: dict[str, Any], losses: Mapping[str, Any]) -> Update:
        where = f"`method.updates.{name}`"
        _known(where, spec, ("trains", "terms", "every", "clip"))
        trains = spec.get("trains") or []
        terms = _mapping(f"{where}.terms", spec.get("terms") or {})
        terms = {key: value for key, value in terms.items() if value is not None}
        if not trains or not terms:
            raise UserError(f"{where} needs `trains` (networks) and `terms` (losses), got {spec}.")
        _known(f"{where}.trains", trains, self.method.parts[network])
        every, clip = spec.get("every", 1), spec.get("clip")
        if not (isinstance(every, int) and every >= 1):
            raise UserError(f"{where}.every must be an integer of at least 1, but got {every!r}.")
        if not (clip is None or (isinstance(clip, int | float) and clip > 0)):
            raise UserError(f"{where}.clip must be a positive number or null, but got {clip!r}.")
        built = tuple(
            self._term(f"{name}/{key}", _mapping(f"Term `{name}/{key}`", value), losses)
            for key, value in terms.items()
        )
        return Update(name, frozenset(trains), built, every, clip)

    def _term(self, name: str, spec: dict[str, Any], losses: Mapping[str, Any]) -> Term:
        where = f"Term `{name}`"
        chosen = spec.pop("loss", None)
        if chosen not in list(losses):
            raise unknown(f"{where}: loss", chosen, losses)
        options = dict(losses[chosen])
        target = get_class(options.pop("_target_"))
        arguments = inspect.signature(target.forward).parameters  # type: ignore[attr-defined]
        operands = {a: p for a, p in arguments.items() if a != "self"}
        hints = get_type_hints(target.forward)  # type: ignore[attr-defined]
        critics = [argument for argument in operands if hints.get(argument) is nn.Module]
        settable = set(inspect.signature(target).parameters)
        _known(where, spec, {*operands, *settable, "weight", "pool"} - {"args", "kwargs"})

        weight, size = spec.pop("weight", 1.0), spec.pop("pool", 0)
        if not isinstance(weight, int | float):
            raise UserError(f"{where}: weight must be a number, but got {weight!r}.")
        if not (isinstance(size, int) and size >= 0):
            raise UserError(f"{where}: pool must be a number of images, but got {size!r}.")
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
            _known(f"{where}: {argument}", [whole], choices)
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
        )

    def explain(
        self, networks: Mapping[str, nn.Module], batch: Mapping[str, Tensor], scale: int
    ) -> list[Explained]:
        """Run one iteration without its steps, on copies, and tell what each update computed.

        Raises:
            UserError: for an untrained network, a term that trains nothing, an unused tensor.
        """
        self._check_networks(networks)
        copies = {name: copy.deepcopy(module) for name, module in networks.items()}
        rows, used = [], set()
        with torch.random.fork_rng(), torch.enable_grad():
            step = self.method(copies, batch, scale)
            for update in self.updates:
                step.begin(update.trains)
                step.events.clear()
                for term in update.terms:
                    pool, term.pool = (
                        term.pool,
                        ImagePool(term.pool.size),
                    )  # its own history stays as it is
                    value, term.pool = term(step), pool
                    if not value.requires_grad:  # all other networks are frozen
                        raise UserError(
                            f"Term `{term.name}` reaches none of the networks that its update "
                            f"trains ({sorted(update.trains)}); it would train nothing."
                        )
                    used |= {name.partition(".")[0] for name in term.tensors.values()}
                computed = list(dict.fromkeys(n for event, n in step.events if event == "computed"))
                kept = dict.fromkeys(n for event, n in step.events if event == "kept")
                constants = [n for n in kept if n not in computed]
                used |= {*computed, *constants}
                rows.append(
                    Explained(
                        update.name,
                        sorted(update.trains),
                        [t.name.split("/", 1)[1] for t in update.terms],
                        computed,
                        constants,
                    )
                )
        used |= self.restored_from(copies, batch, scale)[1]
        for name in self.method.parts[tensor]:
            if name not in used and name not in self.method.parts[optional]:
                raise UserError(
                    f"Tensor `{name}` of {self.method.__name__} is used by no term and not by "
                    "`restored`."
                )
        return rows

    def restored_from(
        self, networks: Mapping[str, nn.Module], batch: Mapping[str, Tensor], scale: int
    ) -> tuple[set[str], set[str]]:
        """The networks, and the tensors, that ``restored`` comes from."""
        step = self.method(networks, {"real_lr": batch["real_lr"]}, scale)
        with torch.random.fork_rng(), torch.no_grad(), step.sources() as sources:
            _ = step.restored  # type: ignore[attr-defined]
        return sources, {name for _, name in step.events}

    def _check_networks(self, networks: Mapping[str, nn.Module]) -> None:
        missing = [name for name in self.method.parts[network] if name not in networks]
        if missing:
            raise UserError(f"`method.networks` lacks {missing} of {self.method.__name__}.")
        _known("`method.networks`", networks, self.method.parts[network])
        trained = frozenset(name for update in self.updates for name in update.trains)
        for name, module in networks.items():
            free = any(True for _ in module.parameters())
            if free and name not in trained | self.frozen:
                raise UserError(
                    f"Network `{name}` is trained by no update; add it to one's `trains`, "
                    "or to `method.frozen` if that is meant."
                )
            if not free and name in trained:
                raise UserError(f"Network `{name}` is to be trained, but has no parameters.")


def _mapping(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be names with values, but got {value!r}.")
    return dict(value)


def _known(where: str, names: Iterable[str], choices: Iterable[str]) -> None:
    choices = list(choices)
    for name in names:
        if name not in choices:
            raise unknown(where, name, choices)
