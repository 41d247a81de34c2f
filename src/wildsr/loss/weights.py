"""Published weights: find them, explain what is missing, hold them frozen."""

from __future__ import annotations

import copy
import functools
import hashlib
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from wildsr.error import UserError, unknown
from wildsr.loss import shift_tolerant

# torchvision's names, and those of ST-LPIPS.
TRUNKS = ("vgg19", "vgg16", "alexnet", "squeezenet1_1", *shift_tolerant.TRUNKS)

Module = TypeVar("Module", bound=nn.Module)


class MissingWeights(UserError):  # noqa: N818 (it is what is said to a user)
    """Weights that a computation needs are not on this machine."""


def missing_trunk(trunk: str) -> str | None:
    """Say which weights file is missing and how to get it; None if it is on disk.

    Looks at the disk only.

    Args:
        trunk: one of :data:`TRUNKS`.

    Raises:
        UserError: an unknown trunk.
    """
    file = trunk_file(trunk)
    if file.is_file():
        return None
    if trunk in shift_tolerant.TRUNKS:
        return (
            f"The trunk {trunk} needs {file.name} in {file.parent}, which is not there: "
            f"pip install {shift_tolerant.PACKAGE}."
        )
    return (
        f"The trunk {trunk} needs {file.name} in {file.parent}, which is not there: download "
        f"{_address(trunk)} into that folder, or set WILDSR_DOWNLOAD=1 to let it be fetched."
    )


@contextmanager
def reading(trunk: str) -> Iterator[None]:
    """Turn errors of reading the trunk's file, also by another library, into one sentence.

    Raises:
        MissingWeights: the file is absent and the environment does not say WILDSR_DOWNLOAD=1, or
            it could not be fetched or read.
        UserError: an unknown trunk.
    """
    missing = missing_trunk(trunk)
    if missing and (trunk in shift_tolerant.TRUNKS or not may_download()):
        raise MissingWeights(missing)
    try:
        with torch.inference_mode(False):  # weights read inside could never be trained through
            yield
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise MissingWeights(
            missing
            or f"The trunk {trunk} cannot be read from {trunk_file(trunk)}; remove it and get it "
            f"again {_again(trunk)}."
        ) from error


def may_download() -> bool:
    """Whether downloads are allowed: WILDSR_DOWNLOAD=1."""
    return os.environ.get("WILDSR_DOWNLOAD") == "1"


def load_trunk(trunk: str) -> nn.Sequential:
    """Load the convolutional part of a torchvision or ST-LPIPS classifier, as published.

    Raises:
        MissingWeights: see :func:`reading`.
        UserError: an unknown trunk.
    """
    with reading(trunk):
        if trunk in shift_tolerant.TRUNKS:
            return shift_tolerant.load(trunk)[0]
        from torchvision import models

        weights = models.get_model_weights(trunk).IMAGENET1K_V1
        state = weights.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )
        with torch.device("meta"):  # VGG's unused classifier alone is half a gigabyte
            features: nn.Sequential = models.get_model(trunk, weights=None).features
        prefix = "features."
        kept = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
        features.load_state_dict(kept, assign=True)
    return features


class Frozen(Generic[Module]):
    """Holds a frozen network outside of parameters, modes and checkpoints.

    Not a module itself, so the losses that own one do not register its parameters. It follows the
    images: there is one copy for every device and precision met, made at the first use, and none
    is ever moved, because a graph may still need it where it is.
    """

    def __init__(self, network: Module) -> None:
        self.original = network.eval().requires_grad_(False)
        self._copies: dict[tuple[torch.device, torch.dtype], Module] = {}
        tensor = next(self.original.parameters())
        self._copies[tensor.device, tensor.dtype] = self.original

    def on(self, x: Tensor) -> Module:
        """The network on the device and in the precision of ``x``."""
        key = x.device, x.dtype
        if key not in self._copies:
            with torch.inference_mode(False):
                self._copies[key] = copy.deepcopy(self.original).to(*key)
        return self._copies[key]


def _again(trunk: str) -> str:
    if trunk in shift_tolerant.TRUNKS:
        return f"by pip install --force-reinstall --no-deps {shift_tolerant.PACKAGE}"
    return f"from {_address(trunk)}"


def _address(trunk: str) -> str:
    from torchvision import models  # slow to import

    address: str = models.get_model_weights(trunk).IMAGENET1K_V1.url
    return address


def fingerprint(file: Path) -> str:
    """``sha256`` and the first 16 digits of a file's SHA-256; computed again where it has changed.

    Raises:
        OSError: the file is not there.
    """
    return _fingerprint(file, file.stat().st_mtime)


@functools.cache
def _fingerprint(file: Path, changed: float) -> str:
    with file.open("rb") as opened:
        return f"sha256 {hashlib.file_digest(opened, 'sha256').hexdigest()[:16]}"


def trunk_file(trunk: str) -> Path:
    """The path where torch or pip puts the trunk's file, whether it is there or not.

    Raises:
        UserError: an unknown trunk.
    """
    if trunk not in TRUNKS:
        raise unknown("Argument `trunk`", trunk, TRUNKS)
    if trunk in shift_tolerant.TRUNKS:
        return shift_tolerant.path(trunk)
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_address(trunk)).name
