"""A pretend accelerator: tensors that live elsewhere, computed on the CPU, that refuse to mix.

What a real device does to code that forgets to move something, without having one: an operation of
tensors on two devices, or NumPy asking for memory that is not the CPU's, raises.
"""

from collections import Counter

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

PRETEND = torch.device("xla:0")  # a type that torch knows and starts nothing for
CPU = torch.device("cpu")


class Elsewhere(torch.Tensor):
    """A tensor on the pretend device; ``inner`` holds its numbers."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=PRETEND,
            requires_grad=inner.requires_grad,
        )

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"Elsewhere({self.inner})"

    # What asks torch for the device's own code before anything is dispatched.

    def tolist(self):
        return self.inner.tolist()

    def __float__(self):
        return float(self.inner)

    def __int__(self):
        return int(self.inner)

    def __bool__(self):
        return bool(self.inner)

    def new_tensor(self, values, **named):
        return Elsewhere(self.inner.new_tensor(values, **named))

    def unbind(self, dim=0):
        return tuple(map(Elsewhere, self.inner.unbind(dim)))

    def nonzero(self, **named):
        return tree_map(Elsewhere, self.inner.nonzero(**named))

    def __getitem__(self, index):
        return Elsewhere(self.inner[tree_map(inner_of, index)])

    def __setitem__(self, index, value):
        self.inner[tree_map(inner_of, index)] = inner_of(value)

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), named=None):
        return carried_out(function, arguments, named or {})


def inner_of(value):
    """What the CPU computes with in its place."""
    return value.inner if isinstance(value, Elsewhere) else value


def check_one_device(what, tensors):
    """Numbers without a dimension may come from the CPU, as on a real device."""
    kinds = {isinstance(value, Elsewhere) for value in tensors if value.dim()}
    if len(kinds) > 1:
        raise RuntimeError(f"{what}: expected all tensors on one device, got {PRETEND} and cpu")


def carried_out(function, arguments, named):
    """One operation: on the CPU's numbers, its result where its operands are."""
    if function is torch.ops.aten.to.device:  # which inference mode leaves whole
        function, named = (
            torch.ops.aten._to_copy.default,
            {"device": arguments[1], "dtype": arguments[2]},
        )
        arguments = arguments[:1]
    flat, _ = tree_flatten((arguments, named))
    tensors = [value for value in flat if isinstance(value, torch.Tensor)]
    elsewhere = [value for value in tensors if isinstance(value, Elsewhere)]
    if function not in (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default):
        check_one_device(function, tensors)
    wanted = named.get("device")
    named = {**named, "device": CPU} if wanted is not None else named
    inner = tree_map(inner_of, (arguments, named))
    made = function(*inner[0], **inner[1])
    if wanted is not None:
        stays = torch.device(wanted).type == PRETEND.type
    elif function is torch.ops.aten.copy_.default:
        stays = isinstance(arguments[0], Elsewhere)
    else:
        stays = bool(elsewhere)
    if not stays:
        return made
    known = {id(value.inner): value for value in elsewhere}  # operations in place return themselves

    def moved(value):
        if not isinstance(value, torch.Tensor):
            return value
        # Of lazy conjugation the wrapper knows nothing.
        return known[id(value)] if id(value) in known else Elsewhere(value.resolve_conj())

    return tree_map(moved, made)


class _Made(TorchFunctionMode):
    """``torch.tensor(..., device=PRETEND)``, which is not dispatched: made here, then moved."""

    def __torch_function__(self, function, types, arguments=(), named=None):
        named = dict(named or {})
        wanted = named.get("device")
        made = function in (torch.tensor, torch.as_tensor) and wanted is not None
        if made and torch.device(wanted).type == PRETEND.type:
            return function(*arguments, **{**named, "device": CPU}).to(PRETEND)
        return function(*arguments, **named)


class Pretend(TorchDispatchMode):
    """While it is active, ``.to(PRETEND)`` and ``device=PRETEND`` work.

    ``seen`` counts the operations by name whose results were there.
    """

    def __init__(self):
        super().__init__()
        self.seen, self._made = Counter(), _Made()

    def __enter__(self):
        self._made.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self._made.__exit__(*error)

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        made = carried_out(function, arguments, named or {})
        name = function.overloadpacket.__name__
        if isinstance(made, Elsewhere):
            self.seen[name] += 1
        return made
