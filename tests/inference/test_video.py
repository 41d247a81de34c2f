"""What a video says of itself is what its frames are, on both sides."""

import numpy as np
import pytest
import torch
from torch import nn

from wildsr.inference.upscaler import Upscaler
from wildsr.inference.video import upscale_video

av = pytest.importorskip("av")

BARS = (0, 85, 170, 255)
FULL, STUDIO, UNSAID = 2, 1, 0


@pytest.fixture
def nearest():
    network = nn.Upsample(scale_factor=2)
    return Upscaler(network, network, 2, "nearest", torch.device("cpu"))


def bars(path, said, texts=None):
    """Three frames of four gray bars, in studio or full range."""
    pixels = np.repeat(np.array(BARS, np.uint8), 24)[None, :, None]
    pixels = np.broadcast_to(pixels, (48, 96, 3)).copy()
    with av.open(str(path), "w") as written:
        stream = written.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        stream.options = {"crf": "1"}
        if said != UNSAID:
            stream.codec_context.color_range = said
        below = written.add_stream_from_template(texts.streams[0]) if texts else None
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(
                format="yuv420p",
                src_color_range=FULL,
                dst_color_range=FULL if said == FULL else STUDIO,
            )
            frame.pts = number
            written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
        for packet in texts.demux() if texts else ():
            if packet.dts is not None:
                packet.stream = below
                written.mux(packet)


def shown(path):
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
        pixels = frame.reformat(
            format="rgb24", src_color_range=FULL if full else STUDIO, dst_color_range=FULL
        ).to_ndarray()
    width = pixels.shape[1]
    return [int(pixels[20, int(width * at), 1]) for at in (0.125, 0.375, 0.625, 0.875)]


@pytest.mark.parametrize("said", [FULL, STUDIO, UNSAID])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_black_and_white_stay_black_and_white(tmp_path, nearest, said, suffix):
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    bars(source, said)
    assert upscale_video(nearest, source, target) == 3
    for path in (source, target):
        assert np.abs(np.subtract(shown(path), BARS)).max() <= 3, path


SUBTITLES = """1
00:00:00,000 --> 00:00:00,300
so far

2
00:00:00,300 --> 00:00:00,600
so good
"""


def test_subtitles_come_along_where_the_container_can_hold_them(tmp_path, nearest, caplog):
    (tmp_path / "it.srt").write_text(SUBTITLES)
    with av.open(str(tmp_path / "it.srt")) as texts:
        bars(tmp_path / "in.mkv", UNSAID, texts)
    upscale_video(nearest, tmp_path / "in.mkv", tmp_path / "out.mkv")
    for name in ("in.mkv", "out.mkv"):
        with av.open(str(tmp_path / name)) as container:
            said = [bytes(p) for p in container.demux(container.streams.subtitles[0])]
        assert [text for text in said if text] == [b"so far", b"so good"], name
    assert not caplog.text
    upscale_video(nearest, tmp_path / "in.mkv", tmp_path / "out.mp4")
    assert "1 subtitle stream(s)" in caplog.text
