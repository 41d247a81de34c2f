"""Which files of a folder are photos, and what is said of the others."""

import errno
import os
from pathlib import Path

import pytest

from wildsr.error import UserError
from wildsr.photo import folder as listing
from wildsr.photo.folder import (
    bare_stem,
    is_nameless,
    list_images,
    relative_names,
    walk_images,
)
from wildsr.photo.own_results import without_results


def test_images_are_found_below_the_folder_in_order(tmp_path):
    names = ("b/2.JPG", "b/10.tiff", "a.png", "c.webp", "notes.txt", ".hidden.png")
    for name in (*names, "d.gif", "e.jfif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "e.png").touch()
    (tmp_path / "folder.png").mkdir()
    found = list_images(tmp_path, "data.lr")
    assert relative_names(found) == ["a.png", "b/10.tiff", "b/2.JPG", "c.webp", "d.gif", "e.jfif"]
    assert list_images(str(tmp_path), "data.lr") == found
    assert list_images(tmp_path / "a.png", "data.lr") == [tmp_path / "a.png"]


def test_links_inside_the_folder_are_followed_and_circles_end(tmp_path):
    folder = tmp_path / "data"
    (folder / "part").mkdir(parents=True)
    (folder / "part" / "a.png").touch()
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    (folder / "b.png").symlink_to("part/a.png")
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert relative_names(list_images(folder, "data.lr")) == ["b.png", "part/a.png"]
    assert len(list_images(tmp_path / "link", "data.lr")) == 2  # what the user named is theirs


def test_links_out_of_the_folder_are_left_out_and_said(tmp_path, said):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").touch()
    (tmp_path / "data2").mkdir()  # begins like the folder
    (tmp_path / "data2" / "secret.png").touch()
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "part").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (folder / "up").symlink_to("..", target_is_directory=True)
    (folder / "b.png").symlink_to(tmp_path / "data2" / "secret.png")
    with pytest.raises(UserError, match=r"holds none .*3 links that lead out of the folder"):
        list_images(folder, "data.lr")
    (folder / "c.png").touch()
    assert list_images(folder, "data.lr") == [folder / "c.png"]
    assert said == [f"`data.lr`: left out of {folder}: 3 links that lead out of the folder"]


def test_files_of_other_kinds_are_counted_once(tmp_path, said):
    for name in ("a.png", "b.psd", "c.PSD", "noname", "d.txt", ".hidden"):
        (tmp_path / name).touch()
    list_images(tmp_path, "input")
    list_images(tmp_path, "input")
    (line,) = said
    assert "4 files of other kinds (2 .psd, 1 .txt, 1 without suffix)" in line or (
        "4 files of other kinds (2 .psd, 1 without suffix, 1 .txt)" in line
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
def test_pipes_devices_and_dead_links_are_left_out(tmp_path, said):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "dead.png").symlink_to("nowhere.png")
    (tmp_path / "a.png").touch()
    assert list_images(tmp_path, "input") == [tmp_path / "a.png"]
    assert "2 files that cannot be opened as regular files" in said[0]
    with pytest.raises(UserError, match="neither a folder nor a regular file"):
        list_images(tmp_path / "pipe.png", "input")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root lists all")
def test_a_folder_that_cannot_be_listed_costs_itself_only(tmp_path, said):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").touch()
    (tmp_path / "closed").chmod(0)
    try:
        assert list_images(tmp_path, "input") == [tmp_path / "a.png"]
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert "1 folder that cannot be listed (closed)" in said[0]


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "a.png").touch()
    assert list_images("~", "data.lr") == [tmp_path / "a.png"]


def test_nothing_to_find(tmp_path):
    (tmp_path / "notes.txt").touch()
    for folder, text in ((tmp_path, "holds none"), (tmp_path / "no", "does not exist")):
        with pytest.raises(UserError) as failure:
            list_images(folder, "data.lr")
        for part in (
            "`data.lr`",
            str(folder),
            "png, jpg, jpeg, webp, tif, tiff, bmp, gif, avif",
            text,
        ):
            assert part in str(failure.value)
    with pytest.raises(UserError, match=r"`data\.hr` must be a folder .* but got file .*notes"):
        list_images(tmp_path / "notes.txt", "data.hr")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("0801x4.png", "0801"),
        ("part/Butterfly_X2.PNG", "butterfly"),
        ("a_LR.jpg", "a"),
        ("Canon_001_LR4.png", "canon_001"),
        ("img_001_hr.png", "img_001"),
        ("a_lr_x4.png", "a"),
        ("x2.png", "x2"),
        ("0801x5.png", "0801x5"),
        ("color.png", "color"),
    ],
)
def test_bare_stem(name, stem):
    assert bare_stem(name) == stem


RESULTS = {
    "a run": ("overrides.json", "config.yaml"),
    "an evaluation": ("results.json", "per_image.csv"),
    "pairs": ("degrade.json",),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_results_of_ours_are_no_photos_unless_they_are_named(tmp_path, caplog, kind):
    listing.say_once.cache_clear()
    below = tmp_path / "made" / "images"
    below.mkdir(parents=True)
    (tmp_path / "photo.png").touch()
    (below / "picture.png").touch()
    assert len(list_images(tmp_path, "data.lr")) == 2
    for name in RESULTS[kind]:
        (tmp_path / "made" / name).touch()
    assert list_images(tmp_path, "data.lr") == [tmp_path / "photo.png"]
    assert f"1 folder of results (made, {kind})" in caplog.text
    assert list_images(tmp_path / "made", "data.lr") == [below / "picture.png"]


def test_photos_below_the_output_are_results(tmp_path):
    inside, outside = tmp_path / "out" / "a.png", tmp_path / "output" / "b.png"
    assert without_results([inside, outside], tmp_path / "out") == [outside]
    with pytest.raises(UserError, match=r"`output`: .*out contains the photos of `hr`"):
        without_results([inside], tmp_path / "out", "hr")


def test_folders_that_the_system_refuses(tmp_path, said, monkeypatch):
    """Also for a root user, whom permissions do not concern: a share that went away, say."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").touch()
    scan = os.scandir

    def refuse(place):
        if os.path.basename(os.path.normpath(place)) in gone:
            raise OSError(errno.ESTALE, "Stale file handle")
        return scan(place)

    gone = {"closed"}
    monkeypatch.setattr(os, "scandir", refuse)
    assert list_images(tmp_path, "input") == [tmp_path / "a.png"]
    assert "1 folder that cannot be listed (closed)" in said[0]
    gone.add(tmp_path.name)
    with pytest.raises(UserError, match=r"`input`: folder .* cannot be listed \(Stale file handle"):
        list_images(tmp_path, "input")


def test_a_file_is_no_folder_to_walk(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(
        UserError, match=r"`input` must be a folder of images, but got file .*a\.pn"
    ):
        list(walk_images(tmp_path / "a.png", "input"))


def test_names_without_a_suffix_are_looked_into(tmp_path):
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "1.2.840").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "README").write_text("no image")
    (tmp_path / "folder").mkdir()
    found = {name: is_nameless(tmp_path / name) for name in ("IM0001", "1.2.840", "README")}
    assert found == {"IM0001": True, "1.2.840": True, "README": False}
    assert not is_nameless(tmp_path / "folder")
    assert not is_nameless(tmp_path / "missing")


def test_names_relative_to_what_all_share():
    assert relative_names([]) == []
    assert relative_names([Path("/a/b/x.png"), Path("/a/c/y.png")]) == ["b/x.png", "c/y.png"]
    assert relative_names([Path("/a/x.png"), Path("b/y.png")]) == ["/a/x.png", "b/y.png"]
