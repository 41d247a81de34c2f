"""Remote stores, in memory and in a folder: what is found there, written, and said."""

import errno
import pickle
import sys
import zipfile

import pytest

from wildsr.archive.address import local, open_stream, place_of, split_place
from wildsr.archive.mirror import Mirror
from wildsr.archive.store import Store, Stored
from wildsr.error import UserError

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def memory():
    """``memory({name: bytes})`` fills a store in memory, which is empty afterwards."""
    fs = fsspec.filesystem("memory")
    yield lambda files: [fs.pipe_file(f"/photos/{name}", data) for name, data in files.items()]
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]


def test_photos_are_found_folder_by_folder(memory, said):
    names = ["b.png", "a.JPG", "sub/c.tif", "Sub/d.png", "notes.txt", ".hidden.png", "sub/x/e.webp"]
    memory(dict.fromkeys(names, b"x"))
    found = list(Store("memory://photos/", "input").walk())
    assert found == [["a.JPG", "b.png"], ["Sub/d.png", "sub/c.tif"], ["sub/x/e.webp"]]
    assert said == ["`input`: left out of memory://photos: 1 file of other kinds"]


def test_nothing_to_find_is_said(memory):
    memory({"notes.txt": b"x", "more.txt": b"x"})
    with pytest.raises(UserError, match=r"holds none \(left out: 2 files of other kinds\)\.$"):
        list(Store("memory://photos", "input").walk())
    with pytest.raises(UserError, match="`input`: memory://missing does not exist"):
        list(Store("memory://missing", "input").walk())


def test_a_folder_that_goes_away_while_it_is_searched_is_empty(memory):
    memory({"a.png": b"x", "sub/b.png": b"x"})
    store = Store("memory://photos", "input")
    walk = store.walk()
    assert next(walk) == ["a.png"]
    store.fs.rm("/photos/sub", recursive=True)
    assert list(walk) == []


@pytest.mark.parametrize("url", ["memory://photos", "file://{folder}"])
def test_files_come_and_go_whole(url, memory, tmp_path):
    store = Store(url.format(folder=tmp_path / "there"), "output")
    (tmp_path / "made").write_bytes(b"pixels")
    assert store.refusal() is None
    target = Stored(store, "sub/a.png")
    assert (target.suffix, target.exists(), target.refusal()) == (".png", False, None)
    target.deliver(tmp_path / "made")
    assert target.exists()
    target.fetch(tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"pixels"
    assert [name for name, _ in store._listed("sub")] == ["a.png"]  # and nothing half written
    assert str(target).endswith("/sub/a.png")


def test_a_delivery_that_fails_leaves_nothing(tmp_path, monkeypatch):
    store = Store(f"file://{tmp_path / 'there'}", "output")
    (tmp_path / "made").write_bytes(b"pixels")

    def refuse(*names, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(store.fs), "mv", refuse)
    with pytest.raises(OSError, match="No space left"):
        store.deliver(tmp_path / "made", "a.png")
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("url", ["memory://photos", "file://{folder}"])
def test_manifests_are_read_back(url, memory, tmp_path):
    store = Store(url.format(folder=tmp_path / "there"), "output")
    assert list(store.texts()) == []
    store.put("b.jsonl", b"second\n")
    store.put("a.jsonl", "für\n".encode() + b"\xff")
    store.put("other.txt", b"no manifest")
    assert list(store.texts()) == ["für\n\ufffd", "second\n"]


def test_what_is_refused_is_said_without_secrets(tmp_path, monkeypatch):
    store = Store(f"file://{tmp_path}", "output")
    store.url = "sftp://me:hunter2@host/photos"

    def refuse(*names, **options):
        raise OSError("cannot reach sftp://me:hunter2@host/photos")

    for name in ("pipe_file", "ls"):
        monkeypatch.setattr(type(store.fs), name, refuse)
    assert store.refusal() == "cannot reach sftp://host/photos"
    store.url = "sftp://me:hunter@2@host/photos"
    assert str(store) == "sftp://host/photos"
    store.url = "sftp://me:hunter2@host/photos"
    with pytest.raises(OSError, match=r"^cannot reach sftp://host/photos$"):
        store.put("a.jsonl", b"")
    with pytest.raises(UserError, match=r"`output`: sftp://host/photos cannot be opened: cannot r"):
        list(store.walk())


def test_stores_that_cannot_be_opened_say_why(monkeypatch):
    with pytest.raises(UserError, match=r"`input`: nosuch://a cannot be opened: .*nosuch"):
        Store("nosuch://a", "input")
    monkeypatch.setitem(sys.modules, "gcsfs", None)  # as if it were not installed
    with pytest.raises(UserError, match=r"`input=gs://b/c`: .*\(pip install 'wildsr\[remote\]'"):
        Store("gs://b/c", "input")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UserError, match=r"`input=s3://b` needs the package fsspec: pip install"):
        Store("s3://b", "input")


def test_a_store_goes_to_other_processes_by_its_address(memory):
    memory({"a.png": b"x"})
    again = pickle.loads(pickle.dumps(Store("memory://photos", "input")))
    assert (again.url, again.argument) == ("memory://photos", "input")
    assert again.exists("a.png")


def test_places(tmp_path, memory):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("in/b.png", b"x")
    found = place_of(str(tmp_path / "a.zip"), "input")
    assert found.read_only
    assert list(found.walk()) == [["in/b.png"]]
    assert place_of(str(tmp_path / "a.zip"), "output") == tmp_path / "a.zip"
    assert not place_of("memory://photos", "input").read_only
    assert split_place("s3://bucket/in/a.tar") == ("s3://bucket/in", "a.tar")
    assert split_place(str(tmp_path / "a.tar")) == (str(tmp_path), "a.tar")


@pytest.mark.parametrize("url", ["file://{}", "local://{}", "FILE://{}", "simplecache::file://{}"])
def test_the_url_of_a_local_place_is_its_path(url, tmp_path):
    (tmp_path / "e%20f").write_bytes(b"tar")
    (tmp_path / "a.zip").touch()
    typed = url.format(tmp_path)
    assert place_of(typed, "input") == place_of(f"{typed}/", "output") == tmp_path
    assert split_place(f"{typed}/a.tar") == (str(tmp_path), "a.tar")
    with open_stream(f"{typed}/e%20f") as file:
        assert file.read() == b"tar"
    assert Mirror().folder(typed, "data.lr") == str(tmp_path)
    assert local(f"zip://::{typed}/a.zip") == f"zip://::{typed}/a.zip"
    assert local("s3://bucket") == "s3://bucket"


def test_streams(memory, tmp_path):
    memory({"a.tar": b"tar"})
    (tmp_path / "a.tar").write_bytes(b"tar")
    for name in ("memory://photos/a.tar", str(tmp_path / "a.tar")):
        with open_stream(name) as file:
            assert file.read() == b"tar"
    for name, words in (
        ("memory://photos/b.tar", "memory://photos/b.tar does not exist"),
        (str(tmp_path / "b.tar"), r"b\.tar cannot be opened: No such file"),
    ):
        with pytest.raises(UserError, match=words), open_stream(name):
            pass
