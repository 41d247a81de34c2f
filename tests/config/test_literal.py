"""Every key whose value is a path or plain text takes every one of them as it is typed."""

import re

import pytest
import yaml
from omegaconf import OmegaConf
from support.names import TORTURED

from wildsr.config.choice import CONF
from wildsr.config.compose import configure, literals, verbs
from wildsr.config.help import keys
from wildsr.config.make import make
from wildsr.config.plain import as_config, literal, printable
from wildsr.error import UserError

# What has to be chosen so that every literal key of a verb is there.
CHOSEN = {
    "train": (["data=folders", "degradation=learned"], ["data=photo"], ["data=demo"]),
    "evaluate": (["logger=wandb"],),
}
GIVEN = {"data.lr": "a", "data.hr": "b", "degradation.run": "c", "hr": "d", "output": "e"}


def every_key():
    for verb in verbs():
        for chosen in CHOSEN.get(verb, ([],)):
            for key, kind in literals(verb, chosen).items():
                yield verb, tuple(chosen), key, kind


EVERY = list(every_key())


def values_of(verb, chosen, typed):
    """What the keys hold once these texts were typed for them."""
    given = {k: v for k, v in GIVEN.items() if k in literals(verb, chosen)} | typed
    config = configure(verb, [*chosen, *(f"{key}={value}" for key, value in given.items())])
    found = {key: OmegaConf.select(config, key) for key in typed}
    return {
        key: OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        for key, value in found.items()
    }


def value_of(verb, chosen, key, value):
    return values_of(verb, chosen, {key: value})[key]


def test_the_keys_are_those_that_the_comments_call_files_and_folders():
    marked = {(verb, key) for verb, _, key, _ in EVERY}
    for verb in verbs():
        for line, about in keys(CONF / f"{verb}.yaml"):
            key = line.partition("=")[0]
            if re.match(r"(must be given: |new |or |any )*(a )?(run |new )?(folder|file)", about):
                assert (verb, key) in marked, f"{verb}: {key} is no literal key: {about}"
    files = CONF.rglob("*.yaml")
    listed = [path for path in files if "literal" in yaml.safe_load(path.read_text())]
    for path in listed:
        there = {line.partition("=")[0] for line, _ in keys(path)}
        assert set(yaml.safe_load(path.read_text())["literal"]) <= there, path


@pytest.mark.parametrize("name", TORTURED)
def test_every_name_is_taken_as_it_is_typed(name):
    number = TORTURED.index(name)
    for place, verb in enumerate(verbs()):
        if number > 3 and verb != "upscale" and (number + place) % 4:
            continue  # the first names everywhere, the others in turn: a key is of one of 3 kinds
        for chosen in CHOSEN.get(verb, ([],)):
            if "data=folders" not in chosen and verb == "train" and number > 3:
                continue  # the same keys again, and three more
            kinds = literals(verb, chosen)
            several = {key for key, kind in kinds.items() if kind == "paths" and name[0] in "[{"}
            typed = {key: f"x{name}" if key in several else name for key in kinds}
            assert values_of(verb, chosen, typed) == typed, verb


@pytest.mark.parametrize("name", TORTURED)
def test_lists_and_mappings_of_every_name(name):
    quote = '"' if "'" in name else "'"
    inner = f"{quote}{name}{quote}"
    assert value_of("evaluate", (), "run", f"[{inner}, b]") == [name, "b"]
    named = {"one": name, "two": "b"}
    assert value_of("evaluate", (), "data.lr", f"{{one: {inner}, two:b}}") == named


def test_a_folder_that_looks_like_a_list_is_that_folder(tmp_path):
    for name in ("[a, b]", "{a: b}"):
        (tmp_path / name).mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            assert value_of("evaluate", (), "run", name) == name


def test_null_is_none_and_nothing_is_refused():
    assert configure("export", ["name=null"]).name is None
    for verb, key in (("export", "output="), ("export", "licence="), ("evaluate", "run=")):
        with pytest.raises(UserError, match="but got nothing"):
            configure(verb, [key])


@pytest.mark.parametrize("value", ["x" * 256, "a/" * 3000, "é" * 128, "nul\0byte"])
def test_what_no_file_system_takes_is_refused(value):
    with pytest.raises(UserError, match="`output` must be"):
        configure("export", [f"output={value}"])


class Thing:
    """Keeps what it is made with."""

    def __init__(self, path, nested):
        self.path, self.nested = path, nested


@pytest.mark.parametrize("name", TORTURED)
def test_it_survives_files_copies_and_construction(name, monkeypatch):
    monkeypatch.setattr("wildsr.argument.Thing", Thing, raising=False)
    node = {"_target_": "wildsr.argument.Thing", "path": name, "nested": [{"deep": [name]}]}
    config = as_config({"node": node})
    again = OmegaConf.create(OmegaConf.to_yaml(config))
    for one in (config, again):
        assert one.node.path == name
        assert OmegaConf.to_container(one, resolve=True) == {"node": node}
        made = make(one.node, "node")
        assert (made.path, made.nested[0]["deep"][0]) == (name, name)
    assert OmegaConf.create({"a": literal(name)}).a == name
    printable({"a": [name]})["a"][0].encode()


def test_no_list_of_literal_keys_is_left_in_a_configuration():
    for verb, chosen, *_ in EVERY:
        text = str(OmegaConf.to_container(configure(verb, list(chosen))))
        assert "literal" not in text
