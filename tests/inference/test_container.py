"""Which videos are opened, and which are refused."""

import os

import numpy as np
import pytest

from wildsr.error import UserError
from wildsr.inference.container import container_of, open_video

av = pytest.importorskip("av")
CODECS = {
    "mp4": "libx264",
    "mov": "libx264",
    "mkv": "libx264",
    "webm": "libvpx-vp9",
    "avi": "mpeg4",
}


@pytest.fixture(params=CODECS)
def video(request, tmp_path):
    path = tmp_path / f"a.{request.param}"
    with av.open(str(path), "w") as made:
        stream = made.add_stream(CODECS[request.param], rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        draw = np.random.default_rng(0)
        for _ in range(12):
            pixels = draw.integers(0, 256, (48, 64, 3)).astype(np.uint8)
            made.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        made.mux(stream.encode(None))
    return path


def frames(path, limit=None):
    with path.open("rb") as file, open_video(av, file, path, limit) as opened:
        return sum(1 for _ in opened.decode(video=0))


def test_whole_ones_are_read_and_cut_ones_refused(video):
    assert frames(video) == 12
    whole = video.read_bytes()
    for share in (0.99, 0.7, 0.3):
        video.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(UserError, match=r"ends early|none of"):
            frames(video)


def test_frames_above_the_limit_are_refused_by_the_header(video):
    assert frames(video, 0.01) == 12
    with pytest.raises(UserError, match="64 x 48 pixels, more than `limit` allows"):
        frames(video, 0.003)


@pytest.mark.parametrize(
    "text",
    [
        "ffconcat version 1.0\nfile /etc/passwd\n",
        "#EXTM3U\n#EXTINF:10,\n/etc/passwd\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        "",
    ],
)
def test_playlists_are_no_videos(text, tmp_path):
    (tmp_path / "a.mp4").write_text(text)
    with pytest.raises(UserError, match="by its content it is none of MP4"):
        container_of(tmp_path / "a.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_a_pipe_is_no_video(tmp_path):
    os.mkfifo(tmp_path / "a.mp4")
    with pytest.raises(UserError, match="no regular file"):
        container_of(tmp_path / "a.mp4")


@pytest.fixture
def whole(tmp_path):
    """``whole(suffix)``: the bytes of a short video, or of sound alone."""

    def make(suffix, sound=False):
        path = tmp_path / f"whole.{suffix}"
        with av.open(str(path), "w") as made:
            if sound:
                stream = made.add_stream("aac", rate=8000)
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                frame.sample_rate = 8000
            else:
                stream = made.add_stream(CODECS[suffix], rate=10)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            made.mux(stream.encode(frame))
            made.mux(stream.encode(None))
        return path.read_bytes()

    return make


def test_sound_alone_is_no_video(whole, tmp_path):
    (tmp_path / "a.mp4").write_bytes(whole("mp4", sound=True))
    with pytest.raises(UserError, match=r"a\.mp4 holds no video\."):
        frames(tmp_path / "a.mp4")


def test_boxes_of_long_and_open_lengths(whole, tmp_path):
    """Lengths of 64 bits, as above 4 GB, and a last box that reaches to the end."""
    data, path = whole("mp4"), tmp_path / "a.mp4"
    path.write_bytes(data + b"\0\0\0\x01free" + (16 + 5).to_bytes(8, "big") + b"12345")
    assert frames(path) == 1
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="it ends early"):
        container_of(path)
    path.write_bytes(data + b"\0\0\0\0free12345")
    assert frames(path) == 1


def test_matroska_s_segment_is_found_behind_padding(whole, tmp_path):
    data, path = whole("mkv"), tmp_path / "a.mkv"
    place = data.index(b"\x18\x53\x80\x67")
    padded = data[:place] + b"\xec\x83abc" + data[place:]  # a Void element of three bytes
    path.write_bytes(padded)
    assert frames(path) == 1
    path.write_bytes(padded[:-1])
    with pytest.raises(UserError, match="it ends early"):
        container_of(path)
    count = 9 - data[place + 4].bit_length()  # bytes of the segment's length
    live = data[: place + 4] + b"\x01" + b"\xff" * 7 + data[place + 4 + count :]
    path.write_bytes(live)  # as it is streamed, with an unknown length
    assert container_of(path) == "matroska"
    path.write_bytes(data[:4])
    assert container_of(path) == "matroska"  # which its reader refuses
    with pytest.raises(Exception, match="Invalid data"):
        frames(path)
