"""Which file a video becomes."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from wildsr.archive.address import is_url
from wildsr.error import UserError
from wildsr.inference.packed import container_kind
from wildsr.photo.encode import FORMATS

# Suffix: FFmpeg's name of the container.
CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
VIDEOS = (*CONTAINERS, ".avi")  # which are read; AVI cannot hold the times of frames
OTHERS = (".avi", ".3gp", ".flv", ".m2ts", ".mts", ".ogv", ".ts", ".vob", ".wmv")  # not written


def video_target(source: Path, output: str) -> Path:
    """The file for the result of a video: ``output``, or one in it, called as the video.

    Args:
        source: the video.
        output: a file or a folder of this machine, as it was typed.

    Raises:
        UserError: a store, a file of another kind, or the video itself.
    """
    if is_url(output):
        raise UserError(
            f"`output` of a video must be a file or folder of this machine, but got {output}."
        )
    path = Path(output).expanduser()
    suffix = path.suffix.lower()
    if path.is_dir() or suffix not in CONTAINERS:
        files = {*Image.registered_extensions(), *(f".{name}" for name in FORMATS), *OTHERS}
        if not path.is_dir() and (suffix in files or container_kind(output) is not None):
            raise UserError(
                f"`output` of a video must be a folder, or end in one of {list(CONTAINERS)}, but "
                f"got {output}."
            )
        own = source.name if source.suffix.lower() in CONTAINERS else f"{source.stem}.mkv"
        path = path / own
    if path.resolve() == source.resolve():
        raise UserError(f"`output` must be another file than the video ({source}).")
    return path
