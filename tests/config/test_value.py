"""Checks of single values: what each refuses, in one sentence that names the key."""

import pytest
from omegaconf import OmegaConf

from wildsr.config import value
from wildsr.error import UserError


def refusal(check, given, *more, key="key"):
    with pytest.raises(UserError) as caught:
        check(OmegaConf.create({key: given}), *more)
    assert f"`{key}`" in str(caught.value)
    return str(caught.value)


def test_choices_of_words_and_of_numbers():
    assert "Did you mean 'png'" in refusal(value.check_choice, "pnq", "key", ("png", "jpeg"))
    assert "one of [1, 2]" in refusal(value.check_choice, 3, "key", (1, 2))
    refusal(value.check_choice, True, "key", (1, 2))
    value.check_choice(OmegaConf.create({"key": 2}), "key", (1, 2))


@pytest.mark.parametrize("given", [1, "true", None])
def test_a_switch_is_true_or_false(given):
    assert "true or false" in refusal(value.check_switch, given, "key")
    assert "true, false or hr, but got" in refusal(value.check_switch, given, "key", ["hr"])
    value.check_switch(OmegaConf.create({"key": "hr"}), "key", ["hr"])


@pytest.mark.parametrize("given", [0, True, "x", -1])
def test_a_limit_is_a_positive_number_or_none(given):
    refusal(value.check_limit, given, key="limit")
    value.check_limit(OmegaConf.create({"limit": None}))


@pytest.mark.parametrize("given", [-0.1, 1.5, "x", True])
def test_a_strength_is_a_share(given):
    refusal(value.check_strength, given, key="strength")
    refusal(value.check_strength, [0.5, given], True, key="strength")
    value.check_strength(OmegaConf.create({"strength": [0, 0.5]}), several=True)


def test_an_empty_list_holds_no_strength():
    assert "empty" in refusal(value.check_strength, [], True, key="strength")


def test_a_switch_is_no_number():
    assert [value.is_whole(v) for v in (1, 1.0, True)] == [True, False, False]
    assert [value.is_number(v) for v in (1, 1.0, True, "1")] == [True, True, False, False]
