"""Means over the photos that all rows have, in every file the same."""

import csv
import json
import warnings

import pytest

from wildsr.evaluation.outcome import Outcome
from wildsr.evaluation.summary import summarise
from wildsr.metric.panel import Panel
from wildsr.report import results
from wildsr.report.page.curve import curve


def lines(summary, photo_set=None):
    return {line.row: line for line in summary.of_set(photo_set)}


def test_means_of_all_and_of_each_set(evaluated):
    summary = evaluated.summary
    assert [line.photo_set for line in summary.lines] == [None, None, "one", "one", "two", "two"]
    assert lines(summary)["bicubic"].values["psnr"] == 24
    assert lines(summary, "one")["bicubic"].values["psnr"] == 21
    low, high = lines(summary)["bicubic"].intervals["psnr"]
    assert 20 <= low < 24 < high <= 30
    assert lines(summary, "two")["bicubic"].intervals["psnr"] is None, "a single photo"


def test_a_failure_leaves_the_photo_out_of_every_row(evaluated):
    outcomes = [
        Outcome(o.row, o.photo_set, o.image, {}, "broken")
        if (o.row, o.image) == ("bicubic", "c")
        else o
        for o in evaluated.outcomes
    ]
    outcomes += [
        Outcome("none", s, i, {}, "gone") for s, i in (("one", "a"), ("one", "b"), ("two", "c"))
    ]
    found = lines(summarise(outcomes, {}, 0))
    assert found["bicubic"].values["psnr"] == 21
    assert found["<b>ours</b>"].values["psnr"] == 22
    assert [(line.images, line.failed) for line in found.values()] == [(2, 1), (2, 0), (0, 3)]
    assert found["none"].values["psnr"] is None, "a row without a success does not empty the others"


def test_the_files(evaluated, tmp_path):
    results.write(tmp_path, evaluated.summary)
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["rows"][0] == {
        "name": "bicubic",
        "psnr": 24,
        "ssim": pytest.approx(0.24),
        "images": 3,
    }
    assert found["sets"]["two"]["rows"][1]["psnr"] == 31
    first = found["comparisons"][0]
    assert (first["a"], first["b"], first["mean"], first["p"]) == (
        "<b>ours</b>",
        "bicubic",
        1,
        0.75,
    )
    assert "sign-flip" in found["protocol"]["significance"]
    table = list(csv.DictReader((tmp_path / "results.csv").open()))
    assert [row["set"] for row in table] == ["all", "all", "one", "one", "two", "two"]
    assert float(table[0]["psnr"]) == 24
    single = list(csv.DictReader((tmp_path / "per_image.csv").open()))
    assert len(single) == 6
    assert single[0] == {
        "name": "bicubic",
        "set": "one",
        "image": "a",
        "psnr": "20.0",
        "ssim": "0.2",
    }
    text = (tmp_path / "results.md").read_text()
    assert "### two" in text
    assert "| bicubic    | 24.00 |" in text or "| bicubic     | 24.00 |" in text


def test_an_infinite_mean_is_withheld_and_said():
    outcomes = [Outcome("same", "s", "a", {"psnr": float("inf")})]
    found = results.structured(summarise(outcomes, {}, 0))
    assert found["rows"][0]["psnr"] is None
    assert "equals its truth" in found["protocol"]["not a number"]["same psnr"]


def test_one_equal_pair_is_not_the_mean():
    exact = float("inf")
    outcomes = [
        Outcome(row, "s", image, {"psnr": value})
        for row, values in (("a", (exact, 20.0, 30.0)), ("b", (exact, 22.0, 28.0)))
        for image, value in zip("xyz", values, strict=True)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = summarise(outcomes, {}, 0)
    assert lines(summary)["a"].values["psnr"] == 50
    assert summary.compared[0].difference.mean == 0
    assert "count as 100 dB" in str(results.structured(summary)["protocol"]["equal pictures"])
    assert results.per_image(summary)[0]["psnr"] == exact


def test_a_set_metric_and_what_is_missing():
    panel = Panel("rgb", 0, ["psnr", "swd", "lr_consistency_learned"])
    outcomes = [Outcome("a", "s", "1", {"psnr": 1.0, "lr_consistency_learned": None})]
    summary = summarise(outcomes, {}, 0, {("a", None): {"swd": 7.0}}, panel.parts)
    assert lines(summary)["a"].values == {"psnr": 1, "lr_consistency_learned": None, "swd": 7}
    assert "needs a degradation" in results.table(summary, None)


def test_a_curve_is_thinned_to_means():
    found = curve("x", [(i, float(i % 2)) for i in range(1, 1001)])
    points = [tuple(map(float, p.split(","))) for p in found.points.split()]
    assert len(points) == 200
    assert (points[0][0], points[-1][0]) == (0, 240)
    assert {y for _, y in points[1:-1]} <= {0.0, 80.0}
