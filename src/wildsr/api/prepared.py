"""Images of any channels and depth as a panel measures them, and what kind of photos they are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from wildsr.api.images import AnyImage, channels_in, planes_of, tensor_of
from wildsr.error import UserError
from wildsr.photo.samples import Range
from wildsr.photo.sensor import RGB, Sensor


class Prepared(dict[str, Tensor]):
    """The images that were given, (1, C, H, W) in [0, 1], and the kind of photos that they are.

    Attributes:
        sensor: of all of them.
    """

    sensor: Sensor = RGB


def prepared(images: Mapping[str, AnyImage | None], span: Range | None = None) -> Prepared:
    """Bring images into the form that panels measure.

    uint8 and floats of one and three channels are rounded to 8 bits, as files would hold them;
    where any is uint16, and of other numbers of channels, floats are not.

    Args:
        images: by the names of the arguments; of one number of channels, where gray may stand
            beside RGB. None are left out.
        span: black and white of arrays, in their own numbers; nothing is rounded then.

    Raises:
        UserError: what no image is, or two numbers of channels.
    """
    given = {name: image for name, image in images.items() if image is not None}
    counts = {name: channels_in(image) for name, image in given.items()}
    found = Prepared()
    arrays = [image for image in given.values() if isinstance(image, np.ndarray)]
    deep = span is not None or any(image.dtype == np.uint16 for image in arrays)
    if set(counts.values()) <= {0, 1, 3}:
        for name, image in given.items():
            if span is None:
                found[name] = tensor_of(image, name)[0]
            else:
                found[name] = planes_of(image, name, span)[0].expand(-1, 3, -1, -1)
        found.sensor = Sensor(3, "16") if deep else RGB
        return found
    if len(set(counts.values())) > 1:
        said = " and ".join(f"`{name}` {count}" for name, count in counts.items())
        raise UserError(f"Images must have one number of channels, but got {said}.")
    for name, image in given.items():
        found[name] = planes_of(image, name, span)[0]
    whole = not deep and all(_of_8_bits(image) for image in given.values())
    found.sensor = Sensor(next(iter(counts.values())), "8" if whole else "16")
    return found


def _of_8_bits(image: AnyImage) -> bool:
    return "uint8" in str(image.dtype)
