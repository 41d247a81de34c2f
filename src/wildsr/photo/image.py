"""Finding image files and reading each of them as plain 8-bit RGB, whatever it was stored as."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from wildsr.error import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")

# Pillow goes by content, not by suffix. Only these, so that nothing disguised as a photo reaches
# a decoder that runs other programs (EPS). JPEG includes MPO, which many phones write.
_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")

_ENDING = re.compile(r"(?:[-_. ]?x[2348]|[-_](?:lr|hr)[2348]?)+$")

Pixels = npt.NDArray[np.uint8]


class UnreadableImage(UserError):  # noqa: N818 (a UserError, said shorter)
    """An image file that cannot be decoded; ``reason`` is the message without the path."""

    reason: str = ""


def list_images(folder: Path | str, argument: str) -> list[Path]:
    """All images below a folder, in an order that does not depend on the file system.

    Args:
        folder: a folder, searched recursively and through links, or one image file.
        argument: what the user calls it (``data.lr``), for error messages.

    Returns:
        Paths sorted by their path below ``folder``; hidden files and folders are left out.

    Raises:
        UserError: the folder is missing, cannot be listed or holds no image.
    """
    root = Path(folder).expanduser()
    kinds = f"images ({', '.join(suffix[1:] for suffix in SUFFIXES)})"
    if root.is_file():
        if root.suffix.lower() in SUFFIXES:
            return [root]
        raise UserError(f"Argument `{argument}` must be a folder of {kinds}, but got file {root}.")
    if not root.is_dir():
        raise UserError(
            f"Argument `{argument}` must be a folder of {kinds}, but {root} does not exist."
        )

    def refuse(error: OSError) -> NoReturn:
        raise UserError(
            f"Argument `{argument}`: folder {error.filename} cannot be listed ({error.strerror})."
        )

    found: list[Path] = []
    visited: set[str] = set()
    for place, folders, files in os.walk(root, onerror=refuse, followlinks=True):
        # Links may form circles: enter every real folder once.
        visited.add(os.path.realpath(place))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and os.path.realpath(os.path.join(place, name)) not in visited
        )
        for name in files:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                found.append(Path(place, name))
    if not found:
        raise UserError(
            f"Argument `{argument}` must be a folder of {kinds}, but {root} holds none."
        )
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def relative_names(paths: list[Path]) -> list[str]:
    """Names of files below the folder that they share, with ``/`` on every system."""
    if not paths:
        return []
    try:
        shared = Path(os.path.commonpath([path.parent for path in paths]))
    except ValueError:  # Different drives, or absolute and relative ones: nothing is shared.
        return [path.as_posix() for path in paths]
    return [path.relative_to(shared).as_posix() for path in paths]


def bare_stem(name: Path | str) -> str:
    """File name in lower case without folder, suffix and endings such as ``x4``, ``_lr``, ``_hr``.

    ``0801x4.png`` and ``0801.png`` are the same photo, and so are ``a_LR.jpg`` and ``a_HR.png``.
    """
    stem = Path(name).stem.lower()
    return _ENDING.sub("", stem) or stem


def read_image(path: Path | str) -> Pixels:
    """Decode an image file to RGB.

    Gray, 1-bit, palette, CMYK and 16-bit images become 8-bit RGB (16 bits: ``round(v / 257)``
    for gray; Pillow keeps the high byte for colour), transparency is composited on white, the
    EXIF orientation is carried out, and of an animation this is the first frame. A file that
    ends early is an error and never half a photo on gray.

    Returns:
        uint8 array (H, W, 3), contiguous.

    Raises:
        UnreadableImage: anything that cannot be decoded; one line with the path and the reason.
    """
    try:
        if os.path.getsize(path) == 0:
            raise ValueError("the file is empty")
        with Image.open(path, formats=_FORMATS) as image:
            image.load()
            return np.ascontiguousarray(_turn(_rgb(image), _orientation(image)))
    # Decoders meet broken files with nearly every exception there is.
    except Exception as error:
        failure = UnreadableImage(f"Image {path} cannot be read: {_reason(error)}.")
        failure.reason = _reason(error)
        raise failure from error


def one_channel(path: Path | str) -> bool:
    """Whether the file holds gray, 1-bit or 16-bit gray pixels; looks at its header only."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return image.mode == "L" or image.mode == "1" or image.mode.startswith("I")
    except Exception:  # it is said where the pixels are read
        return False


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "not an image, or its beginning is damaged"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()).rstrip(".") or type(error).__name__


def _rgb(image: Image.Image) -> Pixels:
    if image.mode == "F":
        raise ValueError("floating-point pixels, only 8-bit and 16-bit images are supported")
    if image.mode.startswith("I"):
        return np.repeat(_gray16(image)[..., None], 3, axis=2)
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA")).astype(np.uint16)
        alpha = pixels[..., 3:]
        # round((c * a + 255 * (255 - a)) / 255): at most 65152, so 16 bits hold it.
        on_white = (pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
        return on_white.astype(np.uint8)
    return np.array(image.convert("RGB"))


def _gray16(image: Image.Image) -> Pixels:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit pixels, only 8-bit and 16-bit images are supported")
    gray = ((values + 128) // 257).astype(np.uint8)  # round(v / 257), without ties
    if "transparency" in image.info:  # PNG names one gray value as the transparent one.
        gray[values == image.info["transparency"]] = 255
    return gray


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # A broken EXIF block says nothing about the pixels.
        return 1


def _turn(pixels: Pixels, orientation: int) -> Pixels:
    """Carry out the EXIF orientation (TIFF 6.0, tag 274): what to do to see the image upright."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
