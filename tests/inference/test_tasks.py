"""Which photos become which files, found as a stream, in shards."""

import os
import threading

import pytest

from wildsr.archive.shard import Shard
from wildsr.error import UserError
from wildsr.inference.tasks import Choice, result_names, tasks
from wildsr.photo import folder as listing


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def targets(root, output, format=None, choice=None):
    return {t.input: t.output for t in tasks(root, output, format, choice)}


def test_names_that_clash_are_known_in_every_shard(tmp_path):
    names = [f"{n}{suffix}" for n in range(40) for suffix in (".jpg", ".png", ".PNG", ".bmp")]
    names += [f"sub/{n}.gif" for n in range(40)] + [f"SUB/{n}.png" for n in range(40)]
    touch(tmp_path / "in", *names)
    for format in (None, "webp"):
        whole = targets(tmp_path / "in", tmp_path / "out", format)
        assert set(whole) == set(names)
        assert len({name.lower() for name in whole.values()}) == len(names)
        joined = {}
        for number in range(1, 8):
            part = targets(tmp_path / "in", tmp_path / "out", format, Choice(Shard(number, 7)))
            assert part
            assert not part.keys() & joined.keys()
            joined |= part
        assert joined == whole


def test_folders_that_differ_by_case_do_not_share_results(tmp_path):
    touch(tmp_path / "in", "A/x.png", "a/x.png", "b/x.png", "A/sub/y.png", "a/SUB/y.png")
    found = targets(tmp_path / "in", tmp_path / "out")
    assert found["b/x.png"] == "b/x.png"
    assert len({name.lower() for name in found.values()}) == 5


def test_adding_photos_moves_none_to_another_shard(tmp_path):
    touch(tmp_path / "in", *(f"{n}.png" for n in range(50)))
    choice = Choice(Shard(2, 3))
    before = set(targets(tmp_path / "in", tmp_path / "out", None, choice))
    touch(tmp_path / "in", *(f"new{n}.png" for n in range(50)))
    after = set(targets(tmp_path / "in", tmp_path / "out", None, choice))
    assert before == {name for name in after if not name.startswith("new")}


def test_only_those_that_were_named(tmp_path):
    touch(tmp_path / "in", "a.png", "b.png", "c/d.png")
    choice = Choice(only=frozenset({"c/d.png", "gone.png"}))
    assert targets(tmp_path / "in", tmp_path / "out", None, choice) == {"c/d.png": "c/d.png"}


def test_work_begins_before_the_last_folder_is_listed_and_no_photo_is_opened(tmp_path, monkeypatch):
    touch(tmp_path / "in", "a/1.png", "b/2.png")
    last, scandir = threading.Event(), os.scandir

    def slow(path):
        if os.path.basename(path) == "b":
            last.wait(60)
        return scandir(path)

    monkeypatch.setattr(listing.os, "scandir", slow)
    found = iter(tasks(tmp_path / "in", tmp_path / "out", None))
    assert next(found).input == "a/1.png"  # which is empty: nothing was read of it
    last.set()
    assert [task.input for task in found] == ["b/2.png"]


def test_the_order_is_that_of_names(tmp_path):
    touch(tmp_path / "in", "b/2.png", "b/1.png", "a.png", "c/d/e.png", "c/b.png")
    found = [task.input for task in tasks(tmp_path / "in", tmp_path / "out", None)]
    assert found == ["a.png", "b/1.png", "b/2.png", "c/b.png", "c/d/e.png"]


def test_results_below_the_photos_through_links_are_left_out(tmp_path):
    touch(tmp_path / "in", "a.png", "out/a.png", "out/deep/b.png")
    (tmp_path / "in" / "link").symlink_to("out", target_is_directory=True)
    (tmp_path / "in" / "c.png").symlink_to("out/a.png")
    assert targets(tmp_path / "in", tmp_path / "in" / "out") == {"a.png": "a.png"}


def test_an_empty_folder_is_said_when_the_first_is_asked_for(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(UserError, match="holds none"):
        next(iter(tasks(tmp_path / "in", tmp_path / "out", None)))


def test_names_that_are_as_long_as_may_be():
    (pair,) = result_names(["sub/" + "x" * 251 + ".gif"], "webp")
    assert pair[1] == "sub/" + "x" * 250 + ".webp"


def test_a_photo_that_is_called_as_anothers_result():
    names = ["a.jpg", "a.jpg.png", "a.png"]
    assert dict(result_names(names, "png")) == {
        "a.jpg": "a.jpg-2.png",
        "a.jpg.png": "a.jpg.png",
        "a.png": "a.png.png",
    }
