"""Plain data from files of anybody."""

import pytest
from omegaconf import OmegaConf

from wildsr.config.plain import as_config, read_json, read_yaml
from wildsr.error import UserError

STRINGS = [
    "${x}",
    "\\${x}",
    "\\\\${x}",
    "${oc.env:HOME}",
    "a${",
    "end\\",
    "[bold]",
    "Photos (2019)",
]
STRINGS += ["1e-3", "1.5", "yes", "null", "2020-01-01", "~", "a: b", "# no", "' \"", "\udcdf"]


@pytest.mark.parametrize("value", STRINGS)
def test_a_recorded_string_comes_back_as_it_was(value, tmp_path):
    config = as_config({"a": {"b": [value]}, "c": value})
    path = tmp_path / "it.yaml"
    path.write_text(OmegaConf.to_yaml(config, resolve=True))
    found = as_config(read_yaml(path))
    assert found.c == value
    assert OmegaConf.to_container(found, resolve=True) == {"a": {"b": [value]}, "c": value}


@pytest.mark.parametrize(
    "value", [1, -3, 1.5, 1e-5, 5e-4, 1e20, True, None, [], {}, [[1], {"a": 2}]]
)
def test_other_values_too(value, tmp_path):
    path = tmp_path / "it.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create({"a": value})))
    assert read_yaml(path) == {"a": value}


def test_aliases_are_read_where_they_stay_small(tmp_path):
    path = tmp_path / "it.yaml"
    path.write_text("a: &a [1, 2]\nb: [*a, *a]\n")
    assert read_yaml(path) == {"a": [1, 2], "b": [[1, 2], [1, 2]]}
    path.write_text("a: &a [1, 2]\nb: [" + ", ".join(["*a"] * 9000) + "]\n")
    with pytest.raises(UserError, match="more than 20000 values"):
        read_yaml(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 10**5, b"9" * 10**4])
def test_json_that_is_none(content, tmp_path):
    path = tmp_path / "it.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is damaged"):
        read_json(path)
    with pytest.raises(UserError, match="is not a file"):
        read_json(tmp_path)
    with pytest.raises(UserError, match="There is no"):
        read_json(tmp_path / "nowhere")
