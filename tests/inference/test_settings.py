"""What settings of results cannot be."""

import pytest

from wildsr.error import UserError
from wildsr.inference.settings import Settings


@pytest.mark.parametrize("name", ["outscale", "quality"])
@pytest.mark.parametrize("value", ["high", "", True, [2], float("nan"), -1, 0, 1000])
def test_what_is_no_number_in_range_is_refused_in_a_sentence(name, value):
    with pytest.raises(UserError, match=f"Argument `{name}` must be"):
        Settings(**{name: value})


def test_numbers_in_range_are_kept():
    made = Settings(outscale=1.5, quality=1)
    assert (made.outscale, made.quality) == (1.5, 1)
    assert Settings(outscale=None).outscale is None
