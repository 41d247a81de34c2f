"""Measure the camera of the LR photos before the first iteration."""

from __future__ import annotations

import numpy as np

from wildsr.calibration.measure import MOST_SHARP, Measured, measured, spread
from wildsr.data.codings import codings_of
from wildsr.data.module import Folders
from wildsr.forensics.coding import Coding
from wildsr.photo.image import list_images


def measure(data: Folders, seed: int) -> Measured:
    """Measure the JPEG codings and cameras of ``data.lr``, using the sharp photos of ``data.hr``.

    Deterministic: the same photos and seed give the same result, in every process.
    """
    paths = list_images(data.lr, "data.lr")
    chosen = spread(len(data.lr_store))
    # JPEG knows 8 bits of gray and RGB.
    coded = data.lr_store.span is None and data.lr_store.channels in (1, 3)
    seen = codings_of(data.lr_store, paths, chosen) if coded else [Coding()] * len(chosen)
    names = [data.lr_store.names[index] for index in chosen]
    photos = [np.array(data.lr_store.image(index)) for index in chosen]
    sharp = [np.array(data.hr_store.image(i)) for i in spread(len(data.hr_store), MOST_SHARP)]
    return measured(names, photos, seen, sharp, data.scale, seed)
