"""Distances between sets of results and of sharp images: FID, KID, sliced Wasserstein."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wildsr.error import first_line
from wildsr.metric import wasserstein
from wildsr.metric.kind import LOWER, Needs, Set, Setting, at_least
from wildsr.pixels import rounded

FILE = "weights-inception-2015-12-05-6726825d.pth"
SIDE, PATCHES, SEED = 128, 8, 0  # pixels of a patch, patches of an image, where they lie


def swd(setting: Setting) -> Set:
    """Sliced Wasserstein distance; see :func:`wildsr.metric.wasserstein.sliced_wasserstein`."""

    def describe(image: Tensor) -> Tensor:
        at_least(image, wasserstein.smallest_side(), "The sliced Wasserstein distance")
        return wasserstein.laplacian_patches(image)

    return Set(
        title="SWD",
        better=LOWER,
        unit="0.001 deviations",
        decimals=1,
        protocol={
            "patches": f"{wasserstein.PATCHES} of 7x7 an image and level, {wasserstein.LEVELS} "
            "levels of the Laplacian pyramid, mean of the levels",
            "scale": "the sharp images' mean and deviation",
            "directions": wasserstein.DIRECTIONS,
            "border": 0,
        },
        describe=describe,
        compare=lambda a, b: wasserstein.sliced_wasserstein(a, b).mean().item(),
    )


def fid(setting: Setting) -> Set:
    """Frechet Inception distance of patches; see :func:`frechet`."""
    return _inception_metric("FID", "", 2, "biased upwards for few patches", frechet)


def kid(setting: Setting) -> Set:
    """Kernel Inception distance of patches, times 1000; see :func:`kernel`."""
    return _inception_metric("KID", "0.001", 3, "cubic kernel, all patches, unbiased", kernel)


def frechet(ours: Tensor, sharp: Tensor) -> float:
    r"""Frechet distance of features (N, D) and (M, D).

    ``|m_1 - m_2|^2 + Tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))``.

    Heusel et al. 2017 (arXiv:1706.08500), eq. 6. With centred features as the rows of A, C = A^T A,
    and the trace of the root is the sum of the singular values of A_1 A_2^T, which is exact and
    fast (the root of a D x D matrix of rank N is neither). For sets smaller than D the value is
    large, and only comparable between sets of the same size.

    Returns:
        At least 0, 0 for equal sets; NaN for a single patch.
    """
    if min(len(ours), len(sharp)) < 2:
        return float("nan")
    x, y = ours.double(), sharp.double()
    a, b = (_root((z - z.mean(0)) / (len(z) - 1) ** 0.5) for z in (x, y))
    means = (x.mean(0) - y.mean(0)).square().sum()
    cross = torch.linalg.svdvals(a @ b.T).sum()
    value = means + a.square().sum() + b.square().sum() - 2 * cross
    return value.clamp_min(0).item()


def kernel(ours: Tensor, sharp: Tensor) -> float:
    """Squared maximum mean discrepancy of features (N, D) and (M, D), times 1000.

    Binkowski et al. 2018 (arXiv:1801.01401), eq. 4, with k(x, y) = (x . y / D + 1)^3, by
    torchmetrics; the larger set is cut to the size of the smaller. The estimate is unbiased: for
    two samples of one distribution it is near 0, possibly below; NaN for a single patch.
    """
    from torchmetrics.image.kid import poly_mmd

    count = min(len(ours), len(sharp))
    if count < 2:
        return float("nan")
    value: Tensor = poly_mmd(sharp[:count].double(), ours[:count].double())
    return 1000 * value.item()


class Inception:
    """Extracts features (8, 2048) of random patches by the FID authors' Inception network.

    The patches have 128 x 128 pixels, at positions drawn with a fixed seed; the network resizes
    them to 299 x 299.

    Args:
        network: (B, 3, H, W) in uint8 to (B, 2048).
    """

    def __init__(self, network: Any) -> None:
        self.network = network

    def __call__(self, image: Tensor) -> Tensor:
        """(1, 3, H, W) in [0, 1] -> (8, 2048).

        Raises:
            TooSmall: a side below 128 pixels.
        """
        at_least(image, SIDE, "FID")
        generator = torch.Generator().manual_seed(SEED)
        tops, lefts = (
            torch.randint(side - SIDE + 1, (PATCHES,), generator=generator).tolist()
            for side in image.shape[2:]
        )
        places = zip(tops, lefts, strict=True)
        patches = torch.cat([image[..., t : t + SIDE, s : s + SIDE] for t, s in places])
        features: Tensor = self.network.to(image.device)(rounded(patches).byte())
        return features.float().cpu()


def _inception_metric(title: str, unit: str, decimals: int, note: str, compare: Any) -> Set:
    describe, needs = _inception(_folder(), os.environ.get("WILDSR_DOWNLOAD") == "1")
    return Set(
        title=title,
        better=LOWER,
        unit=unit,
        decimals=decimals,
        protocol={
            "patches": f"{PATCHES} of {SIDE}x{SIDE} an image, resized to 299x299 as TensorFlow 1",
            "features": "pool3 of Inception v3 (2015-12-05), 2048",
            "note": note,
            "border": 0,
        },
        libraries=("torchmetrics", "torch-fidelity"),
        weights=(_folder() / FILE,),
        needs=needs,
        describe=describe,
        compare=compare,
    )


def _folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


@functools.lru_cache(maxsize=1)
def _inception(folder: Path, download: bool) -> tuple[Inception, Needs | None]:
    """The network, one for FID and KID, or what it needs."""
    file = folder / FILE
    absent = Inception(None)
    try:
        import torch_fidelity  # noqa: F401 (torchmetrics' network is built on it)
        from torchmetrics.image.fid import NoTrainInceptionV3
    except ImportError:
        return absent, Needs(
            "torch-fidelity", "FID and KID need torch-fidelity: pip install 'wildsr[fid]'."
        )
    if not file.is_file() and not download:
        return absent, Needs(
            FILE,
            f"FID and KID need {FILE} in {folder}, which is not there: download it from "
            "torch-fidelity's releases into that folder, or set WILDSR_DOWNLOAD=1 to let it be "
            "fetched.",
        )
    try:
        network = NoTrainInceptionV3(
            "inception-v3-compat", ["2048"], str(file) if file.is_file() else None
        )
    except Exception as error:  # torch, pickle and the network each have their own
        return absent, Needs(FILE, f"FID and KID cannot read {file}: {first_line(error)}.")
    return Inception(network), None


def _root(rows: Tensor) -> Tensor:
    """Rows with the same A^T A, no more of them than columns."""
    if rows.shape[0] <= rows.shape[1]:
        return rows
    return torch.linalg.qr(rows, mode="r").R
