"""Tar and zip files of results, made again in part: what they hold already stays."""

import io
import os
import shutil
import tarfile
import zipfile

import pytest
from PIL import Image
from support.container_fixtures import heal, members, tar

from wildsr.archive.manifest import read

fsspec = pytest.importorskip("fsspec")


@pytest.mark.parametrize("more", [[], ["overwrite=true"]])
@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_retry_keeps_what_a_file_holds(name, kind, more, verb, broken, carry_out, tmp_path):
    out = tmp_path / f"o.{kind}"
    assert carry_out(*verb(name, broken, out)) == 1
    before = members(out.read_bytes())
    assert carry_out(*verb(name, broken, out, "retry=failed", *more)) == 1
    assert members(out.read_bytes()) == before  # it fails again
    heal(broken)
    (broken / "photo0.png").unlink()  # its result stays
    assert carry_out(*verb(name, broken, out, "retry=failed", *more)) == 0
    after = members(out.read_bytes())
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) * 3 // 2
    whole = out.read_bytes()
    assert carry_out(*verb(name, broken, out, "retry=failed", *more)) == 0  # nothing is left to do
    assert out.read_bytes() == whole


@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_retry_in_a_store(name, verb, broken, memory, carry_out):
    some = verb(name, broken, "memory://a/o.zip")
    assert carry_out(*some) == 1
    before = members(memory.cat_file("a/o.zip"))
    heal(broken)
    assert carry_out(some[0], [*some[1], "retry=failed", "overwrite=true"]) == 0
    after = members(memory.cat_file("a/o.zip"))
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) * 3 // 2


@pytest.mark.parametrize("more", [[], ["overwrite=true"]])
@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_retry_of_a_tar_file(name, more, verb, broken, carry_out, tmp_path):
    good = (broken / "photo0.png").read_bytes()
    tar(tmp_path / "p.tar", a__png=good, a__txt=b"1", b__png=b"no photo", b__txt=b"2", c__txt=b"3")
    for out in (tmp_path / "out", tmp_path / "q.tar"):
        assert carry_out(*verb(name, tmp_path / "p.tar", out)) == 1
    files = tmp_path / "out" / "p.tar", tmp_path / "q.tar"
    before = members(files[0].read_bytes())
    assert {"a.txt", "c.txt"} <= before.keys()
    assert "b.txt" not in before
    assert members(files[1].read_bytes()) == before
    tar(tmp_path / "p.tar", a__png=b"lost", b__png=good, b__txt=b"2", c__txt=b"3")
    for out, file in zip((tmp_path / "out", tmp_path / "q.tar"), files, strict=True):
        assert carry_out(*verb(name, tmp_path / "p.tar", out, "retry=failed", *more)) == 0
        after = members(file.read_bytes())
        assert {key: after[key] for key in before} == before
        assert after["b.txt"] == b"2"
    assert {"p.tar", "q.tar"} == {
        key.partition("/")[0] for key in (*read(tmp_path / "out"), *read(tmp_path))
    }


@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_files_beside_each_other_have_failures_of_their_own(
    name, verb, broken, carry_out, refused, tmp_path, fill
):
    fill(tmp_path / "other", 2, (12, 16))
    heal(tmp_path / "other")
    assert carry_out(*verb(name, broken, tmp_path / "a.tar")) == 1
    assert carry_out(*verb(name, tmp_path / "other", tmp_path / "b.tar")) == 0
    assert "c.tar has none" in refused(*verb(name, broken, tmp_path / "c.tar", "retry=failed"))
    assert "has none" in refused(*verb(name, broken, tmp_path, "retry=failed"))
    heal(broken)
    assert carry_out(*verb(name, broken, tmp_path / "a.tar", "retry=failed")) == 0
    assert any("bad" in key for key in members((tmp_path / "a.tar").read_bytes()))


def test_retry_of_a_file_that_is_gone_makes_it_whole(verb, broken, carry_out, tmp_path):
    out = tmp_path / "o.tar"
    assert carry_out(*verb("upscale", broken, out)) == 1
    before = members(out.read_bytes())
    out.unlink()
    assert carry_out(*verb("upscale", broken, out, "retry=failed")) == 1
    assert members(out.read_bytes()) == before


