"""The architectures that a weights file may name, with the allowed range of every argument.

This is a closed table for safety: what a file says is compared with it and nothing else is looked
up, so that opening weights from the web calls only the constructors below, with plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from wildsr.error import UserError, first_line
from wildsr.network.size_limit import size_limit
from wildsr.network.translator import Translator
from wildsr.network.upscaler.compact import ACTIVATIONS, Compact
from wildsr.network.upscaler.dat import DATLight
from wildsr.network.upscaler.dbpn import DBPN
from wildsr.network.upscaler.edsr import EDSR
from wildsr.network.upscaler.fdat import FDAT, UPSAMPLERS
from wildsr.network.upscaler.lapsrn import LapSRN
from wildsr.network.upscaler.omnisr import OmniSR
from wildsr.network.upscaler.realplksr import RealPLKSR
from wildsr.network.upscaler.rrdb import RRDBNet
from wildsr.network.upscaler.span import SPAN
from wildsr.network.upscaler.srcnn import SRCNN
from wildsr.network.upscaler.srresnet import SRResNet
from wildsr.network.upscaler.swinir import SwinIRLight
from wildsr.network.upscaler.vdsr import VDSR
from wildsr.network.weights import fill

TARGET = "_target_"


@dataclass(frozen=True)
class Whole:
    """Accepts an integer from ``least`` to ``most``."""

    most: int
    least: int = 1

    def __str__(self) -> str:
        return f"an integer of {self.least} to {self.most}"

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is such an integer."""
        right = isinstance(value, int) and not isinstance(value, bool)
        return right and self.least <= value <= self.most


@dataclass(frozen=True)
class Wholes:
    """Accepts a list of ``count`` integers, each allowed by ``each``."""

    count: int
    each: Whole

    def __str__(self) -> str:
        return f"{self.count} integers of {self.each.least} to {self.each.most}"

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is such a list."""
        right = isinstance(value, list) and len(value) == self.count
        return right and all(map(self.each.holds, value))


@dataclass(frozen=True)
class Share:
    """Accepts a number from 0 to 1."""

    def __str__(self) -> str:
        return "a number from 0 to 1"

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is such a number."""
        right = isinstance(value, int | float) and not isinstance(value, bool)
        return right and 0 <= value <= 1


@dataclass(frozen=True)
class Truth:
    """Accepts true and false."""

    def __str__(self) -> str:
        return "true or false"

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is one of the two."""
        return isinstance(value, bool)


@dataclass(frozen=True)
class Factor:
    """Accepts a number above 0, up to ``most``."""

    most: float

    def __str__(self) -> str:
        return f"a number above 0, up to {self.most:g}"

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is such a number."""
        right = isinstance(value, int | float) and not isinstance(value, bool)
        return right and 0 < value <= self.most


@dataclass(frozen=True)
class OneOf:
    """Accepts one of some words or numbers."""

    choices: tuple[str | int, ...]

    def __str__(self) -> str:
        return f"one of {list(self.choices)}"

    def holds(self, value: Any) -> bool:
        """Whether ``value`` is one of them."""
        right = isinstance(value, str | int) and not isinstance(value, bool)
        return right and value in self.choices


