"""The parts of a method: given tensors, networks, derived tensors, draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, Self

import torch
from torch import Tensor, nn

from wildsr.pixels import clamped, to_8_bit


class Detachable(Protocol):
    """What has a ``detach``, like a tensor."""

    def detach(self) -> Self:
        """The same value without its graph."""


Value = Tensor | tuple[Tensor, ...] | Detachable


class Part:
    """Descriptor of a named part of a method.

    A descriptor, never ``__getattr__``, so that a typo inside a tensor's body stays an ordinary
    ``AttributeError``.
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
    """Declares a tensor of the batch; ``about`` states its shape and meaning."""

    def read(self, step: Method) -> Tensor:
        """Return the batch's entry of this name."""
        return step.batch[self.name]


class network(Part):  # noqa: N801
    """Declares a network; ``about`` states its input and output."""

    def read(self, step: Method) -> nn.Module:
        """Return the network, and record it as a source of the tensor being computed."""
        return step.use_network(self.name)


class tensor(Part):  # noqa: N801
    """Declares a tensor (or a tuple of them) that is computed on first use and kept.

    It is kept until a network that it came from is about to be trained.
    """

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        super().__init__(compute.__doc__ or "")
        self.compute = compute

    def read(self, step: Method) -> Value:
        """Return the kept value, or compute it."""
        return step.use_tensor(self.name, self.compute)


class draw(tensor):  # noqa: N801
    """Declares random numbers, whose shape depends on the size of the images alone.

    A part of their own, so that whatever is computed again from them sees the same draw, and so
    that a large image can be degraded in tiles that share one draw.
    """


class optional(tensor):  # noqa: N801
    """Declares a tensor for terms that ask for it; unlike :class:`tensor`, may stay unused."""


def constant(value: Value) -> Value:
    """Cut a value from the graph that made it."""
    if isinstance(value, tuple):
        return tuple(part.detach() for part in value)
    return value.detach()


class Method:
    """One iteration of a method on one batch.

    Subclasses only declare parts; which losses hang on them, and with what weight, is said in
    ``conf/method``. Each declares ``restored``: the SR of ``real_lr`` by itself, which inference
    and evaluation ask every method for.

    **The invariant**: an update sees as constants whatever its trained networks did not produce.
    ``begin`` keeps it.

    Args:
        networks: one module for every declared ``network``.
        batch: one tensor for every declared ``given`` that is going to be read; float, RGB, [0, 1].
        scale: how many times larger HR is than LR.
        averages: of some of the networks, over the iterations so far.
    """

    parts: ClassVar[Mapping[type[Part], tuple[str, ...]]]
    deep: ClassVar[bool] = False  # photos of more than 8 bits: see `deepened`

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
        self._sources: list[set[str]] = []  # one set for every tensor that is being computed
        self._stand_ins: dict[str, str] = {}  # network -> the one that is read in its place
        self.events: list[tuple[str, str]] = []  # ("computed" or "kept", tensor), as it happens

    def __init_subclass__(cls) -> None:
        """List the parts by kind, in the order of their declaration."""
        found = {name: part for base in reversed(cls.__mro__) for name, part in vars(base).items()}
        cls.parts = {
            kind: tuple(name for name, part in found.items() if isinstance(part, kind))
            for kind in (given, network, tensor, draw, optional)
        }

    @classmethod
    def rounded(cls, images: Tensor) -> Tensor:
        """Images as files of the LR photos' kind hold them: in [0, 1], and of 8 bits in 255ths.

        With the gradient of the identity.
        """
        return clamped(images) if cls.deep else to_8_bit(images)

    def begin(self, trained: frozenset[str]) -> None:
        """Start an update of the networks ``trained``.

        They thaw and all others freeze (``requires_grad_(False)``: gradient still flows through
        them); tensors that came from them are forgotten; the remaining ones become constants.
        """
        for name, module in self.networks.items():
            module.requires_grad_(name in trained)
        self.kept = {
            name: (constant(value), sources)
            for name, (value, sources) in self.kept.items()
            if not sources & trained
        }

    def use_network(self, name: str) -> nn.Module:
        """The network ``name``, recorded as a source of the tensor that is being computed."""
        name = self._stand_ins.get(name, name)
        if self._sources:
            self._sources[-1].add(name)
        return self.networks[name]

    def average(self, name: str, *inputs: Tensor) -> Tensor:
        """Apply the moving average of the network ``name`` to ``inputs``.

        The network itself where it has none.

        A constant: no gradient passes through it.
        """
        name = self._stand_ins.get(name, name)
        with torch.no_grad():
            output: Tensor = self.averages.get(name, self.networks[name])(*inputs)
        return output

    @contextmanager
    def instead(self, name: str, other: str) -> Iterator[None]:
        """Within the block the network ``other`` is read wherever a tensor reads ``name``.

        Tensors that come from ``name`` are computed anew, and what comes from ``other`` is
        forgotten at the end; all others are shared with the rest of the iteration, random draws
        among them.
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
        """Compute the tensor ``name`` unless kept; its readers inherit its sources."""
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
        """Collect the names of the networks read within the block, also through tensors."""
        self._sources.append(set())
        try:
            yield self._sources[-1]
        finally:
            self._sources.pop()


_DEEP: dict[str, type[Method]] = {}


def deepened(method: type[Method]) -> type[Method]:
    """The method for photos of more than 8 bits; for one method always the same class."""
    named = f"{method.__module__}.{method.__qualname__}"
    if not (named in _DEEP and _DEEP[named].__mro__[1] is method):
        body = {"__doc__": method.__doc__, "__module__": method.__module__, "deep": True}
        _DEEP[named] = type(method.__name__, (method,), body)
    return _DEEP[named]
