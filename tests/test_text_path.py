"""Names that are no text, for libraries that want text."""

import os
from pathlib import Path

import pytest

from wildsr.text_path import text_path


def test_a_name_that_is_text_is_given_as_it_is(tmp_path):
    with text_path(tmp_path / "Straße.onnx") as name:
        assert name == str(tmp_path / "Straße.onnx")


@pytest.mark.parametrize(
    ("name", "suffix"), [(b"Stra\xdfe.onnx", ".onnx"), (b"a.n\xdfx", ""), (b"Stra\xdfe", "")]
)
def test_a_name_that_is_no_text_is_reached_by_a_link(tmp_path, name, suffix, monkeypatch):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text("weights")
    monkeypatch.chdir(tmp_path)
    for given in (path, path.relative_to(tmp_path)):
        with text_path(given) as link:
            link.encode()
            assert Path(link).suffix == suffix
            assert Path(link).read_text() == "weights"
        assert not os.path.lexists(link)
    assert path.read_text() == "weights"


def test_what_a_library_writes_under_the_link_gets_the_name(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xdf.bin"))
    with text_path(path) as link, open(link, "w") as file:
        file.write("made")
    assert path.read_text() == "made"