Rule = Whole | Wholes | Share | Truth | Factor | OneOf
SCALE, FEATURES, BLOCKS = OneOf((1, 2, 3, 4, 8)), Whole(1024), Whole(256)
CHANNELS = Whole(1024)
_TABLE: dict[type[nn.Module], dict[str, Rule]] = {
    Compact: {
        "features": FEATURES,
        "convolutions": BLOCKS,
        "activation": OneOf(tuple(ACTIVATIONS)),
    },
    DATLight: {
        "features": FEATURES,
        "blocks": BLOCKS,
        "heads": Whole(64),
        "split": Wholes(2, Whole(64)),
        "expansion": Whole(16),
        "drop_path": Share(),
        "channels": CHANNELS,
    },
    DBPN: {"features": FEATURES, "initial_features": FEATURES, "stages": Whole(32)},
    EDSR: {"features": FEATURES, "blocks": BLOCKS, "residual_scale": Share()},
    FDAT: {
        "features": Whole(255),
        "groups": Whole(32),
        "depth": Whole(32),
        "heads": Whole(64),
        "expansion": Factor(16),
        "drop_path": Share(),
        "upsampler": OneOf(UPSAMPLERS),
        "channels": CHANNELS,
    },
    LapSRN: {"features": FEATURES, "depth": BLOCKS},
    OmniSR: {
        "features": FEATURES,
        "groups": Whole(32),
        "blocks": Whole(32),
        "channels": CHANNELS,
    },
    RealPLKSR: {
        "features": FEATURES,
        "blocks": BLOCKS,
        "kernel": Whole(63),
        "attention": Truth(),
        "layer_norm": Truth(),
    },
    RRDBNet: {"features": FEATURES, "blocks": BLOCKS, "growth": FEATURES},
    SPAN: {"features": FEATURES, "channels": CHANNELS},
    SRCNN: {"kernels": Wholes(3, Whole(31)), "features": Wholes(2, FEATURES)},
    SRResNet: {"features": FEATURES, "blocks": BLOCKS},
    SwinIRLight: {
        "features": FEATURES,
        "groups": Whole(32),
        "blocks": Whole(32),
        "heads": Whole(64),
        "drop_path": Share(),
        "image_size": Whole(512),
    },
    VDSR: {"features": FEATURES, "depth": BLOCKS},
    Translator: {"features": FEATURES, "blocks": BLOCKS, "noise_channels": Whole(256, 0)},
}
ARCHITECTURES = {f"{made.__module__}.{made.__name__}": made for made in _TABLE}


@dataclass(frozen=True)
class Architecture:
    """An upscaler architecture with its arguments, as a weights file describes it.

    Attributes:
        node: ``_target_`` and the arguments, as in a configuration.
        scale: HR size / LR size; 1 for a network that keeps the size.
    """

    node: dict[str, Any]
    scale: int

    @classmethod
    def of(cls, described: Any, what: str) -> Architecture:
        """Parse ``{"network": {"_target_": NAME, ...}, "scale": ...}``, the description in a file.

        Args:
            described: the description.
            what: the file, as errors call it.

        Raises:
            UserError: it is malformed, names another architecture, or has arguments out of bounds.
        """
        node = described.get("network") if isinstance(described, Mapping) else None
        if not isinstance(node, Mapping) or not isinstance(node.get(TARGET), str):
            raise UserError(f"{what} is damaged: its description names no architecture.")
        made = ARCHITECTURES.get(node[TARGET])
        if made is None:
            raise UserError(
                f"{what} names the architecture {node[TARGET][:100]!r}, which is not ours."
            )
        scaled = made is not Translator
        rules = {**({"scale": SCALE} if scaled else {}), "channels": CHANNELS, **_TABLE[made]}
        for name, value in node.items():
            if name == TARGET:
                continue
            if name not in rules:
                raise UserError(f"{what} is refused: {made.__name__} takes no `{name[:80]}`.")
            if not rules[name].holds(value):
                raise UserError(
                    f"{what} is refused: `{name}` of {made.__name__} must be {rules[name]}, "
                    f"but is {repr(value)[:80]}."
                )
        scale = node.get("scale") if scaled else 1
        if scale is None or described.get("scale") != scale:
            raise UserError(f"{what} is damaged: its `scale` is not that of its network.")
        return cls(dict(node), int(scale))

    def build(self, weights: Mapping[str, Tensor], what: str) -> nn.Module:
        """Construct the network and load its weights.

        Files that describe a network far larger than their weights are refused before memory is
        taken.

        Args:
            weights: the state dict, tensors by name in the architecture's own shapes.
            what: the file, as errors call it.

        Raises:
            UserError: the weights are of another architecture, or the arguments do not fit
                together.
        """
        made = ARCHITECTURES[self.node[TARGET]]
        arguments = {name: value for name, value in self.node.items() if name != TARGET}
        try:
            with size_limit(weights.values(), what):
                network = made(**arguments)
        except UserError:
            raise
        except (ValueError, TypeError, RuntimeError, MemoryError) as error:
            raise UserError(f"{what} is refused: {first_line(error)}.") from error
        fill(network, weights, what)
        return network
