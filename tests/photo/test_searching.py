"""A search of a large tree says how far it is, and stays out of what is no disk."""

import itertools
import sys

import pytest

from wildsr.error import UserError
from wildsr.photo import searching
from wildsr.photo.folder import list_images, walk_images


@pytest.fixture
def mounted(monkeypatch, tmp_path):
    """``mounted({folder: type})`` has the system say that these file systems are there."""

    def mount(types):
        escaped = {str(place).replace(" ", r"\040"): kind for place, kind in types.items()}
        lines = [f"36 35 0:3 / {p} rw,relatime shared:1 - {k} x rw" for p, k in escaped.items()]
        (tmp_path / "mountinfo").write_text("\n".join(lines))
        monkeypatch.setattr(searching, "MOUNTS", tmp_path / "mountinfo")
        searching._mounts.cache_clear()

    yield mount
    searching._mounts.cache_clear()


@pytest.fixture
def clock(monkeypatch):
    """Half a second passes at each look at the clock."""
    ticks = itertools.count(0, 0.5)
    monkeypatch.setattr(searching.time, "monotonic", lambda: next(ticks))


def photos(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:02d}.png").touch()
    return folder


def test_a_long_search_says_how_far_it_is_and_more_and_more_rarely(tmp_path, said, clock):
    folder = photos(tmp_path / "many", 30)
    assert len(list_images(folder, "data.lr")) == 30
    start = f"`data.lr`: still looking through {folder}:"
    assert said[0] == f"{start} 2 photos in 1 folder so far"  # after two seconds
    assert said[1] == f"{start} 10 photos in 1 folder so far"  # after six
    assert len(said) == 2


def test_a_short_search_says_nothing(tmp_path, said):
    list_images(photos(tmp_path / "few", 30), "data.lr")
    assert said == []


def test_photos_that_are_worked_with_need_no_line(tmp_path, said, clock):
    for number in range(10):
        photos(tmp_path / "many" / str(number), 1)
    assert sum(map(len, walk_images(tmp_path / "many", "input"))) == 10
    assert said == []
    assert len(list_images(tmp_path / "many", "data.lr")) == 10
    assert len(said) == 2


def test_virtual_file_systems_are_left_out(tmp_path, said, mounted):
    folder = photos(tmp_path / "all of it", 2)
    photos(folder / "proc" / "1", 3)
    photos(folder / "a b", 3)
    photos(folder / "ram", 1)
    (folder / "z").symlink_to(folder / "proc", target_is_directory=True)
    mounted({folder / "proc": "proc", folder / "a b": "sysfs", folder / "ram": "tmpfs"})
    assert len(list_images(folder, "data.lr")) == 3
    first, last = said
    assert f"`data.lr`: {folder} is more than photos: it holds {folder / 'a b'}, " in first
    assert "`data.lr` should name the folder of photos" in first
    assert "2 virtual file systems" in last
    with pytest.raises(UserError, match=r"`data.lr` must be .*, but .* is no disk.* \(proc\)"):
        list_images(folder / "proc" / "1", "data.lr")
    assert len(list_images(folder / "ram", "data.lr")) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_proc_itself():
    with pytest.raises(UserError, match=r"`input` must be .*, but /proc is no disk"):
        next(walk_images("/proc", "input"))


def test_links_to_themselves_are_no_photos(tmp_path, said):
    folder = photos(tmp_path / "it", 2)
    (folder / "circle").symlink_to("circle")
    (folder / "circle.png").symlink_to("circle.png")
    assert len(list_images(folder, "data.lr")) == 2
    assert "links that lead out" in said[0] or "cannot be opened as regular files" in said[0]
