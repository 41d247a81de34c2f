"""Tar files by WebDataset's convention, and zip files."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from wildsr.archive.container import Container, samples, shards_of, split_key
from wildsr.archive.mirror import Mirror
from wildsr.error import UserError


@pytest.mark.parametrize(
    ("name", "key", "extension"),
    [
        ("a.jpg", "a", "jpg"),
        ("dir.x/a.b.jpg", "dir.x/a", "b.jpg"),
        ("a", "a", ""),
        ("s/0001.cls", "s/0001", "cls"),
    ],
)
def test_a_name_is_split_at_its_first_dot(name, key, extension):
    assert split_key(name) == (key, extension)


def test_ranges_as_webdataset_writes_them():
    assert shards_of("a/p-{008..011}.tar") == [f"a/p-{n}.tar" for n in ("008", "009", "010", "011")]
    assert shards_of("{0..1}-{0..1}.tar") == ["0-0.tar", "0-1.tar", "1-0.tar", "1-1.tar"]
    assert shards_of("plain.tar") == ["plain.tar"]
    with pytest.raises(UserError, match="holds no number"):
        shards_of("{9..1}.tar")


def packed(*files):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as opened:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    held.seek(0)
    return held


def test_files_of_one_key_are_a_sample():
    stream = packed(
        *(("a.json", b"{}"), ("a.jpg", b"A"), ("a.mask.png", b"M"), ("b.txt", b"B")),
        *(("c/d.e.PNG", b"D"), ("c/.hidden.png", b"H")),
    )
    found = [(s.key, s.photo, s.data, s.others) for s in samples(stream, "it")]
    assert found == [
        ("a", "a.jpg", b"A", {"a.json": b"{}", "a.mask.png": b"M"}),
        ("b", None, b"", {"b.txt": b"B"}),
        ("c/d", "c/d.e.PNG", b"D", {}),
    ]


@pytest.mark.parametrize("damage", [lambda data: b"no tar" * 200, lambda data: data[:700]])
def test_damage_is_one_sentence(damage):
    stream = io.BytesIO(damage(packed(("a.jpg", b"A" * 600), ("b.jpg", b"B" * 600)).getvalue()))
    with pytest.raises(UserError, match="it is no whole tar file"):
        list(samples(stream, "it"))


def test_names_in_a_tar_are_keys_of_their_own_and_bytes_are_the_same_again(tmp_path):
    for kind in (".tar", ".zip"):
        for path in (tmp_path / f"1{kind}", tmp_path / f"2{kind}"):
            container = Container(path, kind)
            for wanted in ("a.b.png", "a.c.png", "a_b.png", "d.e/x.png"):
                container.add(container.name(wanted), wanted.encode())
            container.close()
        assert (tmp_path / f"1{kind}").read_bytes() == (tmp_path / f"2{kind}").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as opened:
        assert opened.getnames() == ["a_b.png", "a_c.png", "a_b-2.png", "d.e/x.png"]
    with zipfile.ZipFile(tmp_path / "1.zip") as opened:
        assert opened.namelist() == ["a.b.png", "a.c.png", "a_b.png", "d.e/x.png"]


@pytest.mark.parametrize("kind", [".tar", ".zip"])
def test_no_name_stands_twice_in_a_file(kind, tmp_path):
    container = Container(tmp_path / "made", kind)
    container.add("a.png", b"1")
    with pytest.raises(UserError, match=r"holds a\.png already"):
        container.add("a.png", b"2")


def test_names_in_a_zip_file_are_text(tmp_path):
    container = Container(tmp_path / "made.zip", ".zip")
    container.add("Stra\udcdfe 日.png", b"1")
    container.close()
    with zipfile.ZipFile(tmp_path / "made.zip") as opened:
        assert opened.namelist() == ["Stra%DFe 日.png"]


def test_a_second_file_of_a_name_begins_a_sample():
    stream = packed(("a.png", b"1"), ("a.txt", b"2"), ("a.txt", b"3"), ("a.png", b"4"))
    found = [(s.key, s.photo, s.data, s.others) for s in samples(stream, "it")]
    assert found == [("a", "a.png", b"1", {"a.txt": b"2"}), ("a", "a.png", b"4", {"a.txt": b"3"})]


def test_photos_of_equal_names_in_several_tar_files_are_all_fetched(tmp_path):
    for shard in (0, 1):
        with tarfile.open(tmp_path / f"p-{shard}.tar", "w") as packed:
            for number in range(3):
                held = io.BytesIO()
                Image.new("RGB", (8, 8), (shard, number, 0)).save(held, "PNG")
                member = tarfile.TarInfo(f"{number:04d}.png")
                member.size = len(held.getvalue())
                packed.addfile(member, io.BytesIO(held.getvalue()))
    mirror = Mirror()
    here = Path(mirror.folder(str(tmp_path / "p-{0..1}.tar"), "data.lr"))
    pixels = {Image.open(path).getpixel((0, 0))[:2] for path in here.rglob("*.png")}
    mirror.close()
    assert pixels == {(shard, number) for shard in (0, 1) for number in range(3)}
