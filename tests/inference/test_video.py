"""What a video says of itself is what its frames are, on both sides."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from wildsr.error import UserError
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.video import _Frames, upscale_video

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


def planes(frame):
    """Y, Cb and Cr of a frame as floats, in levels of 8 bits."""
    deep = "10" in frame.format.name
    parts = [
        np.frombuffer(plane, "<u2" if deep else np.uint8).reshape(plane.height, -1)
        for plane in frame.planes
    ]
    wide = [(part[:, : plane.width]) for part, plane in zip(parts, frame.planes, strict=True)]
    return [part.astype(float) / (4 if deep else 1) for part in wide]


@pytest.mark.parametrize("outscale", [2, 1.5])
@pytest.mark.parametrize("said", [FULL, STUDIO])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv420p10le"])
def test_a_video_is_as_bright_and_colourful_as_its_source(
    tmp_path, nearest, pixel_format, said, outscale
):
    """Means of Y, Cb and Cr, which a network that repeats pixels leaves as they are."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    drawn = np.random.default_rng(0).integers(60, 180, (16, 16, 3))
    pixels = drawn.repeat(8, 0).repeat(8, 1).astype(np.uint8)
    with av.open(str(source), "w") as written:
        stream = written.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 128, 128, pixel_format
        stream.options = {"crf": "1"}
        stream.codec_context.color_range, stream.codec_context.colorspace = said, 5
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame = frame.reformat(format=pixel_format, dst_colorspace=5, dst_color_range=said)
        written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
    upscale_video(nearest, source, target, outscale, quality=100)
    means = []
    for path in (source, target):
        with av.open(str(path)) as opened:
            means.append([part.mean() for part in planes(next(opened.decode(video=0)))])
    assert np.abs(np.subtract(*means)).max() < 0.3, means


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


def beep(path, codec, layout="stereo"):
    """A frame, and a fifth of a second of silence."""
    with av.open(str(path), "w") as written:
        webm = path.suffix == ".webm"
        stream = written.add_stream("libvpx-vp9" if webm else "mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = written.add_stream(codec, rate=48000)
        sound.layout = layout
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")
        written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
        size = sound.codec_context.frame_size or 1024
        made = av.AudioResampler(sound.codec_context.format, layout, 48000, size)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 9600), np.int16), "s16", "stereo")
        silence.sample_rate = 48000
        for part in made.resample(silence):
            written.mux(sound.encode(part))
        written.mux(sound.encode(None))


@pytest.mark.parametrize(
    ("name", "codec", "target", "named"),
    [
        ("in.mkv", "pcm_s16le 5.1", "out.mp4", "pcm_s16le"),
        ("in.webm", "libopus", "out.mov", "opus"),
        ("in.mkv", "flac", "out.mov", "flac"),
        ("in.mkv", "aac", "out.webm", "aac"),
        ("in.mov", "pcm_mulaw", "out.mkv", "pcm_mulaw"),
        ("in.avi", "pcm_s16le", "out.mp4", None),
        ("in.avi", "pcm_s16le 5.1", "out.mp4", None),
        ("in.avi", "pcm_s16le mono", "out.mp4", None),
        ("in.mkv", "flac", "out.mp4", None),
        ("in.avi", "pcm_s16le", "out.mov", None),
        ("in.avi", "pcm_s16le", "out.mkv", None),
    ],
)
def test_sound_that_a_container_cannot_hold_is_refused_at_once(
    tmp_path, name, codec, target, named
):
    def never(lr):
        raise AssertionError("a frame was computed")

    beep(tmp_path / name, *codec.split())
    network = nn.Upsample(scale_factor=2)
    if named is not None:
        network.forward = never
    up = Upscaler(network, network, 2, "nearest", torch.device("cpu"))
    if named is None:
        assert upscale_video(up, tmp_path / name, tmp_path / target) == 1
        with av.open(str(tmp_path / target)) as opened:
            assert len(opened.streams.audio) == 1
        return
    said = rf"^{target} cannot hold the video's sound \({named}\); name an `output` that ends"
    said += r" in \.m(kv|ov)\.$"
    with pytest.raises(UserError, match=said):
        upscale_video(up, tmp_path / name, tmp_path / target)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("ratio", "suffix", "size"),
    [
        (Fraction(4, 3), ".mkv", (192, 96)),
        (Fraction(4, 3), ".mp4", (192, 96)),
        (Fraction(4, 3), ".webm", (256, 96)),  # VP9 has no place for it
        (Fraction(3, 4), ".webm", (192, 128)),
        (Fraction(1), ".webm", (192, 96)),
    ],
)
def test_pixels_that_are_not_square_are_shown_as_they_were(tmp_path, nearest, ratio, suffix, size):
    with av.open(str(tmp_path / "in.mkv"), "w") as written:
        stream = written.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = ratio
        stream.codec_context.colorspace = 1  # BT.709, which small videos do not have unsaid
        frame = av.VideoFrame.from_ndarray(np.full((48, 96, 3), 90, np.uint8), format="rgb24")
        written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
    target = tmp_path / f"out{suffix}"
    upscale_video(nearest, tmp_path / "in.mkv", target)
    with av.open(str(target)) as made:
        stream = made.streams.video[0]
        assert (stream.width, stream.height) == size
        assert stream.sample_aspect_ratio == (1 if suffix == ".webm" else ratio)
        assert next(made.decode(video=0)).colorspace == 1


