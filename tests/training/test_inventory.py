"""What became of the photos between the parts of a run."""

from types import SimpleNamespace

import pytest

from wildsr.training import inventory


def data(lr, hr):
    return SimpleNamespace(
        lr_store=SimpleNamespace(argument="data.lr", digests=lr),
        hr_store=SimpleNamespace(argument="data.hr", digests=hr),
    )


BEFORE = {"a.png": "1", "b.png": "2"}


def test_nothing_is_said_where_all_is_as_it_was(tmp_path):
    assert inventory.changes(tmp_path, data(BEFORE, BEFORE)) == []  # nothing is known
    inventory.write(tmp_path, data(BEFORE, BEFORE))
    assert inventory.changes(tmp_path, data(BEFORE, BEFORE)) == []


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({**BEFORE, "c.png": "3"}, "1 added"),
        ({"a.png": "1"}, "1 gone"),
        ({"a.png": "1", "b.png": "9"}, "1 changed"),
        ({"b.png": "9", "c.png": "3", "d.png": "4"}, "2 added, 1 gone, 1 changed"),
    ],
)
def test_what_is_other_is_counted(tmp_path, now, said):
    inventory.write(tmp_path, data(BEFORE, BEFORE))
    (line,) = inventory.changes(tmp_path, data(BEFORE, now))
    assert line.startswith(f"`data.hr` holds other photos than when the run was left ({said})")


@pytest.mark.parametrize("content", ["", "[]", "null", '{"data.hr": 3}'])
def test_a_damaged_list_says_nothing(tmp_path, content):
    (tmp_path / inventory.FILE).write_text(content)
    assert inventory.changes(tmp_path, data(BEFORE, BEFORE)) == []
