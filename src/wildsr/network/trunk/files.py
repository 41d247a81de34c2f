"""Published weights files of classifiers: find them, say what is missing, keep them frozen."""

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
from wildsr.network.trunk import shift_tolerant

# torchvision's names, and those of ST-LPIPS.
TRUNKS = ("vgg19", "vgg16", "alexnet", "squeezenet1_1", *shift_tolerant.TRUNKS)

Module = TypeVar("Module", bound=nn.Module)


class MissingWeights(UserError):  # noqa: N818 (it is what is said to a user)
    """Weights that a computation needs are not on this machine."""


def missing_trunk(trunk: str) -> str | None:
    """Say which weights file is missing and how to get it; None if it is on disk.

    Nothing is downloaded.

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
    """Within the block, turn errors of reading the trunk's file into one clear sentence.

    Also for errors that other libraries raise while they read it.

    Raises:
        MissingWeights: the file is absent and WILDSR_DOWNLOAD is not 1, or it could not be
            downloaded or read.
        UserError: an unknown trunk.
    """
    missing = missing_trunk(trunk)
    if missing and (trunk in shift_tolerant.TRUNKS or not may_download()):
        raise MissingWeights(missing)
    try:
        with torch.inference_mode(False):  # no gradient could flow through inference tensors
            yield
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise MissingWeights(
            missing
            or f"The trunk {trunk} cannot be read from {trunk_file(trunk)}; remove it and get it "
            f"again {_again(trunk)}."
        ) from error


def may_download() -> bool:
    """Whether the user allows downloads: WILDSR_DOWNLOAD=1 in the environment."""
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
    """Holds a frozen network without registering its parameters in the loss that owns it.

    It is not an ``nn.Module``, so its parameters are neither trained, moved nor saved with the
    loss. One copy for each device and precision is made on first use; copies are never moved,
    because an autograd graph may still need them.
    """

    def __init__(self, network: Module) -> None:
        self.original = network.eval().requires_grad_(False)
        self._copies: dict[tuple[torch.device, torch.dtype], Module] = {}
        tensor = next(self.original.parameters())
        self._copies[tensor.device, tensor.dtype] = self.original

    def on(self, x: Tensor) -> Module:
        """The network on the device and in the dtype of ``x`` (any shape)."""
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
    """``sha256`` and the first 16 digits of a file's SHA-256; cached until the file changes.

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
