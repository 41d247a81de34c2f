"""Measure colour fringes: how far the channels of photos lie beside each other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wildsr.calibration.simulate import Photo, SharpWindows
from wildsr.degradation.coding import Coding, coded_each
from wildsr.degradation.fringes import NONE, Fringes, places
from wildsr.network.degrader.physics import MARGIN, PRIOR, seen
from wildsr.pixels import in_unit

PIECE = 32  # LR pixels a side of the pieces whose spectra are compared
PIECES = 64  # of each photo, at most
BAND = (0.03, 0.22)  # cycles per LR pixel: finer ones are luma's alone behind JPEG
STEPS = 4  # of the iteration
SURE = 5.0  # standard errors that a displacement has at least
LEAST = 0.04  # LR pixels that it has at least, as it shows
# Standard deviation of what a photo without fringes shows, in LR pixels: right, down, outwards.
# Of a hundred photos of BSDS500, made smaller, it is 0.03 to 0.14 and 0.06 to 0.18.
SCENES = (0.08, 0.08, 0.17)
WINDOWS = 60  # crops of sharp photos that show how much of a displacement is seen
FAINTEST = 0.1  # least share of it that is seen
ALIKE = 0.5  # least share of the cross-spectrum in phase: channels show the same scene
FARTHEST = 1.5  # LR pixels that are looked for

Pieces = tuple[Tensor, Tensor]  # (n, C, side, side) and their places (n, 2) in the photo


def measure_fringes(
    lr: Sequence[Photo],
    codings: Sequence[Coding | None],
    hr: Sequence[Photo],
    scale: int,
    seed: int = 0,
) -> Fringes:
    """Find how far each channel lies beside the middle one, if scenes do not explain it.

    A displacement turns the phases of the cross-spectrum of two channels in proportion to the
    frequency (Kuglin & Hines 1975); it is fitted to low frequencies of many pieces, with a part
    that grows along the radius. Of what is displaced a lossy coding, which keeps colours at low
    frequencies only, lets less be seen: how much less is found with sharp photos that are
    displaced, made smaller and coded alike.

    Args:
        lr: photos (H, W, C), uint8 or floats in [0, 1].
        codings: their lossy codings; None for none.
        hr: sharp photos of any scenes.
        scale: HR pixels for each LR pixel.
        seed: of all random choices.
    """
    channels = lr[0].shape[2]
    random = np.random.default_rng(seed)
    large = [number for number, photo in enumerate(lr) if min(photo.shape[:2]) >= PIECE]
    if channels == 1 or not large:
        return NONE
    photos = [_pieces(lr[number], random) for number in large]
    shown = torch.stack([_sure(photos, channel) for channel in range(channels)])
    if not bool(shown.any()):
        return NONE
    for window in (2 * PIECE, PIECE):  # the smaller one of small photos
        windows = SharpWindows(hr, WINDOWS, scale, window, random)
        if len(windows):
            break
    else:
        return NONE
    spectra, own, found = windows.spectra, [codings[number] for number in large], shown
    for _ in range(STEPS):
        windows.spectra = spectra.clone()
        windows.displace(_fringes(found))
        made = _taken(windows, own, seed)
        sizes = found.square().sum(1)
        again = torch.stack([_displacement(made, channel)[0] for channel in range(channels)])
        share = (again * found).sum(1) / sizes.clamp(min=1e-9)  # of it that is seen
        found = (shown / share.clamp(min=FAINTEST)[:, None]).clamp(-FARTHEST, FARTHEST)
    return _fringes(found)


def _fringes(found: Tensor) -> Fringes:
    """Displacements (C, 3) right, down and outwards."""
    rows = [[round(value, 3) for value in row] for row in found.tolist()]
    return Fringes(tuple((x, y) for x, y, _ in rows), tuple(row[2] for row in rows))


def _pieces(photo: Photo, random: np.random.Generator) -> Pieces:
    """Some pieces of a photo, and where their centres are."""
    height, width = photo.shape[:2]
    tops, lefts = (range(0, side - PIECE + 1, PIECE // 2) for side in (height, width))
    corners = [(top, left) for top in tops for left in lefts]
    chosen = [corners[n] for n in random.permutation(len(corners))[:PIECES]]
    cut = np.stack([photo[y : y + PIECE, x : x + PIECE] for y, x in chosen])
    middle = torch.tensor([[x, y] for y, x in chosen]) + PIECE / 2
    where = (middle - torch.tensor([width, height]) / 2) / (math.hypot(height, width) / 2)
    return in_unit(torch.from_numpy(cut).permute(0, 3, 1, 2)), where


def _taken(windows: SharpWindows, codings: Sequence[Coding | None], seed: int) -> list[Pieces]:
    """Pieces of each window as the usual camera takes it, with one of the codings."""
    generator = torch.Generator().manual_seed(seed)
    count, camera = len(windows), PRIOR[None]
    found = []
    for number, place in enumerate(places(count)):
        clean = windows.blurred(torch.tensor([number]), camera)
        size = [clean.shape[1] + 1, *(side + 2 * MARGIN for side in clean.shape[2:])]
        noisy = seen(clean, camera, torch.randn([1, *size], generator=generator))
        coding = codings[number * len(codings) // count]
        coded = noisy.clamp(0, 1) if coding is None else coded_each(noisy, [coding], [(0, 0)])
        pieces = coded[0].unfold(1, PIECE, PIECE // 2).unfold(2, PIECE, PIECE // 2)
        pieces = pieces.permute(1, 2, 0, 3, 4).flatten(0, 1)
        found.append((pieces, place.expand(len(pieces), 2)))
    return found


def _sure(photos: Sequence[Pieces], channel: int) -> Tensor:
    """Displacement (3,) of a channel, without what scenes may show as well."""
    found, error = _displacement(photos, channel)
    scenes = torch.tensor(SCENES) / len(photos) ** 0.5
    large = found.abs() > torch.maximum(SURE * torch.maximum(error, scenes), torch.tensor(LEAST))
    large[:2] = large[:2].any()
    if bool(large.any()) and _in_phase(photos, channel, found) < ALIKE:
        return torch.zeros(3)
    return torch.where(large, found, 0.0)


def _in_phase(photos: Sequence[Pieces], channel: int, found: Tensor) -> float:
    """Share of the cross-spectra that is in phase once a displacement is taken out."""
    real, whole = 0.0, 1e-9
    for pieces, where in photos:
        spectra, frequencies = _cross_spectrum(pieces, channel, pieces.shape[1] // 2)
        moved = found[:2] + found[2] * where
        left = spectra * torch.exp(2j * math.pi * (moved @ frequencies.T))
        real, whole = real + float(left.real.sum()), whole + float(left.abs().sum())
    return real / whole


def _displacement(photos: Sequence[Pieces], channel: int) -> tuple[Tensor, Tensor]:
    """How far a channel lies beside the middle one, and its standard error over photos, (3,) each.

    Least squares by Newton's steps: what is found is taken out of the cross-spectra, whose rest is
    fitted again.
    """
    found = torch.zeros(3)
    middle = photos[0][0].shape[1] // 2
    if channel == middle:
        return found, found
    crossed = [(*_cross_spectrum(pieces, channel, middle), at) for pieces, at in photos]
    for _ in range(STEPS):
        systems = [_system(spectra, waves, at, found) for spectra, waves, at in crossed]
        matrix = torch.stack([m for m, _ in systems]).sum(0)
        matrix = matrix + 1e-6 * torch.eye(3) * (1 + matrix.diagonal().mean())
        step = torch.linalg.solve(matrix, torch.stack([v for _, v in systems]).sum(0))
        found = (found + step).clamp(-FARTHEST, FARTHEST)
    rest = torch.stack([v - m @ step for m, v in systems])
    inverse = torch.linalg.inv(matrix)
    return found, (inverse @ (rest.T @ rest) @ inverse).diagonal().clamp(min=0).sqrt()


def _cross_spectrum(pieces: Tensor, channel: int, other: int) -> tuple[Tensor, Tensor]:
    """Cross-spectrum (n, F) of two channels at low frequencies (F, 2), x then y, in cycles.

    Pieces of little contrast count less, those of much not more than in proportion to it.
    """
    hann = torch.hann_window(PIECE, periodic=False)
    both = pieces[:, [channel, other]]
    waves = torch.fft.rfft2((both - both.mean((2, 3), keepdim=True)) * hann * hann[:, None])
    y, x = torch.fft.fftfreq(PIECE)[:, None], torch.fft.rfftfreq(PIECE)[None]
    radius = (x.square() + y.square()).sqrt()
    inside = (radius > BAND[0]) & (radius < BAND[1])
    frequencies = torch.stack([x.expand_as(radius)[inside], y.expand_as(radius)[inside]], 1)
    one, two = waves[:, 0, inside], waves[:, 1, inside]
    power = one.abs().square().sum(1) * two.abs().square().sum(1)
    return one * two.conj() / (power**0.25 + 1e-9)[:, None], frequencies


def _system(
    spectra: Tensor, frequencies: Tensor, where: Tensor, found: Tensor
) -> tuple[Tensor, Tensor]:
    """Normal equations (3, 3), (3,) of what is displaced beyond ``found``, of one photo."""
    moved = found[:2] + found[2] * where
    angles = 2 * math.pi * moved @ frequencies.T
    left = spectra * torch.exp(1j * angles)
    slope = -2 * math.pi * left.real.clamp(min=0)
    along = where @ frequencies.T
    terms = torch.stack([slope * frequencies[:, 0], slope * frequencies[:, 1], slope * along], -1)
    weight = 1 / (left.abs() + 1e-9)
    weighted = terms * weight[..., None]
    matrix = torch.einsum("nfi,nfj->ij", weighted, terms)
    return matrix, torch.einsum("nfi,nf->i", weighted, left.imag)
