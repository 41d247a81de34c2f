"""Curves and pictures: always in a CSV, elsewhere as well, and never a reason to stop."""

import csv
import json
import struct
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wildsr.error import UserError
from wildsr.training import logger
from wildsr.training.logger import CSV, Safe, TensorBoard, WandB, loggers


def rows(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "picture.png"
    Image.fromarray(np.full((4, 6, 3), 99, np.uint8)).save(path)
    return path


class Broken:
    """A logger whose disk or server is gone."""

    def __init__(self):
        self.calls = []

    def scalars(self, values, iteration):
        self.calls.append(iteration)
        if iteration > 1:
            raise ConnectionError("the network is down\nand more")

    def pictures(self, paths, iteration):
        self.calls.append("pictures")

    def files(self, paths):
        self.calls.append("files")

    def finish(self):
        self.calls.append("finish")


def test_csv_has_a_row_for_each_value(tmp_path):
    log = CSV(tmp_path / "metrics.csv", 0)
    log.scalars({"a": 1 / 3, "b, c": 2.0}, 5)
    log.scalars({"a": float("nan")}, 6)
    log.finish()
    assert rows(tmp_path / "metrics.csv") == [
        ["iteration", "name", "value"],
        ["5", "a", "0.3333333"],
        ["5", "b, c", "2"],
        ["6", "a", "nan"],
    ]


def test_csv_goes_on_without_a_row_twice(tmp_path):
    path = tmp_path / "metrics.csv"
    first = CSV(path, 0)
    for iteration in (10, 20, 30):
        first.scalars({"a": iteration}, iteration)
    first.scalars({"test/wild/psnr": 25.0}, 20)  # of the table at the end, which comes again
    with path.open("a") as file:
        file.write("40,a")  # killed while it wrote
    again = CSV(path, 20)
    again.scalars({"a": -30.0}, 30)
    assert rows(path)[1:] == [["10", "a", "10"], ["20", "a", "20"], ["30", "a", "-30"]]
    assert list(tmp_path.iterdir()) == [path]


def test_a_logger_that_fails_is_left_out_with_one_line():
    said, broken = [], Broken()
    log = Safe(broken, said.append)
    for iteration in (1, 2, 3):
        log.scalars({}, iteration)
    log.pictures({}, 3)
    log.finish()
    assert broken.calls == [1, 2]
    assert said == ["Broken stopped logging (the network is down); training goes on."]


def test_a_logger_that_works_gets_everything():
    broken = Broken()
    log = Safe(broken, pytest.fail)
    log.scalars({}, 1)
    log.pictures({}, 1)
    log.files({})
    log.finish()
    assert broken.calls == [1, "pictures", "files", "finish"]


@pytest.mark.parametrize(("kind", "others"), [("csv", []), ("none", []), ("tensorboard", [Safe])])
def test_the_csv_is_there_whatever_was_chosen(tmp_path, kind, others):
    made = loggers({"kind": kind}, tmp_path, {}, 0, pytest.fail)
    assert [type(log) for log in made] == [CSV, *others]
    for log in made:
        log.finish()


def test_an_unknown_kind_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"`logger` must be one of .*'wandbb'.* 'wandb'\?"):
        loggers({"kind": "wandbb"}, tmp_path, {}, 0, pytest.fail)


def test_tensorboard(tmp_path, picture):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = TensorBoard(tmp_path, 0)
    log.scalars({"upscale/pixel": 0.5}, 3)
    log.scalars({"upscale/pixel": 0.25}, 7)
    log.pictures({"contact": picture}, 7)
    log.finish()
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"images": 0})
    events.Reload()
    points = [(event.step, event.value) for event in events.Scalars("upscale/pixel")]
    assert points == [(3, 0.5), (7, 0.25)]
    assert [(event.step, event.height, event.width) for event in events.Images("contact")] == [
        (7, 4, 6)
    ]


