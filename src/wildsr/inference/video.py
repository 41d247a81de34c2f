"""Upscale videos frame by frame; the sound is copied unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from wildsr.atomic import Partial
from wildsr.error import UserError, first_line
from wildsr.extra import needed
from wildsr.inference.container import container_of, open_video
from wildsr.inference.strips import together, upscale_image
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.video_output import CONTAINERS, check_sound, copied, encoder_of, holds
from wildsr.photo.folder import say_once
from wildsr.photo.rows import Array
from wildsr.photo.stream import LIMIT

COLOURS = ("color_primaries", "color_trc", "colorspace", "color_range")
FULL, STUDIO = 2, 1  # FFmpeg's numbers for values of 0 to 255, and of 16 to 235
UNSAID = 2  # FFmpeg's number for a colour matrix that the file does not name
WIDEST = 8  # an aspect ratio of pixels that is believed
# FFmpeg's flags, as numbers: PyAV before 18 has no names for all. Without those beside the filter,
# subsampled colours are converted by tables that truncate, and pictures become darker.
BICUBIC, LANCZOS, ACCURATE = 0x4, 0x200, 0x40000 | 0x4000 | 0x2000


def upscale_video(
    upscaler: Upscaler,
    source: Path,
    target: Path,
    outscale: float | None = None,
    quality: int = 95,
    progress: Callable[[int, int], None] = lambda done, all: None,
    limit: float | None = LIMIT,
) -> int:
    """Upscale a video frame by frame; sound, frame times and colour tags are kept.

    Writes H.264 (VP9 in .webm) with 8 bits and constant quality; a rotated video comes out upright.
    Pixels that are not square stay so, but in .webm, whose pictures become wider or higher instead.
    Each frame is upscaled on its own, so details that a network invents may flicker.

    Args:
        upscaler: the network.
        source: the video.
        target: the result, which appears when it is complete; its suffix names the container.
        outscale: size of the result / size of the video; None takes the network's scale.
        quality: 1 to 100; 95 is x264's constant rate factor 14, 75 is 22.
        progress: called with the output pixels done and their total (0 if the file does not tell).
        limit: megapixels of a frame; None for any number.

    Returns:
        Number of frames.

    Raises:
        UserError: PyAV is not installed, no video in the file, a damaged file, or ``target`` cannot
            be written.
    """
    av = needed("av", "video", "A video")
    if target.suffix.lower() not in CONTAINERS:
        raise UserError(
            f"Argument `output` must end in one of {list(CONTAINERS)}, but got {target}."
        )
    partial = Partial(target)
    try:
        container_of(source)
        with source.open("rb") as file, open_video(av, file, source, limit) as read:
            form = CONTAINERS[target.suffix.lower()]
            check_sound(list(read.streams.audio), target)
            # An absolute path: FFmpeg would take text before a colon for a protocol.
            with av.open(str(partial.path.absolute()), "w", format=form) as written:
                done = _Frames(upscaler, read, written, outscale, quality).carry_out(progress)
    except (av.FFmpegError, ValueError, OSError) as error:
        partial.discard()
        if isinstance(error, UserError):
            raise
        reason = getattr(error, "strerror", None) or first_line(error)
        raise UserError(f"Video {source} cannot be turned into {target}: {reason}.") from error
    except BaseException:
        partial.discard()
        raise
    if done == 0:
        partial.discard()
        raise UserError(f"{source} holds no frames that can be decoded.")
    partial.keep()
    return done


def _range(frame: Any) -> int:
    """Whether black is 0 or 16: as the frame says it, or its format, else 16."""
    full = int(frame.color_range) == FULL or frame.format.name.startswith(("yuvj", "rgb", "gbr"))
    return FULL if full else STUDIO


def _widened(frame: Any) -> Any:
    """A frame of 10 bits in studio range as one of 8 bits in full range.

    FFmpeg itself takes gray as 127.5 here, not 128, which tints every picture.
    """
    import av

    parts = []
    for plane, low, width in zip(frame.planes, (64, 512, 512), (876, 896, 896), strict=True):
        rows = np.frombuffer(plane, "<u2").reshape(plane.height, -1)[:, : plane.width]
        values = (rows.astype(np.float32) - low) * (255 / width) + (128 if low == 512 else 0)
        parts.append(np.rint(values).clip(0, 255).astype(np.uint8).ravel())
    pixels = np.concatenate(parts).reshape(-1, frame.width)
    return av.VideoFrame.from_ndarray(pixels, format="yuv420p")


class _Frames:
    """From one open container to the other."""

    def __init__(
        self, upscaler: Upscaler, read: Any, written: Any, outscale: float | None, quality: int
    ) -> None:
        self.upscaler, self.read, self.written = upscaler, read, written
        self.factor, self.quality = outscale or upscaler.scale, quality
        self.video = read.streams.video[0]
        self.video.thread_type = "AUTO"
        written.metadata.update(read.metadata)
        self.out: Any = None  # opened at the first frame, which has the rotation
        self.carried = self._carried()
        self.sound: dict[Any, Any] = {}
        self.held: list[Any] = []  # packets of sound and text that came before the first frame

    def carry_out(self, progress: Callable[[int, int], None]) -> int:
        """All frames; how many."""
        count, total = 0, int(self.video.frames)
        for frames in self._batches():
            for frame, pixels in zip(frames, self._upscaled(frames), strict=True):
                self._encode(frame, pixels)
                count += 1
                size = pixels.shape[0] * pixels.shape[1]
                progress(count * size, total * size)
        if self.out is not None:
            self.written.mux(self.out.encode(None))
        return count

    def _carried(self) -> list[Any]:
        """Sound, and subtitles that the container can hold; what stays behind is said once."""
        form = self.written.format.name
        kept, left = list(self.read.streams.audio), []
        for stream in self.read.streams:
            if stream is self.video or stream in kept:
                continue
            if stream.type == "subtitle" and holds(form, stream):
                kept.append(stream)
            else:
                left.append(stream.type)
        if left:
            said = ", ".join(f"{count} {kind}" for kind, count in Counter(left).items())
            say_once(f"{self.read.name}: left out of {form}: {said} stream(s)")
        return kept

    def _batches(self) -> Iterator[list[Any]]:
        """Decoded frames, as many as are computed at once; sound is passed on."""
        waiting: list[Any] = []
        for packet in self.read.demux(self.video, *self.carried):
            if packet.stream is not self.video:
                if packet.dts is not None:
                    self.held.append(packet)
                    self._pass_on()
                continue
            for frame in packet.decode():
                if frame.is_corrupt:
                    when = "" if frame.time is None else f" at {frame.time:.2f} s"
                    raise UserError(f"Video {self.read.name} is damaged{when}.")
                waiting.append(frame)
                if len(waiting) == self.upscaler.together:
                    yield waiting
                    waiting = []
        if waiting:
            yield waiting
        self._pass_on()

    def _pass_on(self) -> None:
        if self.out is not None:
            for packet in self.held:
                packet.stream = self.sound[packet.stream]
                self.written.mux(packet)
            self.held.clear()

    def _upscaled(self, frames: list[Any]) -> list[Array]:
        images = []
        for frame in frames:
            matrix = self._matrix(frame)
            pixels = frame.reformat(
                format="rgb24",
                src_colorspace=matrix,
                src_color_range=_range(frame),
                dst_color_range=FULL,
                interpolation=BICUBIC | ACCURATE,
            ).to_ndarray()
            images.append(np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90))))
        alike = len({image.shape for image in images}) == 1
        if len(images) > 1 and alike and max(images[0].shape) <= self.upscaler.side:
            return together(self.upscaler, images, np.dtype(np.uint8))
        return [upscale_image(self.upscaler, image) for image in images]

    def _encode(self, frame: Any, pixels: Array) -> None:
        import av

        made = av.VideoFrame.from_ndarray(pixels.astype(np.uint8, copy=False), format="rgb24")
        if self.out is None:
            self._open(frame, made)
        full = _range(frame) == FULL
        made = made.reformat(
            width=self.out.width,
            height=self.out.height,
            format="yuv420p10le" if full else "yuv420p",
            dst_colorspace=self._matrix(frame),
            interpolation=LANCZOS | ACCURATE,
            src_color_range=FULL,
            dst_color_range=STUDIO,
        )
        made = _widened(made) if full else made
        made.pts, made.time_base = frame.pts, frame.time_base
        self.written.mux(self.out.encode(made))
        self._pass_on()

    def _open(self, frame: Any, made: Any) -> None:
        """The stream of the result, in even numbers of pixels, which 4:2:0 needs."""
        encoder = encoder_of(self.written.format.name)
        rate = self.video.average_rate or self.video.guessed_rate or 25
        self.out = self.written.add_stream(encoder, rate=rate)
        ratio = self.video.sample_aspect_ratio or Fraction(1)
        ratio = 1 / ratio if round(frame.rotation / 90) % 2 else ratio
        sides = [
            float(side * self.factor / self.upscaler.scale) for side in (made.width, made.height)
        ]
        if "vp9" in encoder and 1 / WIDEST < ratio < WIDEST:  # VP9 has no place for it
            sides[ratio < 1] *= float(max(ratio, 1 / ratio))
            ratio = Fraction(1)
        self.out.width, self.out.height = (max(round(side / 2) * 2, 2) for side in sides)
        self.out.pix_fmt = "yuv420p"
        factor = round(12 + (100 - self.quality) * 0.4)
        self.out.options = {"crf": str(factor), **({"b:v": "0"} if "vp9" in encoder else {})}
        self.out.codec_context.time_base = frame.time_base
        for name in COLOURS:
            setattr(self.out.codec_context, name, getattr(self.video.codec_context, name))
        # Also where the source does not say: the result is of a size that may imply another.
        self.out.codec_context.colorspace = self._matrix(frame)
        if _range(frame) == FULL:  # also declared by pixel formats such as yuvj420p
            self.out.codec_context.color_range = FULL
        self.out.codec_context.sample_aspect_ratio = ratio
        for stream in self.carried:
            self.sound[stream] = copied(self.written, stream)

    def _matrix(self, frame: Any) -> int:
        """The colour matrix of a frame: the one it declares, else by its size."""
        said = int(frame.colorspace)
        if said not in (UNSAID, 0):
            return said
        return 1 if frame.height >= 720 else 5  # BT.709 and BT.601
