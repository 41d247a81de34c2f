"""What Pillow knows of a file by its header, whatever the size of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError


@contextmanager
def open_header(path: Path | str) -> Iterator[Image.Image]:
    """A photo opened by Pillow, nothing decoded yet.

    Opened by its decoder and not by ``Image.open``, whose limit of pixels is one for the process: a
    header costs nothing, and whoever decodes has a limit of its own.

    Raises:
        Exception: whatever Pillow's decoders raise for what is no photo, or a damaged one.
    """
    Image.init()
    with Path(path).open("rb") as file:
        begin = file.read(16)
        for name in Image.ID:
            factory, accepts = Image.OPEN[name]
            accepted = accepts is None or accepts(begin)
            if not accepted or isinstance(accepted, str):  # which says what is missing
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
