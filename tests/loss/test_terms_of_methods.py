"""The terms on pretrained networks that methods ship without, switched on as their files say."""

import re
import shlex

import pytest
import torch

from wildsr.config.choice import CONF


def published(method):
    """The overrides of the file's second command, as a user pastes them."""
    text = (CONF / "method" / f"{method}.yaml").read_text()
    return shlex.split(re.findall(r"^# python train.py (.*)$", text, re.MULTILINE)[1])


SIZE = ["data.patch=32", "iterations=2"]  # AlexNet needs 31 pixels of LR


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (
            "dsgan",
            {"upscale/content", "upscale/pixel", "upscale/low", "upscale/fool", "judge_hr/real"},
        ),
        pytest.param(
            "dasr",
            {"upscale/lpips", "upscale/pixel", "upscale/low", "upscale/fool", "judge_hr/real"},
            marks=pytest.mark.heavy,
        ),
    ],
)
def test_with_weights_on_disk(fit, of, plain_batches, on_disk, method, expected):
    seen = {}

    def keep(training):
        def step(batch, index, own=training.training_step):
            own(batch, index)
            seen.update(training.values)

        training.training_step = step

    overrides = [*of(method), *SIZE, *published(method)]
    training = fit(overrides, plain_batches(2, patch=32), keep)
    assert set(training.values) == expected, "those of the last stage"
    assert "degrade/lpips" in seen
    assert all(torch.isfinite(value) for value in seen.values())


@pytest.mark.heavy
@pytest.mark.parametrize("method", [pytest.param("dsgan", marks=pytest.mark.heavy), "dasr"])
def test_without_weights_one_sentence_says_how_to_get_them(
    fit, of, plain_batches, no_weights, method
):
    with pytest.raises(ValueError, match=r"Term `.*`: .* needs .*\.pth in .*, which is not there"):
        fit([*of(method), *SIZE, *published(method)], plain_batches(2, patch=32))
    fit([*of(method), *SIZE], plain_batches(2, patch=32))  # as shipped nothing is missing
