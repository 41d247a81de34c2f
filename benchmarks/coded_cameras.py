"""Hidden cameras whose pictures went through codecs of video and of phones, stored without loss."""

from __future__ import annotations

import io
from fractions import Fraction

import numpy as np
from other_cameras import SCALE, gaussian, in_8_bits, noisy
from PIL import Image
from torch import Tensor
from unseen_cameras import of_bytes, to_bytes

from wildsr.degradation.blur import blur_and_sample


def shown(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, noise."""
    return in_8_bits(noisy(blur_and_sample(hr, gaussian(1.6, 1.6, 0), SCALE), 2, 4))


def video(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, noise, a frame of H.264 at a constant rate factor of 28."""
    return of_bytes(h264(to_bytes(shown(hr)), 28))


def heic(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, noise, HEIC of quality 40."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    return through(shown(hr), "HEIF", 40)


def avif(hr: Tensor) -> Tensor:
    """Gaussian 1.6 px, noise, AVIF of quality 50."""
    return through(shown(hr), "AVIF", 50)


def through(picture: Tensor, codec: str, quality: int) -> Tensor:
    file = io.BytesIO()
    Image.fromarray(to_bytes(picture)).save(file, codec, quality=quality)
    return of_bytes(np.asarray(Image.open(file).convert("RGB")))


def h264(pixels: np.ndarray, crf: int) -> np.ndarray:
    """The picture as a first frame of H.264, of even sides as 4:2:0 needs them."""
    import av

    height, width = pixels.shape[:2]
    even = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height = even.shape[1], even.shape[0]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "medium"}
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as container:
        decoded = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return decoded[:height, :width]


CODED = {
    "video": ("blur, noise, H.264 at crf 28", video),
    "heic": ("blur, noise, HEIC 40 in a PNG", heic),
    "avif": ("blur, noise, AVIF 50 in a PNG", avif),
}
