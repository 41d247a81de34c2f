"""The settings of pairs in tar and zip files: recorded beside them, and compared."""

import shutil

import pytest
from support.container_fixtures import tar

from wildsr.archive.store import Store

pytest.importorskip("fsspec")


@pytest.mark.parametrize("there", ["{}", "memory://a"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_pairs_of_other_settings_are_not_taken_for_the_same(
    kind, there, verb, broken, memory, carry_out, refused, tmp_path
):
    out = f"{there.format(tmp_path)}/o.{kind}"
    assert carry_out(*verb("degrade", broken, out)) == 1
    assert f"o.{kind} was made with another seed; overwrite=true" in refused(
        *verb("degrade", broken, out, "seed=1")
    )
    said = refused(*verb("degrade", broken, out, "seed=1", "retry=failed", "overwrite=true"))
    assert "was made with another seed; without `retry`, overwrite=true" in said
    assert carry_out(*verb("degrade", broken, out)) == 0  # exists
    assert carry_out(*verb("degrade", broken, out, "seed=1", "overwrite=true")) == 1
    assert carry_out(*verb("degrade", broken, out, "seed=1")) == 0
    assert "another seed" in refused(*verb("degrade", broken, out))


def test_settings_of_tar_files_are_of_each(verb, broken, carry_out, refused, tmp_path):
    for number in range(3):
        tar(tmp_path / f"p-{number}.tar", a__png=(broken / "photo0.png").read_bytes())
    whole = (tmp_path / "p-1.tar").read_bytes()
    (tmp_path / "p-1.tar").write_bytes(whole[:900])
    out = tmp_path / "out"
    first = verb("degrade", f"{tmp_path}/p-{{0..1}}.tar", out)
    assert "is no whole tar file" in refused(*first)
    (tmp_path / "p-1.tar").write_bytes(whole)
    assert carry_out(*verb("degrade", f"{tmp_path}/p-{{0..2}}.tar", out)) == 0
    assert carry_out(*first) == 0
    assert "p-0.tar was made with another hr" in refused(
        *verb("degrade", tmp_path / "p-1.tar", out / "p-0.tar")
    )
    shutil.move(out / "p-2.tar", tmp_path / "moved.tar")
    assert "no record beside it says with which it was made" in refused(
        *verb("degrade", tmp_path / "p-2.tar", tmp_path / "moved.tar")
    )


def test_a_record_that_cannot_be_written_is_one_sentence(
    verb, broken, memory, refused, monkeypatch
):
    put = Store.put

    def refuse(self, name, data):
        if name == "o.zip.json":
            raise OSError("no room")
        put(self, name, data)

    monkeypatch.setattr(Store, "put", refuse)
    said = refused(*verb("degrade", broken, "memory://a/o.zip"))
    assert "nothing can be written into memory://a: no room" in said
