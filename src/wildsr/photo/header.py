"""Open photos by Pillow to read their headers, whatever the size of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError


@contextmanager
def open_header(path: Path | str) -> Iterator[Image.Image]:
    """Open a photo by Pillow without decoding it.

    Pillow's decoders are called directly and not by ``Image.open``, whose limit of pixels applies
    to the whole process: a header costs nothing, and code that decodes has its own limit.

    Raises:
        Exception: any exception of Pillow's decoders, for a damaged file or one that is no photo.
    """
    Image.init()
    with Path(path).open("rb") as file:
        begin = file.read(16)
        for name in Image.ID:
            factory, accepts = Image.OPEN[name]
            accepted = accepts is None or accepts(begin)
            if not accepted or isinstance(accepted, str):  # a message about a missing library
                continue
            file.seek(0)
            try:
                image = factory(file, str(path))
            except (SyntaxError, IndexError, TypeError, KeyError, EOFError):  # another format
                continue
            with image:
                yield image
            return
    raise UnidentifiedImageError(f"{path} is no photo")
