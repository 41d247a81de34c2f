"""Which file a video becomes, and what its container can hold."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

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


def encoder_of(form: str) -> str:
    """The encoder of the pictures in a container, by FFmpeg's names."""
    return "libvpx-vp9" if form == "webm" else "libx264"


def holds(form: str, stream: Any) -> bool:
    """Whether a container can hold a stream as it is.

    FFmpeg's lists of codecs name more than it then writes, so the head of a file is tried.

    Args:
        form: FFmpeg's name of the container.
        stream: of the video that is read.
    """
    import av

    try:
        with av.open(io.BytesIO(), "w", format=form) as trial:
            video: Any = trial.add_stream(encoder_of(form), rate=25)
            video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
            made = copied(trial, stream)
            trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    # What only the end of a file would tell: MP4 wants to know which channels PCM has.
    pcm = stream.type == "audio" and stream.codec.canonical_name.startswith("pcm_")
    return form != "mp4" or not pcm or not made.layout.name.endswith("channels")


def copied(written: Any, stream: Any) -> Any:
    """A stream of the result that takes another's packets as they are."""
    added = written.add_stream_from_template(stream)
    usual = {"1 channels": "mono", "2 channels": "stereo"}  # AVI does not say which they are
    if stream.type == "audio" and stream.layout.name in usual:
        added.codec_context.layout = usual[stream.layout.name]
    return added


def check_sound(streams: list[Any], target: Path) -> None:
    """Refuse sound that the container of the result cannot hold.

    Args:
        streams: those of sound.
        target: the result.

    Raises:
        UserError: it names the codec, and a container that can.
    """
    form = CONTAINERS[target.suffix.lower()]
    wrong = [stream for stream in streams if not holds(form, stream)]
    if not wrong:
        return
    codec = getattr(wrong[0], "codec", None)
    named = "of an unknown codec" if codec is None else codec.canonical_name
    others = (suffix for suffix in (".mkv", ".mov", ".mp4", ".webm") if CONTAINERS[suffix] != form)
    fits = (other for other in others if all(holds(CONTAINERS[other], each) for each in streams))
    fit = next(fits, None)
    advice = "convert it first" if fit is None else f"name an `output` that ends in {fit}"
    raise UserError(f"{target.name} cannot hold the video's sound ({named}); {advice}.")
