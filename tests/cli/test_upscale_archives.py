"""The verb ``upscale`` from and to stores, tar and zip files: the same pixels as from folders."""

import io
import json
import os
import sys
import tarfile
import zipfile

import pytest
from support.store_fixtures import put

from wildsr.archive.manifest import FOLDER, read
from wildsr.archive.store import Store

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def photos_in(tmp_path, fill):
    """Photos in a tree, one of them damaged."""
    fill(tmp_path / "in", 3, (12, 16))
    fill(tmp_path / "in" / "sub.x", 3, (12, 16), seed=5)
    (tmp_path / "in" / "bad.png").write_bytes(b"no photo")
    return tmp_path / "in"


@pytest.fixture
def expected(photos_in, weights, tmp_path, carry_out):
    """What a folder gives, by name."""
    out = tmp_path / "expected"
    assert carry_out("upscale", [f"weights={weights}", f"input={photos_in}", f"output={out}"]) == 1
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*.png")}


def stored(fs, root):
    root = f"/{root.strip('/')}/"
    found = {f"/{name.lstrip('/')}".removeprefix(root): name for name in fs.find(root)}
    return {name: fs.cat_file(path) for name, path in found.items() if not name.startswith(FOLDER)}


def test_a_store_as_a_folder(weights, photos_in, expected, memory, carry_out, capsys, tmp_path):
    put(memory, "a/in", photos_in)
    memory.pipe_file("a/in/notes.txt", b"no photo")
    some = [f"weights={weights}", "input=memory://a/in", "output=memory://a/out"]
    assert carry_out("upscale", some) == 1
    assert stored(memory, "a/out") == expected
    assert "memory://a/in/bad.png: not an image" in capsys.readouterr().out
    entries = read(Store("memory://a/out", "output"))
    assert {name for name, entry in entries.items() if entry.error} == {"bad.png"}
    assert sorted(entries) == sorted([*expected, "bad.png"])
    memory.pipe_file("a/in/bad.png", memory.cat_file("a/in/photo0.png"))
    memory.pipe_file("a/in/new.png", memory.cat_file("a/in/photo0.png"))
    assert carry_out("upscale", [*some, "retry=failed"]) == 0
    assert stored(memory, "a/out").keys() == {*expected, "bad.png"}
    assert carry_out("upscale", some) == 0
    assert "1 upscaled" in (said := capsys.readouterr().out)
    assert "7 skipped" in said
    here = [f"weights={weights}", "input=memory://a/in", f"output={tmp_path / 'here'}"]
    assert carry_out("upscale", [*here, "shard=1/2"]) == 0
    assert carry_out("upscale", [*here, "shard=2/2"]) == 0
    found = tmp_path / "here"
    assert {p.relative_to(found).as_posix() for p in found.rglob("*.png")} == {
        *("bad.png", "new.png", *expected),
    }


def test_results_below_the_photos_in_a_store(weights, photos_in, expected, memory, carry_out):
    put(memory, "a", photos_in)
    some = [f"weights={weights}", "input=memory://a", "output=memory://a/out"]
    assert carry_out("upscale", some) == 1
    assert carry_out("upscale", some) == 1
    assert stored(memory, "a/out") == expected


def test_one_photo_of_a_store(weights, photos_in, expected, memory, carry_out, tmp_path):
    put(memory, "a", photos_in)
    some = [f"weights={weights}", f"output={tmp_path / 'out'}"]
    assert carry_out("upscale", [*some, "input=memory://a/sub.x/photo1.png"]) == 0
    assert (tmp_path / "out" / "photo1.png").read_bytes() == expected["sub.x/photo1.png"]


@pytest.mark.parametrize("typed", ["{}", "zip://::{}"])
def test_a_zip_file_in_and_out(typed, weights, photos_in, expected, carry_out, tmp_path):
    source, out = tmp_path / "in.zip", tmp_path / "made" / "out.zip"
    with zipfile.ZipFile(source, "w") as opened:
        for path in sorted(photos_in.rglob("*.png")):
            opened.write(path, path.relative_to(photos_in).as_posix())
    some = [f"weights={weights}", f"input={typed.format(source)}", f"output={typed.format(out)}"]
    assert carry_out("upscale", some) == 1
    with zipfile.ZipFile(out) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == expected
    whole = out.read_bytes()
    assert carry_out("upscale", some) == 0  # exists
    assert out.read_bytes() == whole
    assert sorted(p.name for p in out.parent.iterdir()) == [FOLDER, "out.zip"]
    assert read(out.parent)["out.zip/bad.png"].error


