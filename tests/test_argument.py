import math

import pytest

from wildsr.argument import check_counts, check_integer, check_scale, shuffle_factors
from wildsr.degradation.bicubic import Bicubic
from wildsr.degradation.camera import KnownCamera
from wildsr.degradation.pipeline.pipeline import Pipeline
from wildsr.error import UserError
from wildsr.network.degrader.camera import Camera
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.upscaler.lapsrn import LapSRN


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


@pytest.mark.parametrize(
    ("value", "options", "sentence"),
    [
        (7, {"least": 8}, "`tile` must be an integer of at least 8, but got 7."),
        (True, {"least": 0}, "`tile` must be an integer of at least 0, but got True."),
        (2.0, {"least": 0}, "`tile` must be an integer of at least 0, but got 2.0."),
        ("9", {"least": 0}, "`tile` must be an integer of at least 0, but got '9'."),
        (None, {"least": 0}, "`tile` must be an integer of at least 0, but got None."),
        (17, {"least": 1, "most": 16}, "`tile` must be an integer from 1 to 16, but got 17."),
        (4, {"least": 3, "odd": True}, "`tile` must be an odd integer of at least 3, but got 4."),
        (1, {"least": 3, "null": True}, "must be an integer of at least 3 or null, but got 1."),
    ],
)
def test_what_is_no_integer_of_its_range_is_one_sentence(value, options, sentence):
    with pytest.raises(UserError) as caught:
        check_integer("`tile`", value, **options)
    assert str(caught.value).endswith(sentence)


def test_integers_of_their_range_pass():
    check_integer("`x`", 8, 8)
    check_integer("`x`", 16, 1, 16)
    check_integer("`x`", 3, 3, odd=True)
    check_integer("`x`", None, 3, null=True)


def test_a_switch_is_no_scale():
    check_scale("`scale`", 1)
    with pytest.raises(UserError, match=r"`scale` must be one of .* but got True"):
        check_scale("`scale`", True)


@pytest.mark.parametrize("scale", [[4], 0, 2.0, "4"])
@pytest.mark.parametrize(
    "made",
    [Bicubic, Camera, KnownCamera, LapSRN, MeasuredCamera, lambda scale: Pipeline(scale, {})],
)
def test_what_a_damaged_configuration_calls_a_scale_is_one_sentence(made, scale):
    with pytest.raises(UserError, match="`scale` must be"):
        made(scale)
