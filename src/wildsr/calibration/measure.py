"""Measure the camera of a folder's photos: lossy codings first, then camera parameters."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildsr.calibration.calibrate import Calibration, calibrate
from wildsr.calibration.channels import channel_blurs
from wildsr.calibration.defects import measure_defects, without_defects
from wildsr.calibration.doubt import GRAY
from wildsr.calibration.fringes import measure_fringes
from wildsr.calibration.simulate import Photo
from wildsr.calibration.webp import COLOURS
from wildsr.degradation.coding import Coding, JPEGCoding, WebPCoding
from wildsr.degradation.defects import SOUND, Defects
from wildsr.degradation.fringes import NONE, Fringes
from wildsr.error import UserError
from wildsr.forensics.coding import PIXELS, WEBP, filled
from wildsr.forensics.coding import Coding as Seen
from wildsr.forensics.folder import Codings
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import HIGHEST, physical
from wildsr.network.degrader.stored import SUBSAMPLINGS
from wildsr.network.degrader.words import blurs_sentence, sentence
from wildsr.pixels import in_unit, luma, rounded

ALIKE = 1.5  # 255ths; mean difference of the channels of a photo up to which it is gray
MOST = 100  # LR photos that are used, evenly spaced in the folder
MOST_SHARP = 200  # sharp photos that are used


@dataclass(frozen=True)
class Measured:
    """The camera measured on a folder.

    Attributes:
        codings: of the photos that were used.
        calibration: the cameras; None if the photos are too small to measure any.
        reason: why there is none.
        names: of the photos that were looked at.
        blurs: of each channel beside the common one, where it was asked for and could be measured.
        shared: why it could not.
        defects: impulses and stripes, in photos without a lossy coding.
        fringes: displacements of the channels.
    """

    codings: Codings
    calibration: Calibration | None
    reason: str | None
    names: tuple[str, ...]
    blurs: Tensor | None = None
    shared: str | None = None
    defects: Defects = SOUND
    fringes: Fringes = NONE

    def sentence(self, scale: int) -> str:
        """Describe the measured camera in one sentence."""
        if self.calibration is None:
            return f"{self.codings}; no camera was measured ({self.reason}): the usual one is taken"
        groups = self.calibration.groups
        total = sum(map(len, self.calibration.members))
        words = []
        for group, members in zip(groups, self.calibration.members, strict=True):
            said = sentence(physical(group.solution.camera, scale))
            if not group.solution.by_all:
                said += " (as luma shows it: no camera explains the noise of the colours)"
            if group.doubt > 0:
                said += (
                    f" (doubtful: {group.doubt:.0%} of the pictures are taken with milder blurs)"
                )
            if 0 < group.bicubic < 1:
                said += f" (or bicubic: {group.bicubic:.0%} of the pictures are taken so)"
            words.append(said if len(groups) == 1 else f"{len(members)} of {total} photos: {said}")
        cameras = "" if len(groups) == 1 else f"{len(groups)} cameras, "
        flaws = "".join(f"; {one}" for one in (self.defects, self.fringes) if one)
        found = f"found in {self.calibration.seconds:.0f} s, then frozen"
        widths = ""
        if self.blurs is not None:
            widths = f"; {blurs_sentence(self.blurs)}"
        elif self.shared is not None:
            widths = f"; one blur for all channels ({self.shared})"
        return f"{self.codings}; {cameras}{'; '.join(words)}{flaws}{widths}; {found}"


def measured(
    names: Sequence[str],
    photos: Sequence[Photo],
    seen: Sequence[Seen],
    sharp: Sequence[Photo],
    scale: int,
    seed: int,
    by_channel: bool = False,
) -> Measured:
    """Measure the cameras of photos whose codings are known.

    Deterministic: the same arguments give the same result, in every process. The camera of photos
    that are gray, in files of colour, is measured on gray versions of all: coloured sharp photos
    would be compared with what has no colours.

    Args:
        names: of the LR photos.
        photos: the LR photos (H, W, 3), uint8, or a crop of each.
        seen: their codings.
        sharp: HR photos of any scenes.
        scale: HR pixels for each LR pixel.
        seed: of all draws.
        by_channel: whether the blur of each channel is measured, too.
    """
    codings, reason, found = [as_coding(one) for one in seen], None, None
    blurs, shared, defects = None, None, SOUND
    begun = time.process_time()
    if all(coding is None for coding in codings):  # a coding smears them
        defects = measure_defects(photos, sharp, scale)
        photos = [without_defects(photo, defects) for photo in photos]
    colours = photos[0].shape[2]
    if colours == COLOURS and 2 * sum(map(_is_gray, photos)) > len(photos):
        photos, sharp = ([_as_gray(photo) for photo in side] for side in (photos, sharp))
    fringes = measure_fringes(photos, codings, sharp, scale, seed)
    before = time.process_time() - begun
    with torch.random.fork_rng():
        try:
            found = calibrate(photos, codings, sharp, scale, seed, fringes)
            found.seconds += before
            if photos[0].shape[2] < colours:  # all of their noise is the same in all channels
                for group in found.groups:
                    group.cameras[:, GRAY] = group.solution.camera[GRAY] = HIGHEST[GRAY]
        except UserError as error:
            reason = str(error).rstrip(".")
        if by_channel and found is not None:
            try:
                blurs = channel_blurs(photos, found.codings, sharp, scale, seed)
            except UserError as error:
                shared = str(error).rstrip(".")
    if found is not None:
        seen = [_behind(*one) for one in zip(seen, found.codings, strict=True)]
    by = (blurs, shared, defects, fringes)
    return Measured(Codings.of(seen), found, reason, tuple(names), *by)


def _is_gray(photo: Photo) -> bool:
    """Whether an RGB photo has no colours, but for the errors of coding."""
    values = in_unit(torch.from_numpy(photo.copy()))
    return 255 * float((values.amax(2) - values.amin(2)).mean()) < ALIKE


def _as_gray(photo: Photo) -> Photo:
    """The luma, (H, W, 1), of the same type."""
    gray = luma(in_unit(torch.from_numpy(photo.copy())).permute(2, 0, 1)).permute(1, 2, 0)
    made: Photo = (rounded(gray).byte() if photo.dtype == np.uint8 else gray).numpy()
    return made


def take_over(camera: MeasuredCamera, measured: Measured, seed: int) -> None:
    """Store a measured camera in a degrader; without a calibration only its codings."""
    if measured.calibration is not None:
        calibration = measured.calibration
        camera.set(
            *calibration.population(seed=seed),
            calibration.sensor,
            measured.blurs,
            measured.defects,
            measured.fringes,
        )
        return
    codings = [as_coding(one) for one in measured.codings.photos]
    camera.set(camera.cameras[: len(codings)].clone(), codings)


def as_coding(seen: Seen) -> Coding | None:
    """A coding to compress images anew, without gaps in tables; None if none is known so well."""
    if seen.kind == WEBP and seen.quality is not None:
        return WebPCoding(seen.quality)
    if seen.luma is None:
        return None
    luma = filled(seen.luma)
    chroma = filled(seen.chroma, True) if seen.chroma is not None else None
    if chroma is None:
        chroma = luma if seen.quality is None else JPEGCoding.libjpeg(seen.quality).chrominance
    known = seen.subsampling if seen.subsampling in SUBSAMPLINGS else "4:2:0"
    return JPEGCoding(luma, chroma, known)


def _behind(seen: Seen, coding: Coding | None) -> Seen:
    """The record of a photo, with the WebP that its folder's statistics show."""
    if isinstance(coding, WebPCoding) and seen.kind is None:
        return Seen(PIXELS, WEBP, quality=coding.quality)
    return seen


def spread(count: int, most: int = MOST) -> list[int]:
    """At most ``most`` indices, evenly spaced over ``count``."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, min(count, most)).round())]