def tar(path, files):
    with tarfile.open(path, "w") as opened:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        return {m.name: opened.extractfile(m).read() for m in opened}


def test_tar_files_become_tar_files_with_their_labels(
    weights, photos_in, expected, memory, carry_out, refused, tmp_path
):
    names = sorted(expected)
    shards = {}
    for number in range(3):
        files = {}
        for name in names[number * 2 : number * 2 + 2]:
            key = name.replace("/", "_").replace(".", "_")
            files |= {f"{key}.json": b"{}", f"{key}.png": (photos_in / name).read_bytes()}
            shards.setdefault(number, {})[f"{key}.png"] = expected[name]
            shards[number][f"{key}.json"] = b"{}"
        files["alone.txt"] = shards[number]["alone.txt"] = b"text"
        if number == 2:
            files |= {"broken.png": b"no photo", "broken.cls": b"1"}
        tar(tmp_path / f"p-{number:03d}.tar", files)
        memory.pipe_file(f"a/p-{number:03d}.tar", (tmp_path / f"p-{number:03d}.tar").read_bytes())
    out = tmp_path / "out"
    some = [f"weights={weights}", f"input={tmp_path}/p-{{000..002}}.tar", f"output={out}"]
    codes = [carry_out("upscale", [*some, f"shard={n}/2"]) for n in (1, 2)]
    assert sorted(codes) == [0, 1]
    for number, files in shards.items():
        found = members((out / f"p-{number:03d}.tar").read_bytes())
        assert found == files
    assert {name for name, entry in read(out).items() if entry.error} == {"p-002.tar/broken.png"}
    before = {p.name: p.stat().st_mtime_ns for p in out.glob("*.tar")}
    assert carry_out("upscale", [*some, "retry=failed"]) == 1
    assert before == {p.name: p.stat().st_mtime_ns for p in out.glob("*.tar")}  # it fails again
    assert carry_out("upscale", some) == 0  # all are there
    there = [f"weights={weights}", "input=memory://a/p-{000..001}.tar", "output=memory://b"]
    assert carry_out("upscale", there) == 0
    for number in (0, 1):
        assert members(memory.cat_file(f"b/p-{number:03d}.tar")) == shards[number]
    (tmp_path / "cut.tar").write_bytes((tmp_path / "p-000.tar").read_bytes()[:900])
    cut = [some[0], f"input={tmp_path / 'cut.tar'}", f"output={tmp_path / 'cut_out'}"]
    assert "is no whole tar file" in refused("upscale", cut)
    assert not list((tmp_path / "cut_out").glob("*.tar"))


def test_a_folder_into_tar_files(weights, photos_in, expected, carry_out, tmp_path):
    some = [f"weights={weights}", f"input={photos_in}", f"output={tmp_path / 'all.tar'}"]
    assert carry_out("upscale", some) == 1
    assert members((tmp_path / "all.tar").read_bytes()) == expected
    for number in (1, 2):
        carry_out("upscale", [*some, f"shard={number}/2"])
    parts = [members((tmp_path / f"all-{n}-of-2.tar").read_bytes()) for n in (1, 2)]
    assert {**parts[0], **parts[1]} == expected
    assert not parts[0].keys() & parts[1].keys()


def test_places_that_cannot_be(weights, photos_in, tmp_path, refused, memory, monkeypatch):
    def said(source, output="out"):
        there = output if "://" in output else tmp_path / output
        return refused("upscale", [f"weights={weights}", f"input={source}", f"output={there}"])

    memory.pipe_file("empty/notes.txt", b"no photo")
    memory.pipe_file("b/c/a.png", b"not opened")
    assert "holds none (left out: 1 file of other kinds)" in said("memory://empty")
    assert "memory://nowhere does not exist" in said("memory://nowhere")
    assert "another folder than the photos'" in said("memory://empty", "memory://empty")
    assert "memory://b contains the photos of `input`" in said("memory://b/c", "memory://b")
    assert "cannot be opened: Protocol not known: s4" in said("s4://bucket")
    assert "be written into http://a/b photo by photo" in said(photos_in, "http://a/b")
    assert "x.tar" in said(tmp_path / "x.tar")
    assert "must be a folder for 2 tar files" in said(f"{tmp_path}/{{0..1}}.tar", "one.tar")
    assert "must be a folder for `output=" in said(photos_in / "photo0.png", "one.tar")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    assert "pip install 'wildsr[remote]'" in said("s3://bucket/photos")


