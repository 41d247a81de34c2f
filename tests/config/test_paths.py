"""One path, several, or named ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildsr.config.compose import configure
from wildsr.config.paths import paths_by_name, short_names, unused
from wildsr.error import UserError


def test_the_forms():
    assert paths_by_name(None, "run") == {}
    assert paths_by_name("a/b", "run") == {"b": Path("a/b")}
    assert paths_by_name(["x/set5/lr", "x/set14/lr"], "data.lr") == {
        "set5": Path("x/set5/lr"),
        "set14": Path("x/set14/lr"),
    }
    assert paths_by_name({"mine": "a"}, "run") == {"mine": Path("a")}
    for bad, message in (
        (["a", "a"], "'?a'? is there twice"),
        ([], "at least one"),
        ({"": "a"}, "each with a name"),
    ):
        with pytest.raises(UserError, match=message):
            paths_by_name(bad, "run")


def test_names_grow_until_they_differ():
    assert short_names([Path("p/a/x"), Path("q/b/x")]) == ["a", "b"]
    assert short_names([Path("p/a"), Path("q/a"), Path("q/b")]) == ["p/a", "q/a", "q/b"]


@given(st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join), min_size=1))
def test_names_are_one_each(paths):
    names = short_names([Path(path) for path in paths])
    assert len(set(names)) == len(paths)


def test_unused():
    assert unused("a", {}) == "a"
    assert unused("a", {"a": 1, "a-2": 1}) == "a-3"


def test_lists_and_names_as_they_are_typed(tmp_path):
    def run(typed):
        return configure("evaluate", [f"run={typed}"]).run

    assert run("[runs/a, runs/b (2)]") == ["runs/a", "runs/b (2)"]
    assert run("{first: runs/a, set 5: it=b}") == {"first": "runs/a", "set 5": "it=b"}
    assert run("['a,b',c]") == ["a,b", "c"]
    odd = tmp_path / "[odd]"
    odd.mkdir()
    assert run(odd) == str(odd)