def test_parts_are_retried_by_their_own_names(verb, broken, carry_out, tmp_path):
    out = tmp_path / "o.zip"
    typed = [verb("upscale", broken, out, f"shard={number}/2") for number in (1, 2)]
    codes = [carry_out(*each) for each in typed]
    assert sorted(codes) == [0, 1]
    heal(broken)
    for name, some in typed:
        assert carry_out(name, [*some, "retry=failed", "overwrite=true"]) == 0
    made = [members((tmp_path / f"o-{number}-of-2.zip").read_bytes()) for number in (1, 2)]
    assert {*made[0], *made[1]} == {"photo0.png", "photo1.png", "bad.png"}


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_a_file_is_not_replaced_by_an_empty_one(name, kind, verb, broken, carry_out, tmp_path):
    out = tmp_path / f"o.{kind}"
    carry_out(*verb(name, broken, out))
    whole = out.read_bytes()
    for photo in broken.iterdir():
        photo.write_bytes(b"no photo")
    assert carry_out(*verb(name, broken, out, "overwrite=true")) == 1
    assert out.read_bytes() == whole


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_retry_of_a_damaged_file_is_one_sentence(kind, verb, broken, carry_out, refused, tmp_path):
    out = tmp_path / f"o.{kind}"
    carry_out(*verb("upscale", broken, out))
    out.write_bytes(b"cut" * 400)
    said = refused(*verb("upscale", broken, out, "retry=failed"))
    assert f"o.{kind} is no whole {kind} file" in said
    assert out.read_bytes() == b"cut" * 400
    assert not [*tmp_path.glob(".*.part")]


@pytest.mark.parametrize("more", [[], ["overwrite=true"]])
@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_photos_are_not_replaced_by_their_results(
    name, more, verb, broken, memory, refused, tmp_path
):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as opened:
        opened.write(broken / "photo0.png", "a.png")
    source = tmp_path / "p.tar"
    tar(source, a__png=(broken / "photo0.png").read_bytes())
    (tmp_path / "z.zip").write_bytes(held.getvalue())
    (tmp_path / "link").symlink_to(tmp_path)
    memory.pipe_file("a/z.zip", held.getvalue())
    memory.pipe_file("a/p.tar", source.read_bytes())
    here, link = tmp_path, tmp_path / "link"
    for given, output in (
        (source, here),
        (source, link),
        (source, source),
        (here / "z.zip", link / "z.zip"),
        (f"zip://::{here}/z.zip", here / "z.zip"),
        (here / "z.zip", f"zip://::{here}/z.zip"),
        (source, f"file://{here}"),
        (f"local://{source}", here),
        (f"zip://::file://{here}/z.zip", here / "z.zip"),
        ("memory://a/p.tar", "memory://a"),
        ("zip://::memory://a/z.zip", "memory://a/z.zip"),
    ):
        said = refused(*verb(name, given, output, *more))
        assert "`output` must be another file than the photos' (" in said, (given, output)
    assert (here / "z.zip").read_bytes() == memory.cat_file("a/z.zip") == held.getvalue()
    assert source.read_bytes() == memory.cat_file("a/p.tar")


def test_results_and_labels_of_one_name_are_both_there(verb, broken, carry_out, tmp_path):
    good = (broken / "photo0.png").read_bytes()
    held = io.BytesIO()
    Image.open(broken / "photo1.png").save(held, "JPEG")
    source, out = tmp_path / "p.tar", tmp_path / "out"
    tar(source, a__jpg=held.getvalue(), a__PNG=good, a__txt=b"1", b__jpg=held.getvalue())
    assert carry_out(*verb("upscale", source, out, "format=png")) == 0
    found = members((out / "p.tar").read_bytes())
    assert found.keys() == {"a.jpg.png", "a.PNG", "a.txt", "b.png"}
    assert found["a.PNG"] == good
    assert (
        Image.open(io.BytesIO(found["a.jpg.png"])).size
        == Image.open(io.BytesIO(found["b.png"])).size
    )


def test_pairs_of_pairs_keep_the_files_that_were_there(verb, broken, carry_out, tmp_path):
    good, other = ((broken / f"photo{n}.png").read_bytes() for n in (0, 1))
    source, out = tmp_path / "p.tar", tmp_path / "out.tar"
    tar(source, b__hr__png=good, b__lr__png=other, **{"b__lr-2__png": good}, c__png=good)
    assert carry_out(*verb("degrade", source, out)) == 0
    found = members(out.read_bytes())
    assert set(found) - {"c.hr.png", "c.lr.png"} == {
        *("b.hr.png", "b.lr.png", "b.lr-2.png", "b.lr-2-2.png")
    }
    assert (found["b.lr-2.png"], found["b.lr-2-2.png"]) == (other, good)
    assert Image.open(io.BytesIO(found["b.lr.png"])).size == (8, 6)


