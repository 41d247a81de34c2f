"""Find flat patches of photos, which contain noise and little else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from wildsr.degradation.blur import separable_blur
from wildsr.error import UserError

Pixels = npt.NDArray[np.uint8]

CLIPPED = (0.01, 0.5)  # largest share of clipped (black or white) pixels; if there is none, the 2nd
BINS = 4  # of brightness, each with its own thresholds: sensor noise grows with brightness
MARGIN = 1.25  # times the noise of the calmest patches; above it is fine texture
RISE = 2.5  # times the calmest bin's noise; sensor noise does not rise so far, but grass does
STRUCTURE = 0.5  # largest ratio of content to noise; content above it would be learned as noise


class Photos(Protocol):
    """A sequence of photos, uint8 (H, W, 3): a list or a packed store."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Pixels: ...


@dataclass(frozen=True)
class Flat:
    """Flat patches of photos, with the thresholds by which they were found, in 1/255.

    Attributes:
        patches: uint8 (N, 3, side, side).
        content: the standard deviation of the blurred image within each, (N,).
        noise: the standard deviation of what the blur removes, (N,).
        windows: how many squares were examined.
        clipped: how many of them were left out as black or white.
        found: how many of them are flat and calm; if too many, patches are a random choice.
        photos: how many photos the patches come from.
        looked_at: how many photos were large enough to be examined.
        content_limit: the largest content that was accepted.
        noise_limit: the largest noise that was accepted.
        structured: whether no square was free of structure, so that the flattest was taken.
    """

    patches: Tensor
    content: Tensor
    noise: Tensor
    windows: int
    clipped: int
    found: int
    photos: int
    looked_at: int
    content_limit: float
    noise_limit: float
    structured: bool


def flat_patches(
    photos: Photos,
    side: int,
    flat: float,
    calm: float,
    most: int,
    generator: torch.Generator,
) -> Flat:
    """Find the flattest and least noisy squares of some photos, by quantiles.

    Each photo is divided into squares of ``side`` that overlap by half. Of the image x and its
    Gaussian blur b (of standard deviation ``side / 8``), a square's content is the standard
    deviation of b within it, its noise that of x - b, each over its three channels. White noise of
    level s has a content of only ``s / (2 sqrt(pi) side / 8)``.

    The squares are divided by brightness into four bins of equal size. Of each, those are kept
    whose

    - content is within the quantile ``flat``, and at most half of the bin's calm noise,
    - noise is at most 1.25 times the calm noise (the quantile ``calm`` of the bin's).

    A bin whose calm noise is more than 2.5 times that of the calmest bin holds texture and is left
    out. If nothing is left, the limit of half the noise is dropped (``structured``). Squares of
    which more than 1 % (50 % if there are no others) is black or white are left out, as noise is
    clipped there.

    Args:
        photos: uint8 (H, W, 3).
        side: of the squares in pixels.
        flat: in (0, 1].
        calm: in (0, 1].
        most: largest number of patches to return; if there are more, a random choice.
        generator: CPU generator of that choice.

    Raises:
        UserError: no photo is large enough, or all that there is is black or white.
    """
    large = [i for i in range(len(photos)) if min(photos[i].shape[:2]) >= side]
    if not large:
        raise UserError(
            f"Argument `data.lr` must hold a photo of at least {side}x{side} pixels to take noise "
            "from, but holds none; use a smaller `degradation.patch`."
        )
    found = [_statistics(photos[i], side) for i in large]
    where = torch.cat([torch.full((len(f),), i) for i, f in zip(large, found, strict=True)])
    top, left, content, noise, brightness, clipped = torch.cat(found).unbind(1)
    limit = next((c for c in CLIPPED if bool((clipped <= c).any())), 0.0)
    usable = (clipped <= limit).nonzero().flatten()
    if not len(usable):
        raise UserError(
            "Argument `data.lr` must hold photos that are not all black or white, or there is no "
            f"noise to be seen, but all of its {len(where)} squares are."
        )
    kept, structured = _calm(content[usable], noise[usable], brightness[usable], flat, calm)
    kept = usable[kept]
    chosen = kept[torch.randperm(len(kept), generator=generator)[:most]]
    chosen = chosen[content[chosen].argsort()]  # the flattest first
    corners = zip(*(x[chosen].int().tolist() for x in (where, top, left)), strict=True)
    patches = [photos[i][y : y + side, x : x + side] for i, y, x in corners]
    return Flat(
        torch.from_numpy(np.stack(patches)).permute(0, 3, 1, 2).contiguous(),
        content[chosen],
        noise[chosen],
        len(where),
        len(where) - len(usable),
        len(kept),
        len(where[chosen].unique()),
        len(large),
        float(content[kept].max()),
        float(noise[kept].max()),
        structured,
    )


def _calm(
    content: Tensor, noise: Tensor, brightness: Tensor, flat: float, calm: float
) -> tuple[Tensor, bool]:
    """Which squares are kept, (N,), and whether structure had to be let in."""
    bins = [part for part in brightness.argsort(stable=True).chunk(BINS) if len(part)]
    levels = [float(noise[part].quantile(calm)) for part in bins]
    for structure in (STRUCTURE, float("inf")):
        kept = [
            part[
                (content[part] <= content[part].quantile(flat))
                & (content[part] <= structure * level)
                & (noise[part] <= MARGIN * level)
            ]
            for part, level in zip(bins, levels, strict=True)
            if level <= RISE * min(levels)
        ]
        if any(len(part) for part in kept):
            break
    else:  # where it is flat it is rough, in each bin: the flattest of all
        kept = [content.argmin()[None]]
    return torch.cat(kept), structure != STRUCTURE


def _statistics(photo: Pixels, side: int) -> Tensor:
    """(N, 6): top, left, content, noise, brightness and share clipped of each square."""
    levels = torch.from_numpy(photo.astype(np.float32)).permute(2, 0, 1)[None]
    sigma = side / 8
    low = separable_blur(levels, torch.tensor([sigma]), 2 * round(3 * sigma) + 1)
    clipped = ((levels == 0) | (levels == 255)).any(1, keepdim=True)
    step = max(side // 2, 1)

    def mean(image: Tensor) -> Tensor:
        return F.avg_pool2d(image.double(), side, step)

    def deviation(image: Tensor) -> Tensor:
        variance = mean(image.double().square()) - mean(image).square()
        return variance.mean(1, keepdim=True).clamp_min(0).sqrt()

    values = [deviation(low), deviation(levels - low), mean(low).mean(1, True), mean(clipped)]
    rows, columns = values[0].shape[-2:]
    top, left = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    return torch.stack(
        [top.flatten() * step, left.flatten() * step, *map(torch.flatten, values)], 1
    )
