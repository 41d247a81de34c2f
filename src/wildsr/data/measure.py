"""Measure the camera of the LR photos, as the first iteration of a training needs it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wildsr.calibration.measure import MOST_SHARP, Measured, measured, spread
from wildsr.data.codings import codings_of
from wildsr.data.module import Folders
from wildsr.forensics.coding import UNREAD, Coding
from wildsr.photo.image import list_images


def measure(
    data: Folders, seed: int, by_channel: bool = False, names: Sequence[str] | None = None
) -> Measured:
    """The codings and the cameras of ``data.lr``, by pictures that cameras make of ``data.hr``.

    The same for the same photos and seed, in every process.

    Args:
        data: the folders.
        seed: of all draws.
        by_channel: whether the blur of each channel is measured, too.
        names: of the LR photos that are used; None takes some from all of the folder.
    """
    paths = list_images(data.lr, "data.lr")
    places = {name: place for place, name in enumerate(data.lr_store.names)}
    chosen = spread(len(places)) if names is None else [places[name] for name in names]
    # JPEG knows 8 bits of gray and RGB.
    coded = data.lr_store.span is None and data.lr_store.channels in (1, 3)
    unread = [Coding(UNREAD)] * len(chosen)
    seen = codings_of(data.lr_store, paths, chosen) if coded else unread
    called = [data.lr_store.names[index] for index in chosen]
    photos = [np.array(data.lr_store.image(index)) for index in chosen]
    sharp = [np.array(data.hr_store.image(i)) for i in spread(len(data.hr_store), MOST_SHARP)]
    return measured(called, photos, seen, sharp, data.scale, seed, by_channel)