@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_samples_of_one_name_are_all_there(name, verb, broken, carry_out, tmp_path):
    good, other = ((broken / f"photo{n}.png").read_bytes() for n in (0, 1))
    source, out = tmp_path / "p.tar", tmp_path / "out.tar"
    with tarfile.open(source, "w") as opened:
        for called, data in (
            *(("a.png", good), ("a.txt", b"1"), ("a.png", other), ("a.txt", b"2")),
            *(("c.txt", b"3"), ("a.png", b"no photo"), ("c.txt", b"4"), ("d.png", good)),
        ):
            info = tarfile.TarInfo(called)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    for more in ([], ["retry=failed"], ["retry=failed", "overwrite=true"]):
        assert carry_out(*verb(name, source, out, *more)) == 1
        found = members(out.read_bytes())
        ends = ["png"] if name == "upscale" else ["hr.png", "lr.png"]
        assert found.keys() == {
            *(f"{key}.{end}" for key in ("a", "a-2", "d") for end in ends),
            *("a.txt", "a-2.txt", "c.txt", "c-2.txt"),
        }
        assert [found[f"{key}.txt"] for key in ("a", "a-2", "c", "c-2")] == [b"1", b"2", b"3", b"4"]
        assert found[f"d.{ends[0]}"] == found[f"a.{ends[0]}"] != found[f"a-2.{ends[0]}"]
    assert any(entry.error for entry in read(tmp_path).values())


def test_draws_do_not_take_names_of_labels(verb, broken, carry_out, tmp_path):
    source, out = tmp_path / "p.tar", tmp_path / "out.tar"
    good = (broken / "photo0.png").read_bytes()
    tar(source, a_1__txt=b"0", a__png=good, a__txt=b"1")
    assert carry_out(*verb("degrade", source, out, "draws=2")) == 0
    found = members(out.read_bytes())
    assert (found["a_1.txt"], found["a_1-2.txt"], found["a_2.txt"]) == (b"0", b"1", b"1")
    assert {"a_1-2.lr.png", "a_2.lr.png"} <= found.keys()


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_a_file_that_exists_is_said_to(name, kind, verb, broken, memory, carry_out, capsys):
    heal(broken)
    some = verb(name, broken, f"memory://a/o.{kind}")
    assert carry_out(*some) == 0
    capsys.readouterr()
    assert carry_out(*some) == 0
    line = f"memory://a/o.{kind} exists; overwrite=true makes it again\n"
    assert capsys.readouterr().out == line


@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_several_files_that_exist_are_counted(name, verb, broken, carry_out, capsys, tmp_path):
    for number in range(3):
        tar(tmp_path / f"p-{number}.tar", a__png=(broken / "photo0.png").read_bytes())
    assert carry_out(*verb(name, f"{tmp_path}/p-{{0..1}}.tar", tmp_path / "out")) == 0
    capsys.readouterr()
    assert carry_out(*verb(name, f"{tmp_path}/p-{{0..2}}.tar", tmp_path / "out")) == 0
    said = capsys.readouterr().out
    assert "2 tar or zip files exist; overwrite=true makes them again\n" in said
    assert "1 upscaled" in said or "1 of 1 pairs" in said


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", ["upscale", "degrade"])
def test_names_of_any_bytes(name, kind, verb, broken, carry_out, tmp_path):
    out = tmp_path / f"o.{kind}"
    shutil.copy(broken / "photo0.png", broken / os.fsdecode(b"Stra\xdfe.png"))
    shutil.copy(broken / "photo1.png", broken / "Stra%DFe.png")
    assert carry_out(*verb(name, broken, out)) == 1
    before = members(out.read_bytes())
    odd = "Stra\udcdfe" if kind == "tar" else "Stra%DFe-2"
    assert len([key for key in before if "Stra%DFe" in key or odd in key]) == len(before) // 2
    assert any(odd in key for key in before)
    heal(broken)
    assert carry_out(*verb(name, broken, out, "retry=failed")) == 0
    after = members(out.read_bytes())
    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) * 5 // 4
