"""Every configuration composes to the values on record, however its files share them.

``composed.json`` holds them. A change that is meant is recorded by
``python tests/config/test_composed.py``, and is then read in the diff.
"""

import functools
import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from wildsr.config.choice import CONF
from wildsr.config.compose import configure, verbs

RECORD = Path(__file__).with_name("composed.json")
WHOLE = ("method", "experiment", "data")  # what they choose elsewhere is theirs, too


ADDED = {"network/translator": "+"}
FRONT, CRITIC = "network/front", "network/critic"  # which has the front that was chosen in it
LISTED = (FRONT, "loss")
ROUNDS = 3  # that are composed at once; `make test-heavy` composes all


@functools.lru_cache(maxsize=4)
def composed(verb, *typed):
    return OmegaConf.to_container(configure(verb, list(typed)), resolve=True)


def leaves(node, prefix=""):
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def typed(group, name):
    return f"{ADDED.get(group, '')}{group}={f'[{name}]' if group in LISTED else name}"


def whole(group, name):
    """What a choice changes anywhere."""
    plain, own = (dict(leaves(composed("train", *more))) for more in ((), (typed(group, name),)))
    gone = dict.fromkeys(sorted(plain.keys() - own.keys()), "(gone)")
    return {k: v for k, v in own.items() if k not in plain or plain[k] != v} | gone


def part(group, others):
    """What a choice says in its own place, beside those of other groups."""
    config = composed("train", *others)
    for key in group.split("/"):
        config = config[key]
    return config


def everything():
    """Name -> what composes it; choices of different groups are composed together.

    And the names of those in the first rounds: a whole composition takes a quarter of a second.
    """
    found = {verb: functools.partial(composed, verb) for verb in verbs()}
    rounds = []
    for path in sorted(CONF.rglob("*.yaml")):
        group = path.parent.relative_to(CONF).as_posix()
        if group in WHOLE:
            found[f"{group}={path.stem}"] = functools.partial(whole, group, path.stem)
        elif group != ".":
            taken = {group, CRITIC if group == FRONT else group}
            free = next((one for one in rounds if not taken & one.keys()), None)
            if free is None:
                rounds.append(free := {})
            free[group] = path.stem
    quick = set(found)
    for number, one in enumerate(rounds):
        others = tuple(typed(*choice) for choice in one.items())
        for group, name in one.items():
            found[f"{group}={name}"] = functools.partial(part, group, others)
            quick |= {f"{group}={name}"} if number < ROUNDS else set()
    return found, quick


EVERYTHING, QUICK = everything()


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=() if n in QUICK else pytest.mark.heavy) for n in EVERYTHING],
)
def test_it_composes_to_what_is_on_record(name):
    assert json.loads(json.dumps(EVERYTHING[name]())) == json.loads(RECORD.read_text())[name]


def test_nothing_is_on_record_that_is_gone():
    assert json.loads(RECORD.read_text()).keys() == EVERYTHING.keys()


if __name__ == "__main__":
    names = sorted(EVERYTHING, key=lambda name: ("=" in name, name))
    record = {name: EVERYTHING[name]() for name in names}
    text = json.dumps(record, indent=1)
    RECORD.write_text(text + "\n")
