"""Python's values as the command line's."""

from pathlib import Path

import numpy as np
import pytest

from wildsr.api.overrides import overrides_of
from wildsr.config.compose import configure
from wildsr.error import UserError


def configured(**settings):
    return configure("train", overrides_of(settings, {}))


PATHS = [
    "Photos (2019)",
    "it's",
    "a 'b' c",
    "back\\slash",
    "back\\'quote",
    "ends\\",
    "a, b",
    "{x: y}",
    "k=v",
    "$HOME",
    "null",
    "1",
    "1e3",
    "true",
    "#x",
    "ä ö",
    " lead",
    "[one]",
]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("kind", [str, Path])
def test_every_path_arrives_as_it_is(name, kind):
    config = configured(**{"data": "folders", "data.lr": kind(name), "data.hr": "x"})
    assert config.data.lr == (name if name != "null" else "./null")  # null alone is for none


def test_values_keep_their_types():
    config = configured(
        data="folders",
        scale=2,
        seconds=1.5,
        weights=None,
        baseline=False,
        iterations=np.int64(7),
        **{"metric.metrics": ["psnr", "ssim"], "data.lr": Path("/a b"), "data.hr": "~/c"},
    )
    assert (config.scale, config.seconds, config.weights) == (2, 1.5, None)
    assert (config.baseline, config.iterations) == (False, 7)
    assert list(config.metric.metrics) == ["psnr", "ssim"]
    assert (config.data.lr, config.data.hr) == ("/a b", "~/c")


def test_folders_by_name_and_in_lists():
    given = {"data.lr": {"set5": Path("/x (1)"), "b": "y"}, "run": ["a b", "c'd"]}
    config = configure("evaluate", overrides_of(given, {}, "evaluate"))
    assert dict(config.data.lr) == {"set5": "/x (1)", "b": "y"}
    assert list(config.run) == ["a b", "c'd"]


def test_a_term_below_updates():
    config = configured(**{"method.updates.upscale.terms.pixel.weight": 0.5})
    assert config.method.updates.upscale.terms.pixel.weight == 0.5


@pytest.mark.parametrize(
    ("given", "more", "said"),
    [
        ({"scale": 2}, {"scale": 3}, "`scale` must be given once, but got 2 and 3"),
        ({"scale": object()}, {}, "`scale` must be a number, .* but got object"),
        ({3: 1}, {}, "must be a name such as 'data.lr', not 3"),
        ({"a=b": 1}, {}, "must be a name"),
        (["scale=2"], {}, "`settings` must be a mapping"),
    ],
)
def test_what_is_no_setting(given, more, said):
    with pytest.raises(UserError, match=said):
        overrides_of(given, more)
