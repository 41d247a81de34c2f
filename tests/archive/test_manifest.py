"""Manifests: one file a start, lines that merge, the latest attempt counts."""

import hashlib
import json

import pytest

from wildsr.archive.manifest import FOLDER, Entry, Manifest, digest, failed, read
from wildsr.archive.shard import Shard
from wildsr.error import UserError


def write(output, *entries, shard=None):
    manifest = Manifest(output, shard)
    for entry in entries:
        manifest.add(entry)
    manifest.close()
    return manifest


def test_lines_say_what_is_documented(tmp_path):
    made = write(tmp_path, Entry("a.jpg", "a.png", "0" * 64, 1.5), shard=Shard(3, 10))
    (line,) = made.path.read_text().splitlines()
    values = json.loads(line)
    assert values.pop("time") > 1.7e9
    assert values == {
        **{"input": "a.jpg", "output": "a.png", "hash": "0" * 64},
        **{"seconds": 1.5, "error": None, "by": None},
    }
    assert "3-of-10" in made.path.name


def test_every_start_has_its_file_and_nothing_leaves_none(tmp_path):
    paths = {write(tmp_path, Entry("a", "b")).path for _ in range(20)}
    assert len(paths) == 20
    Manifest(tmp_path / "other").close()
    assert not (tmp_path / "other").exists()


def test_the_latest_attempt_counts_whatever_the_order_of_files(tmp_path):
    write(tmp_path, Entry("a", "a.png", error="cut"), Entry("b", "b.png", error="no image"))
    write(tmp_path, Entry("a", "a.png", "1" * 64, 0.1))
    assert failed(tmp_path) == {"b"}
    whole = "".join(sorted(p.read_text() for p in (tmp_path / FOLDER).iterdir())[::-1])
    merged = tmp_path / "merged" / FOLDER
    merged.mkdir(parents=True)
    (merged / "all.jsonl").write_text(whole)
    assert read(tmp_path / "merged") == read(tmp_path)


def test_half_lines_and_lines_of_others_are_passed_over(tmp_path):
    made = write(tmp_path, Entry("a", "b", error="x"))
    with made.path.open("a") as file:
        file.write('[1]\n{"input": 3, "output": "b", "time": 9e9}\n{}\nnull\n{"input": "c", "outp')
    assert failed(tmp_path) == {"a"}


def test_names_of_any_bytes(tmp_path):
    name = "odd\udcff\n\u2028.png"
    write(tmp_path, Entry(name, name))
    assert list(read(tmp_path)) == [name]


def test_what_is_found_is_noted_once_over_all_starts(tmp_path):
    write(tmp_path, Entry("a", "a.png", "1" * 64, 0.1), Entry("bad", "bad.png", error="x"))
    for _ in range(2):
        manifest = Manifest(tmp_path)
        for name in ("a", "b", "b", "bad"):
            manifest.found(name, f"{name}.png")
        manifest.close()
    lines = [n for p in (tmp_path / FOLDER).iterdir() for n in p.read_text().splitlines()]
    assert sorted(json.loads(n)["input"] for n in lines) == ["a", "b", "bad", "bad"]
    assert read(tmp_path)["a.png"].hash == "1" * 64
    assert failed(tmp_path) == frozenset()


def test_nothing_to_retry(tmp_path):
    with pytest.raises(UserError, match=r"`retry=failed` takes .* has none"):
        failed(tmp_path)


def test_the_hash_is_that_of_sha256sum(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    assert digest(tmp_path / "a") == hashlib.sha256(b"abc" * 1000).hexdigest()