@pytest.mark.parametrize("scheme", ["file://", "local://"])
def test_photos_are_their_own_by_every_name(
    scheme, weights, photos_in, expected, carry_out, refused, tmp_path
):
    before = {p: p.read_bytes() for p in photos_in.rglob("*.png")}
    some = [f"weights={weights}", "overwrite=true"]
    photo = photos_in / "photo0.png"
    for source, output in (
        (photos_in, f"{scheme}{photos_in}"),
        (f"{scheme}{photos_in}", photos_in),
        (photo, f"{scheme}{photo}"),
        (f"{scheme}{photo}", photos_in),
    ):
        said = refused("upscale", [*some, f"input={source}", f"output={output}"])
        assert "Argument `output` must be another" in said
    inside = [*some, f"input={photos_in}", f"output={scheme}{photos_in}/out"]
    assert carry_out("upscale", inside) == 1
    assert carry_out("upscale", inside) == 1  # results are no photos
    made = photos_in / "out"
    assert {p.relative_to(made).as_posix(): p.read_bytes() for p in made.rglob("*.png")} == expected
    assert before == {p: p.read_bytes() for p in before}


def test_secrets_are_not_said():
    store = Store.__new__(Store)
    store.url = "sftp://somebody:secret@host/photos"
    assert str(store) == "sftp://host/photos"


@pytest.mark.heavy
def test_an_object_server(
    object_server, weights, photos_in, expected, carry_out, tmp_path, capsys, refused
):
    fs = object_server
    fs.mkdir("photos")
    put(fs, "photos/in", photos_in)
    some = [f"weights={weights}", "input=s3://photos/in", "output=s3://photos/out"]
    codes = [carry_out("upscale", [*some, f"shard={n}/2"]) for n in (1, 2)]
    assert sorted(codes) == [0, 1]
    fs.invalidate_cache()
    assert stored(fs, "photos/out") == expected
    entries = read(Store("s3://photos/out", "output"))
    assert {name for name, entry in entries.items() if entry.error} == {"bad.png"}
    assert carry_out("upscale", some) == 1
    assert "6 skipped" in capsys.readouterr().out
    fs.pipe_file("photos/in/bad.png", (photos_in / "photo0.png").read_bytes())
    assert carry_out("upscale", [*some, "retry=failed"]) == 0
    pairs = ["degradation=mild", "scale=2", "hr=s3://photos/in"]
    assert carry_out("degrade", [*pairs, "output=s3://photos/pairs"]) == 0
    assert carry_out("degrade", [*pairs, f"output={tmp_path / 'pairs'}"]) == 0
    fs.invalidate_cache()
    made = {name: data for name, data in stored(fs, "photos/pairs").items() if "png" in name}
    assert made == {
        p.relative_to(tmp_path / "pairs").as_posix(): p.read_bytes()
        for p in (tmp_path / "pairs").rglob("*.png")
    }
    out = tmp_path / "here"
    assert carry_out("upscale", [some[0], some[1], f"output={out}"]) == 0
    assert (out / "sub.x" / "photo1.png").read_bytes() == expected["sub.x/photo1.png"]
    files = {f"{n}.png": (photos_in / f"photo{n}.png").read_bytes() for n in range(3)}
    tar(tmp_path / "p.tar", {**files, "2.json": json.dumps({"a": 1}).encode()})
    fs.put_file(str(tmp_path / "p.tar"), "photos/p.tar")
    assert carry_out("upscale", [some[0], "input=s3://photos/p.tar", "output=s3://photos/t"]) == 0
    fs.invalidate_cache()
    found = members(fs.cat_file("photos/t/p.tar"))
    assert {n: found[f"{n}.png"] for n in range(3)} == {
        n: expected[f"photo{n}.png"] for n in range(3)
    }
    assert found["2.json"] == b'{"a": 1}'
    missing = [some[0], "input=s3://nobodys/in", "output=s3://photos/x"]
    assert "s3://nobodys/in" in refused("upscale", missing)
    nowhere = [some[0], some[1], "output=s3://nobodys/x"]
    assert "nothing can be written into s3://nobodys/x" in refused("upscale", nowhere)
    assert os.listdir(tmp_path / "here")