def test_tensorboard_goes_on_behind_the_iteration_of_the_checkpoint(tmp_path):
    """What was logged later is dropped, what was logged with the checkpoint stays."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for start, steps in ((0, (50, 100, 150)), (100, (150, 200))):
        log = TensorBoard(tmp_path, start)
        for step in steps:
            log.scalars({"upscale/pixel": float(start)}, step)
        log.finish()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    points = [(event.step, event.value) for event in events.Scalars("upscale/pixel")]
    assert points == [(50, 0.0), (100, 0.0), (150, 100.0), (200, 100.0)]


def test_tensorboard_without_its_package_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(UserError, match=r"needs the package tensorboard: pip install"):
        loggers({"kind": "tensorboard"}, tmp_path, {}, 0, pytest.fail)


@pytest.mark.heavy
def test_wandb_offline_through_a_run_that_resumes(tiny, tmp_path, carry_out, capsys):
    wandb = ["logger=wandb", "method=supervised", f"runs_dir={tmp_path}", "name=it"]
    overrides = [o for o in tiny if not o.startswith("logger")] + wandb
    assert carry_out("train", [*overrides, "iterations=2"]) == 0
    run = tmp_path / "it"
    printed = capsys.readouterr().out
    assert f"W&B writes offline; to sync later: wandb sync {run}/wandb/offline-run-*" in printed
    (files,) = (run / "wandb").glob("offline-run-*")
    identity = (run / "wandb-id.txt").read_text()
    assert files.name.endswith(f"-{identity}")
    assert "stopped logging" not in printed
    points = logged(files / f"run-{identity}.wandb")
    assert [p["iteration"] for p in points if "upscale/pixel" in p] == [1, 2]
    assert list((files / "files" / "media" / "images").glob("contact_*.png"))
    assert any("test/bicubic/psnr" in point for point in points)
    models = [a for a in artifacts(files / f"run-{identity}.wandb") if a[1] == "model"]
    assert models == [
        (
            f"upscaler-{identity}",
            "model",
            [
                *("config.yaml", "contact.png", "overrides.json", "results.json"),
                *("weights/4x_it.md", "weights/4x_it.safetensors"),
            ],
        )
    ]

    assert carry_out("train", [*overrides, "iterations=3", "resume=auto"]) == 0
    assert (run / "wandb-id.txt").read_text() == identity
    again = [path for path in (run / "wandb").glob("offline-run-*") if path != files]
    assert all(path.name.endswith(f"-{identity}") for path in again)
    resumed = [point for path in again for point in logged(path / f"run-{identity}.wandb")]
    assert [p["iteration"] for p in resumed if "upscale/pixel" in p] == [3]


def logged(path):
    """What an offline W&B file holds for the history of a run, once it is all there."""
    deadline = time.monotonic() + 120  # W&B's own process writes it
    while not any("test/bicubic/psnr" in p for p in history(path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return history(path)


def history(path):
    """The points in a W&B file as it is now."""
    return [
        {i.key or "/".join(i.nested_key): json.loads(i.value_json) for i in record.history.item}
        for record in records(path)
        if record.WhichOneof("record_type") == "history"
    ]


def artifacts(path):
    """(name, type, names of the files) of each artifact in a W&B file."""
    found = [r.artifact for r in records(path) if r.WhichOneof("record_type") == "artifact"]
    return [(a.name, a.type, sorted(c.path for c in a.manifest.contents)) for a in found]


def records(path):
    """The records in a W&B file as it is now; it has the log format of LevelDB."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, position, parts, held = path.read_bytes(), 7, b"", []
    while position + 7 <= len(data):
        if (left := -position % 32768) in range(1, 7):  # no header spans two blocks
            position += left
            continue
        length, kind = struct.unpack_from("<4xHB", data, position)
        if position + 7 + length > len(data):
            break  # it is still being written
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record, parts = Record.FromString(parts), b""
            held.append(record)
    return held


def test_wandb_is_never_a_reason_to_stop(tmp_path, monkeypatch):
    import wandb

    def refuse(**options):
        raise wandb.errors.CommError("no route to host\nlong story")

    monkeypatch.setattr(wandb, "init", refuse)
    said = []
    settings = {"kind": "wandb", "project": "p", "mode": "online"}
    monkeypatch.delenv("WANDB_MODE")
    made = loggers(settings, tmp_path, {}, 0, said.append)
    assert [type(log) for log in made] == [CSV]
    assert said[0] == "W&B could not start online (no route to host)."
    assert said[1] == "W&B could not start offline (no route to host)."
    assert said[2].startswith("W&B is left out: ")
    assert said[2].endswith(f"The curves are in {tmp_path / 'metrics.csv'}.")


@pytest.mark.parametrize(
    ("environment", "mode", "expected"),
    [
        ({}, "auto", ["offline"]),
        ({"WANDB_API_KEY": "x"}, "auto", ["online", "offline"]),
        ({"WANDB_MODE": "offline", "WANDB_API_KEY": "x"}, "online", ["offline"]),
        ({}, "online", ["online", "offline"]),
        ({}, "offline", ["offline"]),
    ],
)
def test_wandb_is_online_with_credentials_and_offline_without(
    tmp_path, monkeypatch, environment, mode, expected
):
    import wandb

    attempts = []

    def refuse(**options):
        attempts.append(options["mode"])
        raise OSError("no")

    monkeypatch.setattr(wandb, "init", refuse)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RuntimeError):
        WandB(tmp_path, "p", mode, {}, lambda text: None)
    assert attempts == expected


def test_wandb_finds_the_key_that_login_left(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    assert not logger._stored_key()
    (tmp_path / ".netrc").write_text("machine example.org login a password b\n")
    assert not logger._stored_key()
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password b\n")
    assert logger._stored_key()
    assert Path("~").expanduser() == tmp_path


def test_an_unknown_wandb_mode_is_an_error(tmp_path):
    settings = {"kind": "wandb", "project": "p", "mode": "onlin"}
    with pytest.raises(UserError, match=r"`logger.mode` must be one of .*'onlin'.* 'online'\?"):
        loggers(settings, tmp_path, {}, 0, pytest.fail)
