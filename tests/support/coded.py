"""Photos that were never JPEG, and what a coder makes of them."""

import io

import numpy as np
from PIL import Image

from wildsr.data.demo import photo as demo_photo

NAMES = ("chelsea", "coffee", "astronaut")


def clean(name, side=112):
    """A photo without any earlier coding left."""
    full = Image.fromarray(demo_photo(name))
    small = full.resize((full.width // 2, full.height // 2), Image.Resampling.BICUBIC)
    return np.asarray(small)[20 : 20 + side, 30 : 30 + side]


def coded(photo, quality=None, way=2, **options):
    buffer = io.BytesIO()
    if quality is not None:
        options["quality"] = quality
    Image.fromarray(photo).save(buffer, "JPEG", subsampling=way, **options)
    return np.array(Image.open(buffer).convert("RGB"))
