"""Processes that share a folder of results: who writes, and what is said to the others."""

import pytest

from wildsr.archive.shard import Shard
from wildsr.error import UserError
from wildsr.run.together import writing_together


def test_two_parts_are_written_at_once_and_one_part_once(tmp_path):
    with (
        writing_together(tmp_path / "out", Shard(1, 2), lambda alone: None),
        writing_together(tmp_path / "out", Shard(2, 2), lambda alone: None),
        pytest.raises(UserError, match="is being written by process"),
        writing_together(tmp_path / "out", Shard(1, 2), lambda alone: None),
    ):
        pass


def test_settings_are_not_changed_under_another_s_hands(tmp_path):
    with (
        writing_together(tmp_path, Shard(1, 2), lambda alone: alone()),
        pytest.raises(UserError, match="is being written by process"),
        writing_together(tmp_path, Shard(2, 2), lambda alone: alone()),
    ):
        pass
    with writing_together(tmp_path, Shard(2, 2), lambda alone: alone()):
        pass  # its own lock was let go of, and the other's too


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    reason = r"`output`: nothing can be written into .*out: Not a directory"
    with (
        pytest.raises(UserError, match=reason),
        writing_together(tmp_path / "file" / "out", Shard(1, 1), lambda alone: None),
    ):
        pass
