"""The configuration of a resumed run: what it was started with, and what is typed now."""

import shutil

import pytest
import yaml

from wildsr.error import UserError
from wildsr.run.resume import resumed_config


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of a finished run."""
    return shutil.copytree(finished, tmp_path / "it")


def test_what_is_typed_replaces_what_was_saved(folder):
    config, overrides = resumed_config(folder, ["iterations=7"], trust=False)
    assert config.iterations == 7
    assert [one for one in overrides if one.startswith("iterations=")] == ["iterations=7"]
    with pytest.raises(UserError, match="nonsense"):
        resumed_config(folder, ["nonsense=1"], trust=False)


@pytest.mark.parametrize("text", ["method: [1", "null", "method: 3", ""])
def test_a_damaged_record_does_not_decide_about_the_finish(text, folder):
    """What is damaged is said by those who need it; the saved overrides are whole."""
    (folder / "config.yaml").write_text(text)
    config, _ = resumed_config(folder, ["iterations=7"], trust=False)
    assert config.iterations == 7


def test_a_run_without_a_finish_goes_on_without_one(folder):
    recorded = yaml.safe_load((folder / "config.yaml").read_text())
    recorded["method"].pop("finish", None)
    (folder / "config.yaml").write_text(yaml.safe_dump(recorded))
    assert "finish=none" in resumed_config(folder, [], trust=False)[1]
    assert "finish=gan" in resumed_config(folder, ["finish=gan"], trust=False)[1]
