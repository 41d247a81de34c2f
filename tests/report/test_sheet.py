"""Where a sheet looks, and that each column shows the same spot, labelled and readable."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from wildsr.error import UserError
from wildsr.report.sheet import EMPTY, GAP, PANEL, _font, _wrapped, contact_sheet, crop_of_interest


def numbered(height, width, seed=0):
    """An LR photo whose pixels all differ."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, height, width, generator=generator).mul(255).round() / 255


def enlarged(image, times):
    return image.repeat_interleave(times, 1).repeat_interleave(times, 2)


def panel(path, row, column, rows=1):
    """A panel of a sheet as (3, PANEL, PANEL)."""
    sheet = np.asarray(Image.open(path))
    top = sheet.shape[0] - (rows - row) * (PANEL + GAP)
    left = GAP + column * (PANEL + GAP)
    return sheet[top : top + PANEL, left : left + PANEL].transpose(2, 0, 1)


def test_crop_finds_the_busy_spot():
    image = torch.full((1, 3, 40, 60), 0.5)
    image[..., 20:26, 41:47] = torch.tensor([0.0, 1.0]).repeat(6, 3)
    top, left = crop_of_interest(image, 8)
    assert top <= 20
    assert top + 8 >= 26
    assert left <= 41
    assert left + 8 >= 47


def test_crop_equals_a_sum_over_all_squares():
    image = numbered(13, 17)
    gray = image.double().mean(dim=0)
    energy = F.pad(gray.diff(dim=1).square(), (1, 0)) + F.pad(
        gray.diff(dim=0).square(), (0, 0, 1, 0)
    )
    sums = {
        (top, left): energy[top : top + 5, left : left + 5].sum().item()
        for top in range(9)
        for left in range(13)
    }
    assert crop_of_interest(image, 5) == max(sums, key=sums.get)


def test_crop_of_flat_and_small_images():
    assert crop_of_interest(torch.full((3, 20, 20), 0.3), 5) == (0, 0)
    assert crop_of_interest(numbered(4, 4), 9) == (0, 0)
    assert crop_of_interest(numbered(1, 1), 1) == (0, 0)


# The largest squares of at most 70 pixels whose pixels, enlarged, fill 240 evenly.
@pytest.mark.parametrize(("scale", "side"), [(1, 60), (2, 60), (3, 40), (4, 60), (8, 30)])
def test_each_column_shows_the_same_spot(tmp_path, scale, side):
    lr = numbered(90, 70)
    hr = enlarged(lr, scale)
    contact_sheet([{"LR": lr, "SR": hr[None]}], tmp_path / "new" / "sheet.png", "title")
    first, second = (panel(tmp_path / "new" / "sheet.png", 0, column) for column in range(2))
    np.testing.assert_array_equal(first, second)
    top, left = crop_of_interest(lr, side)
    expected = enlarged(lr[:, top : top + side, left : left + side], PANEL // side)
    np.testing.assert_array_equal(first, (expected * 255).round().byte().numpy())


def test_another_photo_is_seen_at_the_same_size(tmp_path):
    lr, other = numbered(70, 90), numbered(77, 91, seed=1)
    row = {"real LR": lr, "fake LR": other, "SR": enlarged(lr, 4)}
    contact_sheet([row], tmp_path / "sheet.png", "title")
    top, left = crop_of_interest(other, 60)
    expected = enlarged(other[:, top : top + 60, left : left + 60], 4)
    found = panel(tmp_path / "sheet.png", 0, 1)
    np.testing.assert_array_equal(found, (expected * 255).round().byte().numpy())


def test_another_sharp_photo_is_not_taken_for_a_small_one(tmp_path):
    lr, other = numbered(70, 90), numbered(301, 331, seed=1)
    contact_sheet([{"LR": lr, "SR": enlarged(lr, 4), "HR": other}], tmp_path / "sheet.png", "")
    top, left = crop_of_interest(other, PANEL)
    expected = other[:, top : top + PANEL, left : left + PANEL]
    found = panel(tmp_path / "sheet.png", 0, 2)
    np.testing.assert_array_equal(found, (expected * 255).round().byte().numpy())


def test_missing_panels_are_gray(tmp_path):
    lr = torch.zeros(3, 30, 30)
    contact_sheet([{"LR": lr, "truth": None}, {"SR": lr}], tmp_path / "sheet.png", "title")
    for row, column in [(0, 1), (0, 2), (1, 0), (1, 1)]:
        found = panel(tmp_path / "sheet.png", row, column, rows=2)
        assert tuple(found[:, 0, 0]) == EMPTY
        assert len(np.unique(found)) > 2  # and say so in letters
    assert panel(tmp_path / "sheet.png", 1, 2, rows=2).max() == 0


def test_labels_stay_within_their_columns(tmp_path):
    name, note = "wide_" * 20, "a long note " * 10
    lr = torch.zeros(3, 30, 30)
    contact_sheet([{name: lr, "b": lr}], tmp_path / "sheet.png", "t" * 200, {name: note, "b": note})
    sheet = np.asarray(Image.open(tmp_path / "sheet.png")).min(axis=2)
    above = sheet[: -(PANEL + GAP)]
    gaps = [slice(0, GAP - 2), slice(-GAP + 2, None)]
    assert all((above[:, gap] == 255).all() for gap in gaps)
    between = above[120:, GAP + PANEL + 2 : PANEL + 2 * GAP - 2]  # below the title
    assert (between == 255).all()
    assert above.min() < 60


@settings(deadline=None, max_examples=25)
@given(text=st.text("Wil _.", max_size=80), width=st.integers(40, 200))
def test_wrapped_lines_fit_and_lose_nothing(text, width):
    lines = _wrapped(text, _font(17), width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(_font(17).getlength(line) <= width for line in lines)


def test_diverged_pixels_are_drawn(tmp_path):
    lr = torch.full((3, 20, 20), float("nan"))
    lr[0] = 7.0
    contact_sheet([{"LR": lr.bfloat16()}], tmp_path / "sheet.png", "title")
    assert tuple(panel(tmp_path / "sheet.png", 0, 0)[:, 5, 5]) == (255, 0, 0)


def test_mistakes(tmp_path):
    with pytest.raises(UserError, match="at least one image"):
        contact_sheet([], tmp_path / "sheet.png", "title")
    with pytest.raises(UserError, match=r"got \(2, 3, 8, 8\)"):
        contact_sheet([{"LR": torch.zeros(2, 3, 8, 8)}], tmp_path / "sheet.png", "title")
