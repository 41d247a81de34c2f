"""The verb ``upscale``: folders, what exists, what is broken, being killed, videos."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from torch import nn

from wildsr.archive.manifest import FOLDER, digest, read
from wildsr.error import UserError
from wildsr.inference.file import Settings
from wildsr.inference.job import carry_out as carry_out_job
from wildsr.inference.tasks import tasks
from wildsr.inference.upscaler import Upscaler

ROOT = Path(__file__).parents[2]
SHARED = os.environ.get("WILDSR_SHARED")


@pytest.fixture
def folder(tmp_path, fill):
    """Three photos and a text, in a tree."""
    fill(tmp_path / "in", 2, (20, 24))
    fill(tmp_path / "in" / "sub" / "deep", 1, (12, 30), seed=3)
    (tmp_path / "in" / "notes.txt").write_text("not a photo")
    return tmp_path / "in"


def tree(folder):
    """All files, hidden ones too, but for the manifests."""
    files = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in files if not name.startswith(f"{FOLDER}/"))


def test_a_folder_keeps_its_tree(weights, folder, tmp_path, carry_out, capsys):
    arguments = [f"weights={weights}", f"input={folder}", f"output={tmp_path / 'out'}"]
    assert carry_out("upscale", arguments) == 0
    assert tree(tmp_path / "out") == ["photo0.png", "photo1.png", "sub/deep/photo0.png"]
    assert Image.open(tmp_path / "out/sub/deep/photo0.png").size == (60, 24)
    said = capsys.readouterr().out
    assert "2x_it: x2, torch on cpu" in said
    assert "3 upscaled (0.0 MPix" in said
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.png")}
    assert carry_out("upscale", arguments) == 0
    assert "3 skipped" in capsys.readouterr().out
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.png")}
    assert carry_out("upscale", [*arguments, "overwrite=true"]) == 0
    assert all(p.stat().st_mtime_ns > stamp for p, stamp in stamps.items())


def test_a_run(finished, photos, tmp_path, carry_out):
    out = tmp_path / "out"
    assert carry_out("upscale", [f"run={finished}", f"input={photos.val_lr}", f"output={out}"]) == 0
    for name in ("photo0.png", "photo1.png"):  # as the training's own validation made them
        ours = np.asarray(Image.open(out / name)).astype(int)
        theirs = np.asarray(Image.open(finished / "results" / "supervised" / name)).astype(int)
        assert np.abs(ours - theirs).max() <= 1


@pytest.mark.heavy
def test_integers_say_what_they_cost_and_the_manifest_who_computed(
    weights, fill, tmp_path, carry_out, capsys, monkeypatch
):
    for package in ("openvino", "onnx", "nncf"):
        pytest.importorskip(package)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fill(tmp_path / "in", 2, (70, 130))
    arguments = [f"weights={weights}", f"input={tmp_path / 'in'}", f"output={tmp_path / 'in/up'}"]
    said = []
    for engine in ("openvino", "auto"):  # the second time with results below the photos
        extra = [f"engine={engine}", "precision=int8", "overwrite=true"]
        assert carry_out("upscale", [*arguments, *extra]) == 0
        said.append(
            re.search(r"openvino on cpu, int8, which costs (\d+\.\d) dB", capsys.readouterr().out)
        )
    assert said[0][1] == said[1][1]
    entries = read(tmp_path / "in/up").values()
    assert {entry.by for entry in entries} == {f"openvino, int8 ({said[0][1]} dB from float32)"}
    assert len(entries) == 2


def test_one_photo_to_a_name(weights, folder, tmp_path, carry_out):
    target = tmp_path / "new" / "result.webp"
    arguments = [f"weights={weights}", f"input={folder / 'photo0.png'}", f"output={target}"]
    assert carry_out("upscale", [*arguments, "outscale=1.5", "quality=80"]) == 0
    with Image.open(target) as image:
        assert (image.format, image.size) == ("WEBP", (36, 30))


def test_every_option_at_once(weights, folder, tmp_path, carry_out):
    options = ["ensemble=true", "colour_fix=true", "tile=8", "overlap=8", "batch=3", "depth=16"]
    options += ["format=tif", "device=cpu", "precision=fp32", "scale=2", "limit=1"]
    arguments = [f"weights={weights}", f"input={folder}", f"output={tmp_path / 'out'}", *options]
    assert carry_out("upscale", arguments) == 0
    assert tree(tmp_path / "out") == ["photo0.tif", "photo1.tif", "sub/deep/photo0.tif"]


def test_one_bad_file_does_not_stop_the_rest(weights, folder, tmp_path, carry_out, capsys):
    (folder / "a.png").write_text("no image")
    (folder / "z.jpg").write_bytes((folder / "photo0.png").read_bytes()[:200])
    Image.new("L", (2000, 1100)).save(folder / "large.png")
    arguments = [f"weights={weights}", f"input={folder}", f"output={tmp_path / 'out'}", "limit=2"]
    assert carry_out("upscale", arguments) == 1
    assert tree(tmp_path / "out") == ["photo0.png", "photo1.png", "sub/deep/photo0.png"]
    said = capsys.readouterr().out
    assert "3 upscaled" in said
    assert "3 failed" in said
    assert {name for name, entry in read(tmp_path / "out").items() if entry.error} == {
        *("a.png", "z.jpg", "large.png"),
    }
    assert "a.png: not an image" in said
    assert "z.jpg: damaged, or it ends early" in said
    assert "more than `limit` allows (2 megapixels)" in said


def test_what_is_refused(weights, folder, tmp_path, refused):
    some, here = [f"weights={weights}"], [f"input={folder}"]
    for arguments, sentence in (
        (some, "`input` must be given"),
        ([*some, f"input={tmp_path / 'none'}"], "does not exist"),
        ([*some, *here, f"output={folder}"], "another folder than the photos'"),
        ([*some, f"input={folder / 'photo0.png'}", f"output={folder}"], "another folder"),
        ([*some, f"input={folder / 'notes.txt'}"], "must be a folder of images"),
        (here, "One of `run`"),
        ([*some, *here, "scale=3"], "`scale` must be that of the network, 2, but got 3"),
        ([*some, *here, "outscale=big"], "`outscale` must be a number"),
        ([*some, *here, "tile=yes"], "`tile` must be a number"),
        ([*some, *here, "quality=101"], "`quality` must be 1 to 100"),
        ([*some, *here, "ensemble=8"], "`ensemble` must be true or false"),
        ([*some, *here, "format=bmp"], "`format` must be one of"),
        ([*some, *here, "outscael=2"], "Did you mean 'outscale'"),
        ([*some, *here, "precision=int8"], "needs engine=openvino (or auto), but got engine=torch"),
        ([*some, *here, "calibration=X"], "`calibration` is for precision=int8"),
        (
            [*some, *here, "engine=auto", "precision=int8", "calibration=NONE"],
            "`calibration` must be a photo or a folder of photos, but NONE is neither",
        ),
        ([*some, *here, "engine=auto", "cluster=ray"], "name one (engine=openvino)"),
        ([f"run={tmp_path}", *here], "error: "),
    ):
        if not any(argument.startswith("output=") for argument in arguments):
            arguments = [*arguments, f"output={tmp_path / 'out'}"]
        found = refused("upscale", arguments)
        assert sentence in found, (arguments, found)


def test_names_of_results(tmp_path, noise_photo):
    for name in ("a.jpg", "a.png", "b.bmp", "sub/c.JPG", "sub/d.webp"):
        noise_photo(tmp_path / "in" / name)
    found = {t.source.name: t.target for t in tasks(tmp_path / "in", tmp_path / "out", None)}
    out = tmp_path / "out"
    assert found == {
        "a.jpg": out / "a.jpg",
        "a.png": out / "a.png",
        "b.bmp": out / "b.png",
        "c.JPG": out / "sub/c.JPG",
        "d.webp": out / "sub/d.webp",
    }
    found = {t.source.name: t.target for t in tasks(tmp_path / "in", out, "png")}
    assert (found["a.jpg"], found["a.png"]) == (out / "a.jpg.png", out / "a.png.png")
    assert found["c.JPG"] == out / "sub/c.png"


def test_results_inside_the_input_are_not_upscaled_again(tmp_path, noise_photo):
    noise_photo(tmp_path / "a.png")
    noise_photo(tmp_path / "out" / "a.png")
    assert [t.source for t in tasks(tmp_path, tmp_path / "out", None)] == [tmp_path / "a.png"]
    (tmp_path / "a.png").unlink()
    with pytest.raises(UserError, match="holds only results"):
        list(tasks(tmp_path, tmp_path / "out", None))


@pytest.mark.parametrize("output", [".", "..", "link"])
def test_an_output_that_contains_the_photos(
    output, weights, tmp_path, noise_photo, refused, monkeypatch
):
    noise_photo(tmp_path / "in" / "photos" / "a.png")
    (tmp_path / "in" / "link").symlink_to("..")
    monkeypatch.chdir(tmp_path / "in")
    said = f"`output`: {output} contains the photos of"
    assert f"{said} `input`; name another folder." in refused(
        "upscale", [f"weights={weights}", "input=photos", f"output={output}"]
    )
    assert f"{said} `hr`; name another folder." in refused(
        "degrade", ["degradation=bicubic", "scale=4", "hr=photos", f"output={output}"]
    )
    assert tree(tmp_path) == ["in/photos/a.png"]


@pytest.fixture
def noise_photo():
    def save(path, size=(6, 5), seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)

    return save


def test_small_photos_of_one_size_go_together(tmp_path, noise_photo):
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.batches = []

        def forward(self, lr):
            self.batches.append(tuple(lr.shape))
            return nn.functional.interpolate(lr, scale_factor=2)

    for number in range(5):
        noise_photo(tmp_path / "in" / f"{number}.png", seed=number)
    noise_photo(tmp_path / "in" / "other.png", size=(9, 9))
    (tmp_path / "in" / "bad.png").write_text("bad")
    network = Counting()
    made = Upscaler(network, network, 2, "it", tile=16, batch=4)
    todo = tasks(tmp_path / "in", tmp_path / "out", None)
    seen = []
    outcome = carry_out_job(made, todo, Settings(), progress=lambda *it: seen.append(it))
    assert sorted(network.batches) == [(1, 3, 6, 5), (1, 3, 9, 9), (4, 3, 6, 5)]
    assert (outcome.done, outcome.failed) == (6, 1)
    assert sum(photos for photos, _ in seen) == pytest.approx(7)
    assert sum(pixels for _, pixels in seen) == outcome.pixels == 4 * (5 * 30 + 81)
    for task in tasks(tmp_path / "in", tmp_path / "out", None):
        if task.source.name != "bad.png":
            pixels = np.asarray(Image.open(task.source))
            expected = pixels.repeat(2, axis=0).repeat(2, axis=1)
            assert np.array_equal(np.asarray(Image.open(task.target)), expected)


def test_a_full_disk_stops_a_folder_and_keeps_what_is_there(tmp_path, noise_photo, monkeypatch):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number in range(6):
        noise_photo(source / f"{number}.png", size=(8, 9), seed=number)
    network = nn.Upsample(scale_factor=2)
    seen = []

    def full(folder, size):
        seen.append(folder)
        return "No space left on device"

    def fails(upscaling):
        if upscaling.target.stem >= "2":
            raise UserError(f"{upscaling.target} cannot be written: No space left on device.")
        upscaling.encoder.finish()
        upscaling.partial.keep()

    monkeypatch.setattr("wildsr.inference.account.refusal", full)
    monkeypatch.setattr("wildsr.inference.file.Upscaling.finish", fails)
    with pytest.raises(UserError, match=r"No space left on device\. 2 upscaled photos are there"):
        carry_out_job(
            Upscaler(network, network, 2, "nearest"), tasks(source, output, None), Settings()
        )
    assert seen == [output], "the others are not tried"
    assert sorted(path.name for path in output.glob("[0-9]*")) == ["0.png", "1.png"]


def test_stopping_leaves_nothing_half_written(tmp_path, noise_photo):
    for number in range(4):
        noise_photo(tmp_path / "in" / f"{number}.png", size=(40, 40), seed=number)
    network = nn.Upsample(scale_factor=2)
    made, calls = Upscaler(network, network, 2, "it", tile=64), []

    def stop(photos, pixels):
        calls.append(pixels)
        if len(calls) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out_job(
            made, tasks(tmp_path / "in", tmp_path / "out", None), Settings(), progress=stop
        )
    for path in (tmp_path / "out").iterdir():
        assert path.suffix == ".png"
        Image.open(path).load()
    todo = tasks(tmp_path / "in", tmp_path / "out", None)
    assert carry_out_job(made, todo, Settings()).failed == 0
    assert tree(tmp_path / "out") == ["0.png", "1.png", "2.png", "3.png"]


@pytest.mark.heavy
def test_killed_and_called_again(weights, tmp_path, noise_photo, carry_out):
    """SIGKILL at several moments: what has its name is whole, and the next call finishes."""
    for number in range(6):
        noise_photo(tmp_path / "in" / f"{number}.png", size=(400, 400), seed=number)
    out = tmp_path / "out"
    arguments = [f"weights={weights}", f"input={tmp_path / 'in'}", f"output={out}"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "upscale.py"), *arguments, "tile=16", "device=cpu"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    waited, held = time.monotonic() + 120, psutil.Process(process.pid)
    while time.monotonic() < waited and process.poll() is None:
        if len(list(out.glob("[!.]*.png"))) >= 2:
            held.suspend()
            while held.status() == psutil.STATUS_RUNNING:
                time.sleep(0.001)
            if list(out.glob(".*.part")):
                break  # in the middle of a photo
            held.resume()
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = {path.name: path.read_bytes() for path in out.glob("[!.]*.png")}
    assert 2 <= len(done) < 6
    assert list(out.glob(".*.part")), "it was to be killed in the middle of a photo"
    for name in done:
        Image.open(out / name).load()
    assert carry_out("upscale", arguments) == 0
    assert tree(out) == [f"{number}.png" for number in range(6)]  # and no left-over
    assert all((out / name).read_bytes() == content for name, content in done.items())
    for path in out.glob("*.png"):
        assert Image.open(path).size == (800, 800)
        Image.open(path).load()


# Videos ----------------------------------------------------------------------------------------


def film(path, frames=6, size=(48, 64), sound=True, suffix_codec="libx264"):
    """Frames that get bluer, and a tone."""
    av = pytest.importorskip("av")
    from fractions import Fraction

    with av.open(str(path), "w") as written:
        video = written.add_stream(suffix_codec, rate=10)
        video.width, video.height, video.pix_fmt = size[1], size[0], "yuv420p"
        video.options = {"crf": "5"}
        video.codec_context.colorspace, video.codec_context.color_range = 1, 1
        audio = written.add_stream("aac", rate=44100) if sound else None
        for number in range(frames):
            pixels = np.zeros((*size, 3), np.uint8)
            pixels[..., 0], pixels[:, : size[1] // 2, 1] = 200, 100
            pixels[..., 2] = number * 30
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=1)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            written.mux(video.encode(frame))
        written.mux(video.encode(None))
        if audio is not None:
            wave = (np.sin(np.arange(26460) * 0.0627) * 20000).astype(np.int16)[None]
            for start in range(0, 26460, 1024):
                part = av.AudioFrame.from_ndarray(wave[:, start : start + 1024], "s16", "mono")
                part.sample_rate, part.pts = 44100, start
                written.mux(audio.encode(part))
            written.mux(audio.encode(None))


def packets(path):
    import av

    with av.open(str(path)) as read:
        return [bytes(p) for p in read.demux(read.streams.audio) if p.size]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_a_video_keeps_its_sound_times_and_colours(suffix, weights, tmp_path, carry_out):
    av = pytest.importorskip("av")
    film(tmp_path / "a.mp4")
    target = tmp_path / f"b.{suffix}"
    arguments = [f"weights={weights}", f"input={tmp_path / 'a.mp4'}", f"output={target}"]
    assert carry_out("upscale", arguments) == 0
    assert packets(target) == packets(tmp_path / "a.mp4")
    with av.open(str(target)) as read:
        video = read.streams.video[0]
        assert (video.width, video.height) == (128, 96)
        assert (int(video.codec_context.colorspace), video.average_rate) == (1, 10)
        frames = list(read.decode(video))
    assert len(frames) == 6
    assert np.diff([frame.time for frame in frames]) == pytest.approx(0.1, abs=2e-3)
    for number, frame in enumerate(frames):
        pixels = frame.reformat(format="rgb24", src_colorspace=1).to_ndarray().astype(int)
        for column, green in ((20, 100), (108, 0)):
            away = np.abs(pixels[48, column] - (200, green, number * 30))
            assert away.max() <= 14, (number, column, pixels[48, column])
    assert carry_out("upscale", arguments) == 0  # exists


def test_a_silent_video_to_an_odd_size(weights, tmp_path, carry_out):
    av = pytest.importorskip("av")
    film(tmp_path / "a.mp4", frames=2, sound=False)
    arguments = [f"weights={weights}", f"input={tmp_path / 'a.mp4'}", f"output={tmp_path / 'o'}"]
    assert carry_out("upscale", [*arguments, "outscale=1.3"]) == 0
    with av.open(str(tmp_path / "o" / "a.mp4")) as read:
        assert (read.streams.video[0].width, read.streams.video[0].height) == (84, 62)


def test_videos_that_cannot_be(weights, tmp_path, refused, monkeypatch):
    pytest.importorskip("av")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    arguments = [f"weights={weights}", f"input={tmp_path / 'bad.mp4'}", f"output={tmp_path / 'o'}"]
    assert "by its content it is none of MP4" in refused("upscale", arguments)
    assert tree(tmp_path / "o") == []
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'wildsr[video]'" in refused("upscale", arguments)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("output=s3://x/y", "`output` of a video must be a file or folder of this machine"),
        ("output=zip://::o.zip", "must be a file or folder of this machine"),
        ("output=o.tar", "must be a folder, or end in one of ['.mp4'"),
        ("output=o.zip", "must be a folder, or end in one of"),
        ("output=o.gif", "must be a folder, or end in one of"),
        ("output=o.npy", "must be a folder, or end in one of"),
        ("output=o.avi", "must be a folder, or end in one of"),
        ("output=a.mp4", "`output` must be another file than the video"),
        ("output=.", "`output` must be another file than the video"),
        ("cluster=ray", "`cluster` is of photos only"),
        ("retry=failed", "`retry` is of photos only"),
        ("depth=16", "`depth` is of photos only"),
        ("format=png", "`format` is of photos only"),
        ("page=1", "`page` is of photos only"),
        ("bands=[1]", "`bands` is of photos only"),
        ("range=auto", "`range` is of photos only"),
    ],
)
def test_a_video_is_not_put_where_it_cannot_be(
    change, reason, weights, tmp_path, refused, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"it is not opened")
    assert reason in refused("upscale", [f"weights={weights}", "input=a.mp4", change])
    assert tree(tmp_path) == ["a.mp4"]


def test_a_video_goes_into_a_folder_with_a_dot(weights, tmp_path, carry_out):
    film(tmp_path / "a.avi", frames=1, sound=False)
    arguments = [f"weights={weights}", f"input={tmp_path / 'a.avi'}", "depth=8"]
    (tmp_path / "o.tar").mkdir()
    for folder in ("out.v2", "o.tar"):
        assert carry_out("upscale", [*arguments, f"output={tmp_path / folder}"]) == 0
        assert tree(tmp_path / folder) == ["a.mkv"]


# Photos and weights of others --------------------------------------------------------------------


@pytest.mark.skipif(SHARED is None, reason="WILDSR_SHARED names no folder with photos and weights")
def test_real_photos_and_weights(tmp_path, carry_out):
    data = Path(str(SHARED)) / "data"
    (tmp_path / "in").mkdir()
    for name in ("chip.png", "oldphoto2.png"):
        shutil.copy(data / "realsrset" / name, tmp_path / "in")
    weights = data / "weights" / "compact_x4_photo.pth"
    results = []
    for tile in (48, 512):
        out = tmp_path / str(tile)
        arguments = [f"weights={weights}", f"input={tmp_path / 'in'}", f"output={out}"]
        assert carry_out("upscale", [*arguments, f"tile={tile}", "precision=fp32"]) == 0
        results.append([np.asarray(Image.open(p)).astype(int) for p in sorted(out.iterdir())])
    for tiled, whole in zip(*results, strict=True):
        assert np.abs(tiled - whole).max() <= 1


@pytest.mark.parametrize("suffix", ["bmp", "gif", "jp2", "BMP"])
def test_a_file_of_a_format_that_is_not_written_is_no_folder(
    suffix, weights, folder, tmp_path, refused
):
    output = tmp_path / f"res.{suffix}"
    photo = next(path for path in folder.rglob("*") if path.is_file())
    error = refused("upscale", [f"weights={weights}", f"input={photo}", f"output={output}"])
    assert "`output`: the suffix must be one of [" in error
    assert "'jpeg', 'jpg', 'npy', 'npz', 'png', 'tif'" in error
    assert f"but got '{suffix.lower()}'" in error
    error = refused("upscale", [f"weights={weights}", f"input={folder}", f"output={output}"])
    assert "`output` must be a folder for several photos" in error
    assert not output.exists()


# Parts and further attempts ----------------------------------------------------------------------


def test_parts_together_are_the_whole(weights, tmp_path, fill, carry_out, capsys, monkeypatch):
    fill(tmp_path / "in", 9, (12, 16))
    fill(tmp_path / "in" / "sub", 4, (12, 16), seed=7)
    some = [f"weights={weights}", f"input={tmp_path / 'in'}"]
    assert carry_out("upscale", [*some, f"output={tmp_path / 'whole'}", "shard=null"]) == 0
    out = tmp_path / "parts"
    for number in range(3):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(number + 1))
        for name, value in (("MIN", 1), ("COUNT", 3), ("MAX", 3), ("STEP", 1)):
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
        assert carry_out("upscale", [*some, f"output={out}"]) == 0
        assert f"shard {number + 1}/3 of the photos" in capsys.readouterr().out
    assert tree(out) == tree(tmp_path / "whole")
    for name in tree(out):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    entries = read(out)
    assert sorted(entries) == tree(tmp_path / "in")
    for name, entry in entries.items():
        assert entry.hash == digest(out / name) == read(tmp_path / "whole")[name].hash
        assert entry.seconds > 0
    assert len(list((out / FOLDER).iterdir())) == 3


def test_only_those_that_failed_are_tried_again(weights, folder, tmp_path, carry_out, capsys):
    good = (folder / "photo0.png").read_bytes()
    (folder / "cut.png").write_bytes(good[:100])
    (folder / "bad.png").write_text("no image")
    some = [f"weights={weights}", f"input={folder}", f"output={tmp_path / 'out'}"]
    assert carry_out("upscale", some) == 1
    (folder / "cut.png").write_bytes(good)
    (folder / "new.png").write_bytes(good)
    capsys.readouterr()
    assert carry_out("upscale", [*some, "retry=failed"]) == 1
    assert "1 upscaled" in capsys.readouterr().out
    assert "new.png" not in tree(tmp_path / "out")
    assert {name for name, entry in read(tmp_path / "out").items() if entry.error} == {"bad.png"}
    (folder / "bad.png").write_bytes(good)
    assert carry_out("upscale", [*some, "retry=failed"]) == 0
    assert carry_out("upscale", [*some, "retry=failed"]) == 0  # none is left
    assert carry_out("upscale", some) == 0
    assert "new.png" in tree(tmp_path / "out")


def test_parts_and_attempts_that_cannot_be(weights, folder, tmp_path, refused):
    some = [f"weights={weights}", f"input={folder}", f"output={tmp_path / 'out'}"]
    assert "`shard` must be k/n" in refused("upscale", [*some, "shard=4/3"])
    assert "`retry` must be failed or null" in refused("upscale", [*some, "retry=all"])
    assert "has none; without `retry`" in refused("upscale", [*some, "retry=failed"])


def test_measured_values(weights, tmp_path, carry_out, refused):
    """Keys of bands, pages and ranges reach the reader, and what they cannot be is said."""
    pixels = np.random.default_rng(0).integers(0, 4000, (20, 30, 5)).astype(np.uint16)
    source = tmp_path / "a.npy"
    np.save(source, pixels)
    given = [f"weights={weights}", f"input={source}"]
    assert carry_out("upscale", [*given, f"output={tmp_path / 'out'}"]) == 0
    made = np.load(tmp_path / "out" / "a.npy")
    assert (made.shape, made.dtype) == ((40, 60, 5), np.uint16)
    shown = [f"output={tmp_path / 'b.png'}", "bands=[4,3,2]", "range=[0,4000]", "depth=8"]
    assert carry_out("upscale", [*given, *shown]) == 0
    with Image.open(tmp_path / "b.png") as image:
        assert (image.mode, image.size) == ("RGB", (60, 40))
    given.append(f"output={tmp_path / 'c.tif'}")
    for typed, reason in (
        ("bands=[0]", "`bands` must be a list of numbers from 1, such as [3, 2, 1]"),
        ("bands=some", "`bands` must be a list of numbers from 1"),
        ("page=0", "`page` must be 1 or more"),
        ("range=[5,1]", "`range` must be [low, high], auto, window or null, but got [5, 1]"),
        ("range=wide", "`range` must be [low, high], auto, window or null, but got wide"),
        ("depth=12", "`depth` must be 8, 16, float or null, but got 12"),
        ("identity=yes", "`identity` must be one of"),
    ):
        assert reason in refused("upscale", [*given, typed])
    assert not (tmp_path / "c.tif").exists()
