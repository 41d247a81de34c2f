"""Pixels and their 8 bits: one owner, and what it promises."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import wildsr
from wildsr.error import UserError
from wildsr.pixels import (
    LUMA,
    YCBCR,
    array_of,
    floats,
    floats_of,
    levels,
    luma,
    round8,
    round_into,
    rounded,
    studio_luma,
    to_8_bit,
    torchvision_luma,
    unit,
    whole_numbers,
)

PACKAGE = Path(wildsr.__file__).parent
# What else may speak of these numbers: the integer arithmetic of JPEG files, there and back.
JPEG = ("degradation/jpeg/jpeg.py", "degradation/jpeg/chrominance.py", "forensics/planes.py")
CONCEPTS = {
    "luma": r"0\.2989?\b|0\.587\b|65\.481|\b0\.114\b",
    "rounding to 8 bits": r"255\)\s*\.round\(|\* ?255\)\.round\(",
    "levels as floats": r"float\(\)\.div\(255\)|float\(\) / 255",
}


@pytest.mark.parametrize("concept", CONCEPTS)
def test_each_conversion_is_written_once(concept):
    found = []
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).as_posix()
        code = re.sub(r'"""(?s:.*?)"""|#.*', "", path.read_text())
        if name not in (*JPEG, "pixels.py") and re.search(CONCEPTS[concept], code):
            found.append(name)
    assert found == []


def test_every_level_there_and_back():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
    assert torch.equal(levels(floats(every)), every)
    array = np.arange(768, dtype=np.uint8).reshape(16, 16, 3)
    assert np.array_equal(array_of(floats_of(array)), array)
    assert unit(every, torch.float64).dtype == torch.float64
    assert torch.equal(to_8_bit(floats(every)), floats(every))


def test_rounding_has_one_result_however_it_is_asked_for():
    image = torch.linspace(-0.2, 1.2, 3 * 40 * 41).reshape(1, 3, 40, 41)
    expected = (image.clamp(0, 1) * 255).round()
    assert torch.equal(rounded(image), expected)
    assert torch.equal(round8(image), expected)
    assert torch.equal(levels(image), expected[0].byte())
    torch.testing.assert_close(to_8_bit(image), expected / 255)
    scaled = (image.clamp(0, 1) * 255).numpy()
    assert np.array_equal(whole_numbers(scaled, np.dtype(np.uint8)), expected.byte().numpy())
    target = np.zeros((2, *scaled.shape), np.uint8)
    round_into(target[1], scaled)
    assert np.array_equal(target[1], expected.byte().numpy())
    assert not target[0].any()
    floats = np.zeros(scaled.shape, np.float32)
    round_into(floats, scaled)
    assert np.array_equal(floats, scaled)


def test_files_hold_no_nan():
    for convert in (levels, array_of, round8):
        with pytest.raises(UserError, match="finite"):
            convert(torch.full((1, 3, 2, 2), torch.nan))


def test_the_kinds_of_luma():
    rgb = torch.tensor([0.25, 0.5, 1.0]).double().reshape(1, 3, 1, 1)
    assert luma(rgb).item() == pytest.approx(0.299 / 4 + 0.587 / 2 + 0.114)
    assert studio_luma(rgb).item() == pytest.approx(16 + 65.481 / 4 + 128.553 / 2 + 24.966)
    assert torchvision_luma(rgb).item() == pytest.approx(0.2989 / 4 + 0.587 / 2 + 0.114)
    assert torch.equal(luma(rgb[0]), luma(rgb)[0]), "with and without a batch"
    gray = torch.rand(1, 1, 5, 5)
    assert torch.equal(luma(gray.expand(-1, 3, -1, -1)), gray)
    assert sum(LUMA) == pytest.approx(1)
    assert [sum(row) for row in YCBCR[1:]] == pytest.approx([0, 0], abs=1e-12)
