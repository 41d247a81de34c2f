"""The verb that writes pairs: names, determinism, going on, what it refuses."""

import io
import json
import os
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from wildsr.archive.manifest import digest, read
from wildsr.archive.shard import Shard
from wildsr.cli.degrade_folder import number_of_pairs
from wildsr.degradation.camera import KnownCamera
from wildsr.error import UserError
from wildsr.pixels import floats
from wildsr.report.degradation.camera import kernel_statistics
from wildsr.report.degradation.describe import measured_kernel
from wildsr.run.lock import Lock
from wildsr.run.together import FOLDER as LOCKS
from wildsr.run.together import writing_together

KNOWN = ["degradation=mild", "scale=4"]


def pixels(folder):
    return {path.name: np.array(Image.open(path)) for path in sorted(folder.glob("*"))}


def same(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[name], other[name]) for name in one)


@pytest.fixture
def degrade(carry_out, photos, tmp_path):
    """``degrade("out", more)``: the verb on the sharp photos; its exit code."""
    return lambda out, *more, hr=photos.hr: carry_out(
        "degrade", [f"hr={hr}", f"output={tmp_path / out}", *more]
    )


def test_a_run_makes_pairs_of_the_same_plain_names(degrade, finished, photos, tmp_path):
    assert degrade("it", f"run={finished}") == 0
    hr, lr = (pixels(tmp_path / "it" / side) for side in ("hr", "lr"))
    assert list(hr) == list(lr) == ["photo0.png", "photo1.png", "photo2.png"]
    for name, image in hr.items():
        assert np.array_equal(image, np.array(Image.open(photos.hr / name)))
        assert tuple(4 * side for side in lr[name].shape[:2]) == image.shape[:2]
    assert Image.open(tmp_path / "it" / "real_vs_fake.png").size > (500, 500)
    made = json.loads((tmp_path / "it" / "degrade.json").read_text())
    assert (made["scale"], made["seed"]) == (4, 0)


def test_pictures_depend_on_the_seed_and_the_draw_alone(degrade, fill, photos, tmp_path):
    assert degrade("a", *KNOWN, "draws=2") == 0
    assert degrade("b", *KNOWN, "draws=2") == 0
    assert degrade("c", *KNOWN, "draws=2", "seed=1") == 0
    a, b, c = (pixels(tmp_path / name / "lr") for name in "abc")
    assert same(a, b)
    assert not same(a, c)
    assert not np.array_equal(a["photo0_1.png"], a["photo0_2.png"])
    more = fill(tmp_path / "more", 1, (64, 72), seed=9)
    (more / "photo0.png").rename(more / "a_first.png")
    for path in photos.hr.iterdir():
        os.link(path, more / path.name)
    assert degrade("d", *KNOWN, "draws=2", hr=more) == 0
    d = pixels(tmp_path / "d" / "lr")
    assert {"a_first_1.png", "a_first_2.png"} == d.keys() - a.keys()
    assert same(a, {name: d[name] for name in a}), "whatever else is in the folder"


def test_it_goes_on_where_it_was_stopped(degrade, tmp_path):
    assert degrade("it", *KNOWN) == 0
    lr = tmp_path / "it" / "lr"
    whole = pixels(lr)
    (lr / "photo1.png").unlink()  # a kill between the two of a pair
    before = (lr / "photo0.png").stat().st_mtime_ns
    assert degrade("it", *KNOWN) == 0
    assert same(whole, pixels(lr))
    assert (lr / "photo0.png").stat().st_mtime_ns == before, "what is there is not made again"
    assert degrade("it", *KNOWN, "overwrite=true") == 0
    assert (lr / "photo0.png").stat().st_mtime_ns > before
    assert not list((tmp_path / "it").rglob(".*.part")), "no half of a file"


def test_quality_and_format(degrade, tmp_path):
    bicubic = ["degradation=bicubic", "scale=4"]
    assert degrade("plain", *bicubic) == 0
    assert degrade("jpeg", *bicubic, "format=jpeg", "quality=60") == 0
    assert degrade("decoded", *bicubic, "quality=60") == 0
    plain, jpeg, decoded = (pixels(tmp_path / name / "lr") for name in ("plain", "jpeg", "decoded"))
    assert list(jpeg) == ["photo0.jpg", "photo1.jpg", "photo2.jpg"]
    assert list(decoded) == list(plain)
    for name, image in plain.items():
        coded = jpeg[name.replace("png", "jpg")]
        assert np.array_equal(coded, decoded[name]), "the same pixels, for trainers that want PNG"
        encoded = io.BytesIO()
        Image.fromarray(image).save(encoded, "JPEG", quality=60)
        assert np.array_equal(np.array(Image.open(encoded)), decoded[name])