@pytest.mark.parametrize("pixel_format", ["yuv420p", "gbrp"])
def test_colours_stay_where_the_file_does_not_say_its_matrix(tmp_path, nearest, pixel_format):
    """Players take BT.601 for small videos that do not say, and BT.709 for large ones."""
    source, target = tmp_path / "in.mkv", tmp_path / "out.mkv"
    colour = np.array([30, 200, 60], np.uint8)
    with av.open(str(source), "w") as written:
        rgb = pixel_format == "gbrp"
        stream = written.add_stream("libx264rgb" if rgb else "libx264", rate=5)
        stream.width, stream.height = 480, 480
        stream.pix_fmt = "rgb24" if rgb else pixel_format
        stream.options = {"crf": "1"}
        frame = av.VideoFrame.from_ndarray(np.tile(colour, (480, 480, 1)), format="rgb24")
        if not rgb:
            frame = frame.reformat(format=pixel_format, dst_colorspace=5)
        written.mux(stream.encode(frame))
        written.mux(stream.encode(None))
    upscale_video(nearest, source, target)
    with av.open(str(target)) as made:
        frame = next(made.decode(video=0))
        assert frame.height == 960
        said = int(frame.colorspace)
        matrix = {0: 1, 2: 1}.get(said, said)
        pixels = frame.reformat(format="rgb24", src_colorspace=matrix).to_ndarray()
    assert np.abs(pixels.reshape(-1, 3).mean(0) - colour).max() <= 3


def test_frames_computed_together_are_all_there(tmp_path):
    """Two at once, of three."""
    network = nn.Upsample(scale_factor=2)
    device = torch.device("cpu")
    bars(tmp_path / "in.mp4", STUDIO)
    made = []
    for batch in (1, 2):
        up = Upscaler(network, network, 2, "nearest", device, batch=batch, tile=128)
        assert up.together == batch
        assert upscale_video(up, tmp_path / "in.mp4", tmp_path / f"{batch}.mp4") == 3
        with av.open(str(tmp_path / f"{batch}.mp4")) as opened:
            made.append([frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)])
    assert np.array_equal(*made)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("out.png", lambda data: data, r"`output` must end in one of \['\.mp4'.*out\.png"),
        ("out.mp4", lambda data: data[:-3], "in.mp4 cannot be read: it ends early"),
        ("out.mp4", lambda data: data.replace(b"avc1", b"xxxx"), "FFmpeg has no decoder for it"),
        ("out.mp4", lambda data: data.replace(b"moov", b"xxxx"), "in.mp4 cannot be turned into"),
    ],
)
def test_what_fails_leaves_a_sentence_and_no_file(name, change, reason, tmp_path, nearest):
    bars(tmp_path / "in.mp4", STUDIO)
    (tmp_path / "in.mp4").write_bytes(change((tmp_path / "in.mp4").read_bytes()))
    with pytest.raises(UserError, match=reason) as said:
        upscale_video(nearest, tmp_path / "in.mp4", tmp_path / name)
    assert "\n" not in str(said.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize(("time", "when"), [(1.5, r" at 1\.50 s"), (None, "")])
def test_a_frame_that_its_decoder_gives_up_ends_it(tmp_path, nearest, time, when):
    """Also one without a time of its own."""
    frame = SimpleNamespace(is_corrupt=True, time=time)
    video = SimpleNamespace(type="video")
    packet = SimpleNamespace(stream=video, decode=lambda: [frame])
    read = SimpleNamespace(name="in.mp4", demux=lambda *streams: [packet], streams=[])
    frames = _Frames.__new__(_Frames)
    frames.read, frames.video, frames.carried = read, video, []
    with pytest.raises(UserError, match=rf"^Video in\.mp4 is damaged{when}\.$"):
        list(frames._batches())
