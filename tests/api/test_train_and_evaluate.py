"""Training and evaluation from Python."""

import json
import logging

import pytest

import wildsr
from wildsr.api.results import Results


def test_what_is_wrong_is_an_exception_and_no_exit(there):
    with pytest.raises(wildsr.UserError, match=r"no key `iteration`.*iterations"):
        wildsr.train(iteration=3)
    with pytest.raises(wildsr.UserError, match="`scale` must be one of"):
        wildsr.train(scale=5, quiet=True)
    with pytest.raises(wildsr.UserError, match=r"data\.lr"):
        wildsr.train(data="folders", quiet=True)
    with pytest.raises(wildsr.UserError, match="must be given"):
        wildsr.evaluate(quiet=True)
    with pytest.raises(wildsr.UserError, match="`explain` trains nothing"):
        wildsr.train(explain=True, quiet=True)


def test_a_training_says_what_its_files_say(there):
    found = wildsr.train(resume="runs/first", quiet=True)
    assert found.finished
    assert (found.folder / "weights").is_dir()
    table = json.loads((found.folder / "results.json").read_text())
    assert [row["name"] for row in table["rows"]] == list(found) == ["bicubic", "wild"]
    assert "bicubic" in repr(found)
    assert "| wild" in found._repr_markdown_()


def test_lightning_is_as_talkative_as_before(there):
    logger = logging.getLogger("lightning.pytorch")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        with pytest.raises(wildsr.UserError):
            wildsr.train(scale=5)
        assert logger.level == logging.INFO
    finally:
        logger.setLevel(before)


def test_rows_and_photos_of_an_evaluation(there, tmp_path, capsys):
    found = wildsr.evaluate(
        {"data.lr": there / "lr", "data.hr": there / "truth", "metric.metrics": ["psnr"]},
        upscaler=["nearest", "bicubic"],
        output=tmp_path / "out",
        page_mb=0,
    )
    assert "| nearest" in capsys.readouterr().out
    assert found.folder == tmp_path / "out"
    assert len(found) == 2
    photos = found.photos["photos" if "photos" in found.photos else next(iter(found.photos))]
    values = [rows["bicubic"]["psnr"] for rows in photos.values()]
    assert found["bicubic"]["psnr"] == pytest.approx(sum(values) / len(values))
    with pytest.raises(KeyError, match="Did you mean 'bicubic'"):
        found["bicubi"]


def test_a_stopped_training_says_how_to_go_on(tmp_path):
    stopped = Results(tmp_path, None)
    assert not stopped.finished
    assert dict(stopped) == {}
    assert repr(stopped) == f"Stopped; go on with wildsr.train(resume={str(tmp_path)!r})"
