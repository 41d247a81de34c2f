"""The strength that a run's finish was given."""

import pytest

from wildsr.error import UserError
from wildsr.run.finish import FILE, default_strength, write_finish


def test_a_strength_is_read_back(tmp_path):
    assert default_strength(tmp_path) == 0
    write_finish(tmp_path, {"strength": 0.25, "why": "chosen"})
    assert default_strength(tmp_path) == 0.25


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"strength": 2}', '{"strength": "all"}'])
def test_a_damaged_file_is_a_sentence(text, tmp_path):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(UserError):
        default_strength(tmp_path)
