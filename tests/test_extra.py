"""Optional packages: imported where they are needed, or one sentence that says how to get them."""

import json
import sys

import pytest

from wildsr.error import UserError
from wildsr.extra import needed


def test_a_package_that_is_there_is_imported():
    assert needed("json", "any", "A test") is json


@pytest.mark.parametrize("name", ["absent", "absent.part"])
def test_one_that_is_not_says_what_needs_it_and_how_it_comes(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "absent", None)
    with pytest.raises(UserError) as caught:
        needed(name, "some", "`key=value`")
    assert str(caught.value) == "`key=value` needs the package absent: pip install 'wildsr[some]'."
