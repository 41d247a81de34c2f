"""The shift-tolerant AlexNet and VGG16 of ST-LPIPS, read from the files of its wheel.

Ghildyal and Liu 2022 (ECCV, arXiv:2207.13686) make LPIPS insensitive to imperceptible shifts: each
strided layer becomes one without stride, followed by blur pooling (Zhang 2019, arXiv:1904.11486).
The wheel ``stlpips-pytorch`` holds the trained trunks and heads. Only its two weights files are
read; its code, which imports packages that it does not declare, is never run.
"""

from __future__ import annotations

import hashlib
import sysconfig
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PACKAGE = "stlpips-pytorch"
VERSION = "ST0.0"  # of the weights


@dataclass(frozen=True)
class Published:
    """A weights file of the wheel.

    Args:
        file: its name.
        sha256: of its bytes.
        heads: the layers that have a head (LPIPS weights), from the first on.
        deviations: the standard deviation of each convolution's output, over all channels and
            positions on four photos of scikit-image (tests/loss/test_st_lpips.py).
    """

    file: str
    sha256: str
    heads: tuple[str, ...]
    deviations: tuple[float, ...]


TRUNKS = {
    "vgg16_shift_tolerant": Published(
        "vgg_shift_tolerant.pth",
        "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
        ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3"),
        (0.159, 0.211, 0.162, 0.225, 0.109, 0.182, 0.38, 0.22, 1.19, 5.48, 3.77, 17.3, 72.8),
    ),
    "alexnet_shift_tolerant": Published(
        "alex_shift_tolerant.pth",
        "b356b382f96010f77d085ee8343ecd9fd322d0a56e8de2b2d0549fafcad8b9ee",
        ("relu1", "relu2", "relu3", "relu4", "relu5"),
        (0.536, 1.35, 0.552, 0.132, 0.0426),
    ),
}


class BlurPool(nn.Module):
    """Blur pooling: [1, 2, 1] / 4 in both directions, then subsampling by 2.

    Borders are mirrored by two pixels, so that H becomes (H + 1) // 2 + 1, and W likewise. Both
    must be at least 3.
    """

    kernel_size, stride, padding = 3, 2, 2

    def forward(self, x: Tensor) -> Tensor:
        """Pool (B, C, H, W) to about half the sides, each channel separately."""
        taps = x.new_tensor([1.0, 2.0, 1.0]) / 4
        kernel = torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3)
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])


class MaxBlurPool(nn.Sequential):
    """Maximum over a window at stride 1, then :class:`BlurPool`.

    Args:
        window: side in pixels.
    """

    def __init__(self, window: int) -> None:
        super().__init__(nn.MaxPool2d(window, stride=1), BlurPool())


def features(trunk: str) -> nn.Sequential:
    """Build the layers of a trunk up to its last head, with random weights."""
    layers: list[nn.Module] = []
    if trunk == "alexnet_shift_tolerant":
        layers += [nn.Conv2d(3, 64, 11, padding=2), BlurPool(), nn.ReLU(), MaxBlurPool(3)]
        layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), MaxBlurPool(3)]
        for before, after in ((192, 384), (384, 256), (256, 256)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
        return nn.Sequential(*layers)
    before = 3
    for block, (count, after) in enumerate(((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))):
        layers += [MaxBlurPool(2)] if block else []
        for _ in range(count):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
            before = after
    return nn.Sequential(*layers)


def path(trunk: str) -> Path:
    """The path where pip installs the file of a trunk, whether it is there or not."""
    inside = Path("stlpips_pytorch", "weights", f"v{VERSION}", TRUNKS[trunk].file)
    try:
        return Path(str(distribution(PACKAGE).locate_file(inside)))
    except PackageNotFoundError:
        return Path(sysconfig.get_path("purelib"), inside)


def load(trunk: str) -> tuple[nn.Sequential, list[Tensor]]:
    """Load a trunk and the weights (1, C, 1, 1) of its heads.

    ST-LPIPS normalises features, so their magnitudes are arbitrary: as published, the last ones are
    500 times as large as the first. Here every convolution's output is divided by its standard
    deviation on photos, as Gatys et al. 2016 do with VGG. Directions stay as they are, and losses
    that compare the features themselves weigh the layers equally.

    Raises:
        OSError: no such file.
        RuntimeError: its SHA-256 is not that of the file of this version.
    """
    known, file = TRUNKS[trunk], path(trunk)
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != known.sha256:
            raise RuntimeError(f"{file} is not the published file")
    state = torch.load(file, map_location="cpu", weights_only=True)
    # The trunk's tensors are in the network's order; ".filt" entries are constants.
    network = [v for k, v in state.items() if k.startswith("net.") and not k.endswith(".filt")]
    with torch.device("meta"):
        made = features(trunk)
    made.load_state_dict(dict(zip(made.state_dict(), network, strict=True)), assign=True)
    before, convolutions = 1.0, (m for m in made if isinstance(m, nn.Conv2d))
    with torch.no_grad():  # ReLU and pooling commute with a positive factor
        for convolution, after in zip(convolutions, known.deviations, strict=True):
            convolution.weight.mul_(before / after)
            assert convolution.bias is not None
            convolution.bias.div_(after)
            before = after
    return made, [state[f"lin{i}.model.1.weight"] for i in range(len(known.heads))]
