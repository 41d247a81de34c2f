"""Settings of files of measured values: what is taken, and the sentence of what is refused."""

import pytest
from omegaconf import OmegaConf

from wildsr.config.measured import check_measured, check_shown
from wildsr.error import UserError

MEASURED = {"bands": None, "page": None, "range": None, "identity": "remove"}
SHOWN = {"bands": None, "window": None}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"bands": [3, 1, 2, 7]},
        {"bands": "all"},
        {"page": 1},
        {"range": [-0.5, 2]},
        {"range": "auto"},
        {"range": "window"},
        {"identity": "keep"},
    ],
)
def test_what_is_taken(given):
    check_measured(OmegaConf.create({**MEASURED, **given}))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"bands": []}, "`bands` must be a list of numbers from 1, .* but got "),
        ({"bands": [0, 1]}, r"`bands` must be .* but got \[0, 1\]\."),
        ({"bands": [1.5]}, r"`bands` must be .* but got \[1\.5\]\."),
        ({"bands": "red"}, r"`bands` must be .* but got red\."),
        ({"page": 0}, "`page` must be 1 or more, or null, but got 0"),
        ({"page": "first"}, "`page` must be 1 or more, or null, but got 'first'"),
        ({"range": [2, 1]}, r"`range` must be \[low, high\], auto, window or null, .* \[2, 1\]\."),
        ({"range": [1]}, r"`range` must be .* but got \[1\]\."),
        ({"range": "wide"}, r"`range` must be .* but got wide\."),
        ({"identity": "maybe"}, "`identity` must be one of .*keep.*maybe"),
    ],
)
def test_what_is_refused(given, sentence):
    with pytest.raises(UserError, match=sentence):
        check_measured(OmegaConf.create({**MEASURED, **given}))


@pytest.mark.parametrize("given", [{}, {"bands": [4]}, {"bands": [4, 3, 2]}, {"window": [0, 0.5]}])
def test_what_can_be_shown(given):
    check_shown(OmegaConf.create({**SHOWN, **given}))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"bands": [1, 2]}, r"`bands` must be one or three numbers from 1, .* got \[1, 2\]\."),
        ({"bands": [0]}, r"`bands` must be one or three .* but got \[0\]\."),
        ({"bands": "all"}, r"`bands` must be one or three .* but got all\."),
        ({"window": [1, 0]}, r"`window` must be \[low, high\] or null, but got \[1, 0\]\."),
        ({"window": "auto"}, r"`window` must be .* but got auto\."),
    ],
)
def test_what_cannot_be_shown(given, sentence):
    with pytest.raises(UserError, match=sentence):
        check_shown(OmegaConf.create({**SHOWN, **given}))
