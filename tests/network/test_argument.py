import math

import pytest

from wildsr.argument import check_counts, shuffle_factors
from wildsr.error import UserError


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_shuffles_multiply_to_the_scale(scale):
    assert math.prod(shuffle_factors(scale)) == scale
    assert set(shuffle_factors(scale)) <= {2, 3}  # the published convolutions


@pytest.mark.parametrize("scale", [0, 5, -2, 2.5, "4"])
def test_other_scales_are_refused(scale):
    with pytest.raises(UserError, match=r"`scale` must be one of \[1, 2, 3, 4, 8\], but got"):
        shuffle_factors(scale)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "64", None])
def test_counts_are_positive_integers(value):
    check_counts(features=1, blocks=16)
    with pytest.raises(UserError, match=f"`blocks` must be an integer .* got {value!r}"):
        check_counts(features=64, blocks=value)
