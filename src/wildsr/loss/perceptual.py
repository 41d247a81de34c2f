"""Learned perceptual distance, from weights that are already on this machine."""

from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from wildsr.error import UserError, unknown
from wildsr.loss.pixel import comparable

# The trunk, torchvision's name of its weights, and the shortest side that leaves a pixel after its
# poolings.
TRUNKS = {
    "alex": ("AlexNet_Weights", 31),
    "vgg": ("VGG16_Weights", 16),
    "squeeze": ("SqueezeNet1_1_Weights", 17),
}


class MissingWeights(UserError):  # noqa: N818 (it is what is said to a user)
    """Weights that a computation needs are not on this machine."""


def _address(net: str) -> str:
    from torchvision import models  # slow to import

    if net not in TRUNKS:
        raise unknown("Argument `net`", net, TRUNKS)
    address: str = getattr(models, TRUNKS[net][0]).IMAGENET1K_V1.url
    return address


def _file(net: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(_address(net)).name


def missing_weights(net: str) -> str | None:
    """What is missing for LPIPS on this trunk, and how to get it; None if its weights are on disk.

    Looks at the disk only. (LPIPS' own linear layers come with the package.)

    Raises:
        UserError: an unknown trunk.
    """
    file = _file(net)
    if file.is_file():
        return None
    return (
        f"LPIPS ({net}) needs {file.name} in {file.parent}, which is not there: download "
        f"{_address(net)} into that folder, or set WILDSR_DOWNLOAD=1 to let it be fetched."
    )


def load_lpips(net: str = "alex") -> nn.Module:
    """The network of LPIPS version 0.1, frozen and in evaluation mode.

    Raises:
        MissingWeights: the trunk's file is absent, or cannot be read. The network is only asked
            for it if the environment says WILDSR_DOWNLOAD=1.
        UserError: an unknown trunk.
    """
    missing = missing_weights(net)
    if missing and os.environ.get("WILDSR_DOWNLOAD") != "1":
        raise MissingWeights(missing)
    import lpips  # slow to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips asks torchvision in its older words
            network: nn.Module = lpips.LPIPS(net=net, verbose=False)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise MissingWeights(
            missing
            or f"LPIPS ({net}) cannot read {_file(net)}; remove it and get it again "
            f"from {_address(net)}."
        ) from error
    return network.eval().requires_grad_(False)


def lpips_distance(network: nn.Module, prediction: Tensor, target: Tensor) -> Tensor:
    """The distance of each pair by a network of :func:`load_lpips`, (B,), in float32.

    Args:
        network: of one trunk, on the images' device.
        prediction: (B, 3, H, W), or (B, 1, H, W) for gray; [0, 1].
        target: the same shape.

    Raises:
        UserError: two shapes; neither 1 nor 3 channels.
    """
    prediction, target = comparable(prediction, target)
    if prediction.ndim != 4 or prediction.shape[1] not in (1, 3):
        raise UserError(
            "Argument `prediction` must be (B, 3, H, W) or (B, 1, H, W) for LPIPS, "
            f"but got {tuple(prediction.shape)}."
        )
    pair = [x.expand(-1, 3, -1, -1).float() * 2 - 1 for x in (prediction, target)]
    with torch.autocast(prediction.device.type, enabled=False):
        distance: Tensor = network(*pair)
    return distance.flatten()


class LPIPS(nn.Module):
    """Learned perceptual image patch similarity, version 0.1.

    Zhang et al. 2018 (arXiv:1801.03924), eq. 1. The mean over the batch of the weighted squared
    distance between unit-normalised features, by the ``lpips`` package, in float32. Its network is
    no part of this module as far as parameters, state dicts and modes are concerned: it stays
    frozen and in evaluation mode, in nobody's checkpoint, and follows the images from device to
    device.

    Args:
        net: "alex" (what papers report), "vgg" (what papers train with) or "squeeze".

    Raises:
        MissingWeights: the trunk's weights are not on disk; see :func:`load_lpips`.
        UserError: an unknown trunk; images too small for it.
    """

    def __init__(self, net: str = "alex") -> None:
        super().__init__()
        self.net = net
        self._held = (load_lpips(net),)  # in a tuple, modules are not registered

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """A scalar, 0 for equal images; (B, 3, H, W) or (B, 1, H, W), [0, 1], one shape."""
        (network,) = self._held
        if next(network.parameters()).device != prediction.device:
            with torch.inference_mode(False):  # weights moved inside could never be trained through
                network.to(prediction.device)
        smallest = TRUNKS[self.net][1]
        if min(prediction.shape[-2:]) < smallest:
            raise UserError(
                f"Argument `prediction` must have sides of at least {smallest} pixels for LPIPS "
                f"({self.net}), but got {tuple(prediction.shape)}."
            )
        return lpips_distance(network, prediction, target).mean()
