"""Errors for files that are not photos, or are damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wildsr.error import UserError
from wildsr.photo.vips import pyvips


class UnreadableImage(UserError):  # noqa: N818 (a kind of UserError with a shorter name)
    """An image file that cannot be decoded; ``reason`` is the message without the path."""

    reason: str = ""


class TooLarge(UnreadableImage):
    """An image with more pixels than ``limit`` allows."""


def unreadable(path: Path | str, reason: str) -> UnreadableImage:
    """Create the error for an unreadable file, in one line."""
    reason = " ".join(reason.split()).rstrip(".")
    failure = UnreadableImage(f"Image {path} cannot be read: {reason}.")
    failure.reason = reason
    return failure


def check_limit(limit: object, argument: str = "limit") -> None:
    """Refuse a limit of megapixels that is neither a positive number nor None.

    Raises:
        UserError: it is neither a positive number nor None.
    """
    number = isinstance(limit, int | float) and not isinstance(limit, bool)
    if limit is not None and not (number and limit > 0):  # type: ignore[operator]
        raise UserError(
            f"Argument `{argument}` must be a positive number of megapixels or null (no limit), "
            f"but got {limit!r}."
        )


def allow(path: Path | str, width: int, height: int, limit: float | None) -> None:
    """Refuse an image that is too large by its header, before it is decoded.

    Args:
        path: the file, for the message.
        width: of it, in pixels.
        height: of it, in pixels.
        limit: megapixels; None for any number.

    Raises:
        TooLarge: more pixels than ``limit``.
    """
    if limit is not None and width * height > limit * 1e6:
        reason = f"{width} x {height} pixels, more than `limit` allows ({limit:g} megapixels)"
        failure = TooLarge(f"{path} has {reason}.")
        failure.reason = reason
        raise failure


@contextmanager
def readable(path: Path | str) -> Iterator[None]:
    """Turn any exception of a decoder into one line with the path and the reason.

    Raises:
        UnreadableImage: for every exception but a :class:`UserError`; decoders raise nearly any
            type of exception for damaged files.
    """
    try:
        yield
    except UserError:
        raise
    except pyvips.Error as error:
        lines = [line.strip() for line in error.detail.splitlines() if line.strip()]
        said = lines[0] if lines else error.message
        raise unreadable(path, f"damaged, or it ends early ({said})") from error
    except OSError as error:
        raise unreadable(path, error.strerror or str(error) or "damaged") from error
    except Exception as error:
        raise unreadable(path, str(error) or type(error).__name__) from error
