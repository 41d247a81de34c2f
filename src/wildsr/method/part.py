"""The building blocks of a method: given tensors, networks, derived tensors, random draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from wildsr.pixels import clamped, to_8_bit


class Detachable(Protocol):
    """Anything with a ``detach`` method, like a tensor."""

    def detach(self) -> Self:
        """The same value, cut from the autograd graph."""


Value = Tensor | tuple[Tensor, ...] | Detachable


class Part:
    """Base of the descriptors that a method class declares: ``given``, ``network``, ``tensor``, ...

    They are descriptors instead of one ``__getattr__``, so that a misspelt name inside a method
    raises an ordinary ``AttributeError``.
    """

    def __init__(self, about: str = "") -> None:
        self.__doc__ = about

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, step: Method | None, owner: type | None = None) -> Any:
        return self if step is None else self.read(step)

    def read(self, step: Method) -> Any:
        """Return the part's value in this iteration."""
        raise NotImplementedError


class given(Part):  # noqa: N801  (reads as a declaration)
    """Declares a tensor of the batch; ``about`` describes its shape and meaning."""

    def read(self, step: Method) -> Tensor:
        """Return the batch's entry of this name."""
        return step.batch[self.name]


class network(Part):  # noqa: N801
    """Declares a network of the method; ``about`` describes its input and output."""

    def read(self, step: Method) -> nn.Module:
        """Return the network; the tensor being computed is recorded as depending on it."""
        return step.use_network(self.name)


class tensor(Part):  # noqa: N801
    """Decorator: a tensor (or tuple of tensors) computed on first use and cached.

    The cached value is dropped when an update begins that trains a network it was computed from.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        super().__init__(compute.__doc__ or "")
        self.compute = compute

    def read(self, step: Method) -> Value:
        """Return the cached value, or compute it."""
        return step.use_tensor(self.name, self.compute)


class draw(tensor):  # noqa: N801
    """Decorator: random numbers, whose shape depends on the size of the images only.

    They are a part of their own so that everything computed again in an iteration sees the same
    random numbers, and so that a large image can be degraded in tiles with one common draw.
    """


class optional(tensor):  # noqa: N801
    """Decorator: like :class:`tensor`, but a method need not use it in any loss."""


def constant(value: Value) -> Value:
    """Detach a tensor, or every tensor of a tuple, from the autograd graph."""
    if isinstance(value, tuple):
        return tuple(part.detach() for part in value)
    return value.detach()


class Method:
    """Base class: everything that one iteration of a method computes on one batch.

    Subclasses only declare parts; which losses are applied to them, with which weights, is in
    ``conf/method``. Each subclass declares ``restored``, the SR of ``real_lr``, which inference
    and evaluation use.

    **The invariant**: in an update, everything that its trained networks did not produce is a
    constant. :meth:`begin` keeps it, so no method calls ``detach`` itself.

    Args:
        networks: one module for each declared ``network``.
        batch: one tensor for each declared ``given`` that is read; float, (B, 3, H, W), [0, 1].
        scale: HR size / LR size.
        averages: moving averages (EMA) of some of the networks.
    """

    parts: ClassVar[Mapping[type[Part], tuple[str, ...]]]
    deep: ClassVar[bool] = False  # whether photos have more than 8 bits: see `deepened`

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        batch: Mapping[str, Tensor],
        scale: int,
        averages: Mapping[str, nn.Module] | None = None,
    ) -> None:
        self.networks, self.batch, self.scale = networks, batch, scale
        self.averages = averages or {}
        self.kept: dict[str, tuple[Value, frozenset[str]]] = {}
        self._sources: list[set[str]] = []  # a stack: one set for each tensor being computed
        self._stand_ins: dict[str, str] = {}  # network -> the one that is read in its place
        self.events: list[tuple[str, str]] = []  # log of ("computed" or "kept", tensor)

    def __init_subclass__(cls) -> None:
        """List the parts by kind, in the order of their declaration."""
        found = {name: part for base in reversed(cls.__mro__) for name, part in vars(base).items()}
        cls.parts = {
            kind: tuple(name for name, part in found.items() if isinstance(part, kind))
            for kind in (given, network, tensor, draw, optional)
        }

    @classmethod
    def rounded(cls, images: Tensor) -> Tensor:
        """Quantise images (B, C, H, W) as an LR file would: clamp to [0, 1], round to 1/255.

        Photos of more than 8 bits are only clamped. The gradient is that of the identity
        (straight-through).
        """
        return clamped(images) if cls.deep else to_8_bit(images)

    def begin(self, trained: frozenset[str]) -> None:
        """Start an update that trains the networks named in ``trained``.

        These get ``requires_grad_(True)``, all others ``requires_grad_(False)`` (gradients still
        flow through them); cached tensors that depend on the trained networks are dropped; the
        remaining ones are detached.
        """
        for name, module in self.networks.items():
            module.requires_grad_(name in trained)
        self.kept = {
            name: (constant(value), sources)
            for name, (value, sources) in self.kept.items()
            if not sources & trained
        }

    def use_network(self, name: str) -> nn.Module:
        """Return the network ``name``; the tensor being computed is recorded as depending on it."""
        name = self._stand_ins.get(name, name)
        if self._sources:
            self._sources[-1].add(name)
        return self.networks[name]

    def average(self, name: str, *inputs: Tensor) -> Tensor:
        """Apply the moving average (EMA) of the network ``name`` to ``inputs``, without gradient.

        A network without an average is applied itself.
        """
        name = self._stand_ins.get(name, name)
        with torch.no_grad():
            output: Tensor = self.averages.get(name, self.networks[name])(*inputs)
        return output

    @contextmanager
    def instead(self, name: str, other: str) -> Iterator[None]:
        """Within the block, read the network ``other`` wherever a tensor reads ``name``.

        Tensors that depend on ``name`` are computed again, and results that depend on ``other`` are
        dropped at the end; all other tensors, random draws among them, are shared with the rest of
        the iteration.
        """
        before, stand_ins = self.kept, self._stand_ins
        self.kept = {n: kept for n, kept in before.items() if name not in kept[1]}
        self._stand_ins = {**stand_ins, name: other}
        try:
            yield
        finally:
            new = {n: k for n, k in self.kept.items() if n not in before and other not in k[1]}
            self.kept, self._stand_ins = before | new, stand_ins

    def use_tensor(self, name: str, compute: Callable[[Method], Value]) -> Value:
        """Return the cached tensor ``name``, or compute and cache it.

        Networks it depends on are recorded, also for the tensor that reads it.
        """
        if name in self.kept:
            self.events.append(("kept", name))
        else:
            with self.sources() as sources:
                value = compute(self)
            self.kept[name] = value, frozenset(sources)
            self.events.append(("computed", name))
        value, origin = self.kept[name]
        if self._sources:
            self._sources[-1] |= origin
        return value

    @contextmanager
    def sources(self) -> Iterator[set[str]]:
        """Collect the names of the networks read within the block, directly or through tensors."""
        self._sources.append(set())
        try:
            yield self._sources[-1]
        finally:
            self._sources.pop()


_DEEP: dict[str, type[Method]] = {}


def deepened(method: type[Method]) -> type[Method]:
    """The subclass of a method for photos of more than 8 bits; the same class each time."""
    named = f"{method.__module__}.{method.__qualname__}"
    if not (named in _DEEP and _DEEP[named].__mro__[1] is method):
        body = {"__doc__": method.__doc__, "__module__": method.__module__, "deep": True}
        _DEEP[named] = type(method.__name__, (method,), body)
    return _DEEP[named]