def test_one_bad_file_costs_its_pair(degrade, fill, tmp_path, capsys):
    folder = fill(tmp_path / "sharp", 2, (64, 72))
    (folder / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (5, 3)).save(folder / "tiny.png")
    assert degrade("it", *KNOWN, hr=folder) == 1
    said = capsys.readouterr().out
    assert "2 of 4 pairs" in said
    assert "broken.png cannot be read" in said
    assert "tiny.png has 5x3 pixels: too small for x4" in said
    assert list(pixels(tmp_path / "it" / "lr")) == ["photo0.png", "photo1.png"]


def test_two_photos_of_one_name(degrade, tmp_path):
    folder = tmp_path / "sharp"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.png", "a.bmp", "sub/a.png"):
        Image.new("RGB", (16, 16), "red").save(folder / name)
    assert degrade("it", *KNOWN, hr=folder) == 0
    assert list(pixels(tmp_path / "it" / "hr")) == ["a-2.png", "a.png", "sub_a.png"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "`run` must be given: a run folder"),
        (["degradation=mild"], "`scale` must be given with `degradation`"),
        (["degradation=mild", "scale=5"], "`scale` must be one of"),
        ([*KNOWN, "run=nowhere"], "Either `run` or `degradation` must be given"),
        (["run=nowhere"], "nowhere does not exist"),
        ([*KNOWN, "draws=0"], "`draws` must be an integer of at least 1, but got 0"),
        (
            [*KNOWN, "quality=101"],
            "`quality` must be an integer from 1 to 100 or null, but got 101",
        ),
        ([*KNOWN, "format=jpg"], "'jpg'. Did you mean 'jpeg'?"),
        ([*KNOWN, "drawz=1"], "There is no key `drawz`. Did you mean 'draws'?"),
        (["degradation=milt", "scale=4"], "Did you mean 'mild'?"),
        ([*KNOWN, "hr=null"], "`hr` must be given: a folder"),
        ([*KNOWN, "real=nowhere"], "Argument `real` must be a folder of images"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(more, message, refused, photos, tmp_path):
    assert message in refused("degrade", [f"hr={photos.hr}", f"output={tmp_path / 'it'}", *more])
    assert not (tmp_path / "it").exists()


def test_nothing_is_overwritten_without_being_told(degrade, refused, photos, tmp_path):
    out = tmp_path / "it"
    out.mkdir()
    (out / "precious.txt").write_text("mine")
    typed = [f"hr={photos.hr}", f"output={out}", *KNOWN]
    assert "holds other files" in refused("degrade", typed)
    assert degrade("it", *KNOWN, "overwrite=true") == 0
    assert (out / "precious.txt").read_text() == "mine"
    assert "made with another seed and quality" in refused(
        "degrade", [*typed, "seed=1", "quality=50"]
    )


def test_a_kernel_is_measured_from_pairs():
    """On photos with detail in all directions, a known blur comes back."""
    from skimage import data

    sharp = floats(torch.from_numpy(data.astronaut()).permute(2, 0, 1))
    camera = KnownCamera(4, 2.4, 1.4, 30.0, read=0.0, shot=0.0, jpeg_quality=None)
    found = kernel_statistics(measured_kernel([sharp], [camera(sharp)], 4).clamp(min=0.002))
    exact = kernel_statistics(camera.kernel()[0].clamp(min=0.002))
    assert found["centre_x"] == pytest.approx(exact["centre_x"], abs=0.1)
    assert found["sigma_major"] == pytest.approx(exact["sigma_major"], rel=0.1)
    assert found["sigma_minor"] == pytest.approx(exact["sigma_minor"], rel=0.1)
    assert found["angle_degrees"] == pytest.approx(30, abs=8)


def test_its_own_pairs_are_not_degraded_again(carry_out, fill, tmp_path):
    hr = fill(tmp_path / "hr", 2, (32, 32))
    for _ in range(3):
        assert carry_out("degrade", [*KNOWN, f"hr={hr}", f"output={hr / 'pairs'}"]) == 0
    assert len(pixels(hr / "pairs" / "hr")) == 2


def test_a_start_that_was_cut_off_goes_on(carry_out, photos, tmp_path):
    for side in ("hr", "lr"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
    assert carry_out("degrade", [*KNOWN, f"hr={photos.hr}", f"output={tmp_path / 'pairs'}"]) == 0


def test_what_one_photo_raises_costs_its_pair_alone(degrade, tmp_path, monkeypatch, capsys):
    from wildsr.cli import degrade as verb

    pair, seen = verb._pair, []

    def odd(job, *rest):
        seen.append(job.path)
        if len(seen) == 2:
            raise TypeError("odd")
        return pair(job, *rest)

    monkeypatch.setattr(verb, "_pair", odd)
    assert degrade("pairs", *KNOWN) == 1
    assert f"warning: {seen[1]}: odd" in capsys.readouterr().out.replace("\n", "")


def test_parts_together_are_the_whole(degrade, fill, tmp_path, capsys):
    hr = fill(tmp_path / "sharp", 6, (16, 20))
    fill(hr / "sub", 5, (16, 20), seed=5)
    (hr / "photo0.jpg").write_bytes((hr / "photo1.png").read_bytes())  # whose pair is photo0-2
    assert degrade("whole", *KNOWN, "draws=2", hr=hr) == 0
    for number in (1, 2, 3):
        assert degrade("parts", *KNOWN, "draws=2", f"shard={number}/3", hr=hr) == 0
        assert f"shard {number}/3 of the photos" in capsys.readouterr().out
    for side in ("hr", "lr"):
        assert same(pixels(tmp_path / "whole" / side), pixels(tmp_path / "parts" / side))
    entries = read(tmp_path / "parts")
    assert sorted(entries) == [f"lr/{name}" for name in pixels(tmp_path / "parts" / "lr")]
    assert entries.keys() == read(tmp_path / "whole").keys()
    for name, entry in entries.items():
        assert entry.hash == digest(tmp_path / "parts" / name)


def test_only_those_that_failed_are_tried_again(degrade, fill, tmp_path, capsys):
    hr = fill(tmp_path / "sharp", 2, (64, 72))
    (hr / "broken.png").write_bytes(b"no picture")
    assert degrade("it", *KNOWN, hr=hr) == 1
    os.replace(hr / "photo1.png", hr / "broken.png")
    (tmp_path / "it" / "lr" / "photo0.png").unlink()
    assert degrade("it", *KNOWN, "retry=failed", hr=hr) == 0
    assert "1 of 1 pairs" in capsys.readouterr().out
    assert sorted(pixels(tmp_path / "it" / "lr")) == ["broken.png", "photo1.png"]


def test_two_processes_in_one_folder_do_not_mix(degrade, refused, photos, tmp_path):
    """What another process holds: its part to itself, and the settings against changes."""
    assert degrade("it", *KNOWN, "shard=1/2") == 0
    out = tmp_path / "it"
    some = [f"hr={photos.hr}", f"output={out}", *KNOWN]
    with Lock(out, "written", f"{LOCKS}/1-of-2"):
        said = refused("degrade", [*some, "shard=1/2"])
        assert f"{out} is being written by process {os.getpid()} on" in said
        assert degrade("it", *KNOWN, "shard=2/2") == 0
        said = refused("degrade", [*some, "shard=2/2", "seed=1", "overwrite=true"])
        assert f"{out} is being written by process {os.getpid()} on" in said
        assert json.loads((out / "degrade.json").read_text())["seed"] == 0
    assert degrade("it", *KNOWN, "shard=2/2", "seed=1", "overwrite=true") == 0
    assert json.loads((out / "degrade.json").read_text())["seed"] == 1


def test_many_starts_at_once_settle_one_after_the_other(tmp_path):
    """Of different settings the first wins, and the others learn of it."""
    won, lost = [], []

    def start(number):
        def settle(alone):
            path = tmp_path / "out" / "settings"
            if path.exists() and path.read_text() != str(number % 2):
                raise UserError("other settings")
            if not path.exists():
                alone()
                path.write_text(str(number % 2))

        try:
            with writing_together(tmp_path / "out", Shard(number + 1, 8), settle):
                won.append(number % 2)
        except UserError:
            lost.append(number % 2)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (4, 4)
    assert len(set(won)) == 1


@pytest.mark.parametrize(("hr", "lr"), [("a.png", "a.jpg"), ("a.tif", "a.tif")])
def test_pairs_of_every_format_are_counted(hr, lr, tmp_path):
    for side, name in (("hr", hr), ("lr", lr)):
        (tmp_path / side).mkdir()
        (tmp_path / side / name).touch()
        (tmp_path / side / ".0.part").touch()
    (tmp_path / "hr" / "b.tif").touch()
    assert number_of_pairs(tmp_path) == 1
