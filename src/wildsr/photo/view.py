"""Any image as a picture that people can look at: three channels, windowed, 8 bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from wildsr.pixels import as_rgb, in_unit, levels

WINDOW = (0.002, 0.998)  # quantiles of the values that become black and white
MOST = 1 << 18  # values that quantiles are taken of
Window = tuple[float, float]


def window_of(image: Tensor) -> Window:
    """Black and white that show most of an image (C, H, W) of floats in [0, 1]."""
    values = image.detach().float().flatten()
    values = values[:: max(len(values) // MOST, 1)]
    low, high = values.quantile(values.new_tensor(WINDOW)).tolist()
    return (low, high) if high - low > 1e-6 else (0.0, 1.0)


def view(image: Tensor, bands: Sequence[int] | None = None, window: Window | None = None) -> Tensor:
    """An image of any sensor as floats (3, H, W) in [0, 1] to look at.

    Uint8 RGB, the photos of cameras, is shown as it is. Of all else gray is repeated, three
    channels of more are taken for red, green and blue (false colours), and values are spread from
    the window's black to its white.

    Args:
        image: (C, H, W), uint8 or floats in [0, 1].
        bands: the three channels; None takes the first.
        window: of :func:`window_of`, so that several images of a scene look alike; None takes the
            image's own. Uint8 is not windowed.
    """
    shown = as_rgb(in_unit(image), bands)
    if image.dtype == torch.uint8:
        return shown
    low, high = window or window_of(image)
    return ((shown - low) / (high - low)).clamp(0, 1)


def picture(
    image: Tensor, bands: Sequence[int] | None = None, window: Window | None = None
) -> Tensor:
    """The same as uint8 (3, H, W); see :func:`view`."""
    if image.dtype == torch.uint8:
        return as_rgb(image, bands)
    return levels(view(image, bands, window)[None])


def views(
    row: Mapping[str, Tensor | None], first: str, bands: Sequence[int] | None = None
) -> dict[str, Tensor | None]:
    """Images of one scene, (1, C, H, W) in [0, 1] each, under the window of the ``first``."""
    window = window_of(row[first][0]) if row[first] is not None else None  # type: ignore[index]
    return {n: None if x is None else view(x[0], bands, window)[None] for n, x in row.items()}
