"""What was measured of one upscaler on one photo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor


@dataclass(frozen=True)
class Outcome:
    """The result of one upscaler on one photo.

    Args:
        row: the upscaler's name.
        photo_set: the name of the photo's set.
        image: the photo's name.
        values: the value of each metric; None if it cannot be computed.
        error: why the photo failed; None for a success.
        picture: file of the SR image, if it was kept.
    """

    row: str
    photo_set: str
    image: str
    values: Mapping[str, float | None] = field(default_factory=dict)
    error: str | None = None
    picture: Path | None = None


@dataclass(frozen=True)
class Measured:
    """An outcome with the features that set metrics (FID and the like) need of its SR image.

    Args:
        outcome: of one upscaler on one photo.
        described: one tensor per feature extractor, as :class:`~wildsr.metric.panel.Gathering`
            keeps them; None if the image is too small for it. Empty if there are no set metrics.
    """

    outcome: Outcome
    described: tuple[Tensor | None, ...] = ()
