"""Render an image of any sensor for viewing: three channels, windowed, 8 bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from wildsr.pixels import as_rgb, in_unit, levels

WINDOW = (0.002, 0.998)  # quantiles of the values that become black and white
MOST = 1 << 18  # values from which quantiles are computed
Window = tuple[float, float]


def window_of(image: Tensor) -> Window:
    """The values to display as black and white: the 0.2 % and 99.8 % quantiles of an image.

    Args:
        image: (C, H, W) floats in [0, 1].
    """
    values = image.detach().float().flatten()
    values = values[:: max(len(values) // MOST, 1)]
    low, high = values.quantile(values.new_tensor(WINDOW)).tolist()
    return (low, high) if high - low > 1e-6 else (0.0, 1.0)


def view(image: Tensor, bands: Sequence[int] | None = None, window: Window | None = None) -> Tensor:
    """Render an image of any sensor as RGB floats in [0, 1] for viewing.

    uint8 RGB (cameras' photos) is shown as it is. Otherwise gray is repeated, three of more
    channels are taken as red, green and blue (false colours), and the window is stretched to [0,
    1].

    Args:
        image: (C, H, W), uint8 or floats in [0, 1].
        bands: the three channels; None takes the first.
        window: of :func:`window_of`, so that several images of a scene look alike; None takes the
            image's own. uint8 is not windowed.

    Returns:
        (3, H, W) floats in [0, 1].
    """
    shown = as_rgb(in_unit(image), bands)
    if image.dtype == torch.uint8:
        return shown
    low, high = window or window_of(image)
    return ((shown - low) / (high - low)).clamp(0, 1)


def picture(
    image: Tensor, bands: Sequence[int] | None = None, window: Window | None = None
) -> Tensor:
    """Render like :func:`view`, but as uint8 (3, H, W).

    Args:
        image: (C, H, W), uint8 or floats in [0, 1].
        bands: see :func:`view`.
        window: see :func:`view`.
    """
    if image.dtype == torch.uint8:
        return as_rgb(image, bands)
    return levels(view(image, bands, window)[None])


def views(
    row: Mapping[str, Tensor | None], first: str, bands: Sequence[int] | None = None
) -> dict[str, Tensor | None]:
    """Render several images of one scene with the window of one of them.

    Args:
        row: images (1, C, H, W) in [0, 1] by name; None stays None.
        first: name of the image whose window is taken.
        bands: see :func:`view`.

    Returns:
        (1, 3, H, W) in [0, 1] each.
    """
    window = window_of(row[first][0]) if row[first] is not None else None  # type: ignore[index]
    return {n: None if x is None else view(x[0], bands, window)[None] for n, x in row.items()}
