"""Rows of any name and value on the page."""

import math
from dataclasses import replace

import pytest

from wildsr.evaluation.summary import summarise
from wildsr.report.page.case import _found
from wildsr.report.page.page import Page, write_page


def renamed(evaluated, old, new, **values):
    """The same summary with a row of another name and values."""
    outcomes = [
        replace(o, row=new, values={**o.values, **values}) if o.row == old else o
        for o in evaluated.outcomes
    ]
    return summarise(outcomes, {}, 0, {}, evaluated.summary.parts)


@pytest.mark.parametrize("name", ["LR", "truth"])
def test_a_row_called_as_the_page_s_own_picture_stands_beside_it(evaluated, name):
    summary = renamed(evaluated, "bicubic", name)
    text = write_page(evaluated.folder, summary, evaluated.sets, Page("t", 4, 10**6)).read_text()
    assert f'"{name} (row)"' in text
    assert f'"{name}"' in text


def test_an_infinite_value_is_the_best_one_and_not_unknown(evaluated):
    summary = renamed(evaluated, "<b>ours</b>", "perfect", psnr=math.inf)
    text = write_page(evaluated.folder, summary, evaluated.sets, Page("t", 4, 10**6)).read_text()
    assert 'data-value="Infinity"' in text
    assert {gain for _, gain in _found(summary, "psnr")} == {math.inf}
    both = renamed(evaluated, "bicubic", "bicubic", psnr=math.inf)
    outcomes = [replace(o, values={"psnr": math.inf}) for o in both.outcomes]
    assert {gain for _, gain in _found(summarise(outcomes, {}, 0, {}, both.parts), "psnr")} == {0.0}
