"""Every configuration composes to the values on record, however its files share them.

``composed.json`` holds them. A change that is meant is recorded by
``python tests/config/test_composed.py``, and is then read in the diff.
"""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from wildsr.config.compose import CONF, configure, verbs

RECORD = Path(__file__).with_name("composed.json")
WHOLE = ("method", "experiment", "data")  # what they choose elsewhere is theirs, too


def composed(verb, *typed):
    """The plain values of a verb's configuration; what is missing is ???."""
    return OmegaConf.to_container(configure(verb, list(typed)), resolve=True)


def leaves(node, prefix=""):
    """(key with dots, value) of everything that is no mapping, or an empty one."""
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def choice(group, name):
    """What a choice means: its own node, or all that it changes of the plain ``train``."""
    added = {"network/translator": "+", "network/front": "", "loss": ""}
    listed = f"[{name}]" if group in ("network/front", "loss") else name
    config = composed("train", f"{added.get(group, '')}{group}={listed}")
    if group in WHOLE:
        plain = dict(leaves(composed("train")))
        own = dict(leaves(config))
        gone = dict.fromkeys(sorted(plain.keys() - own.keys()), "(gone)")
        return {k: v for k, v in own.items() if k not in plain or plain[k] != v} | gone
    for part in group.split("/"):
        config = config[part]
    return config


def everything():
    """All verbs and choices, by name, each as a function that composes it."""
    found = {verb: lambda verb=verb: composed(verb) for verb in verbs()}
    for path in sorted(CONF.rglob("*.yaml")):
        group = path.parent.relative_to(CONF).as_posix()
        if group != ".":
            found[f"{group}={path.stem}"] = lambda g=group, n=path.stem: choice(g, n)
    return found


EVERYTHING = everything()


@pytest.mark.parametrize("name", EVERYTHING)
def test_it_composes_to_what_is_on_record(name):
    assert json.loads(json.dumps(EVERYTHING[name]())) == json.loads(RECORD.read_text())[name]


def test_nothing_is_on_record_that_is_gone():
    assert json.loads(RECORD.read_text()).keys() == EVERYTHING.keys()


if __name__ == "__main__":
    text = json.dumps({name: compose() for name, compose in EVERYTHING.items()}, indent=1)
    RECORD.write_text(text + "\n")
