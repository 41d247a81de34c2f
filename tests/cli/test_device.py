"""``device`` on every verb that computes: its words, and that everything computes there."""

import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from support.pretend import PRETEND, Pretend

from wildsr.cli import main
from wildsr.config.choice import CONF
from wildsr.config.compose import configure, verbs
from wildsr.degradation.bicubic import Bicubic
from wildsr.inference import device as devices
from wildsr.metric.catalogue import CATALOGUE
from wildsr.metric.panel import Panel
from wildsr.training import train

pytestmark = pytest.mark.heavy

SMALL = ["network.critic.features=4", "network.critic.layers=2", "iterations=1"]
CHOOSE = (
    "run.load",
    "api.table",
    *(f"cli.{verb}" for verb in ("app", "degrade", "export", "upscale")),
)
COMPUTE = ("app", "degrade", "evaluate", "export", "upscale")


def pixels(path):
    return np.asarray(Image.open(path)).astype(int)


def write_photos(folder, count, size, seed):
    generator = np.random.default_rng(seed)
    folder.mkdir()
    for index in range(count):
        Image.fromarray(generator.integers(0, 256, (*size, 3), np.uint8)).save(
            folder / f"{index}.png"
        )
    return folder


@pytest.fixture(scope="module")
def wild(tmp_path_factory, photos, tiny, card_sized):
    """A run that has learned a camera."""
    root = tmp_path_factory.mktemp("wild")
    assert main.start("train", [*tiny, *SMALL, *card_sized, f"runs_dir={root}", "name=it"]) == 0
    return root / "it"


@pytest.fixture(scope="module")
def card_sized(tmp_path_factory):
    """Photos that are large enough for a report card."""
    root, fill = tmp_path_factory.mktemp("large"), write_photos
    lr, hr = fill(root / "lr", 3, (40, 48), seed=7), fill(root / "hr", 3, (160, 176), seed=8)
    return [f"data.lr={lr}", f"data.hr={hr}", "data.val_lr=null", "data.val_hr=null"]


@pytest.fixture
def typed(finished, photos, tmp_path):
    """What a verb needs beside its device."""
    out = f"output={tmp_path / 'out'}"
    photo_folders = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}"]
    needs = {
        "app": [],
        "degrade": [f"hr={photos.hr}", f"output={tmp_path / 'out'}"],
        "evaluate": [*photo_folders, out],
        "export": [out],
        "upscale": [f"input={photos.val_lr}", out],
    }
    return {verb: [f"run={finished}", *more] for verb, more in needs.items()}


def test_every_verb_that_computes_has_the_key_and_says_its_choices():
    # `train` has its trainer's; `look` measures for ten seconds, on the CPU.
    assert {*COMPUTE, "look", "sweep", "train"} == set(verbs()), (
        "a new verb needs the key, or a reason"
    )
    for verb in COMPUTE:
        (line,) = re.findall(r"^device:.*", (CONF / f"{verb}.yaml").read_text(), re.M)
        assert line.startswith("device: auto ")
        assert "auto, cpu, cuda, cuda:N or mps" in line
        assert configure(verb, []).device == "auto"


@pytest.mark.parametrize("verb", COMPUTE)
@pytest.mark.parametrize("value", ["gpu", "cuda:x", "cpu:1", "null", "0", "true", "cdua"])
def test_a_device_that_does_not_exist_is_one_sentence(verb, value, typed, refused, tmp_path):
    error = refused(verb, [*typed[verb], f"device={value}"])
    assert "`device` must be one of ['auto', 'cpu', 'cuda', 'cuda:N', 'mps'], but got" in error
    assert not (tmp_path / "out").exists(), "before anything is written"


@pytest.mark.parametrize("verb", COMPUTE)
@pytest.mark.parametrize("value", ["cuda", "cuda:1", "mps"])
def test_a_device_that_is_not_here_is_one_sentence(verb, value, typed, refused, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    error = refused(verb, [*typed[verb], f"device={value}"])
    assert f"`device` is '{value}', but torch finds no such device here" in error


def test_processes_of_a_launcher_take_a_card_each(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setenv("LOCAL_RANK", "6")
    assert devices.choose_device("auto") == torch.device("cuda:2")
    assert devices.choose_device("cuda") == torch.device("cuda")
    monkeypatch.delenv("LOCAL_RANK")
    assert devices.choose_device("auto") == torch.device("cuda")


def test_one_card_has_no_second_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.choose_device("cuda:0") == torch.device("cuda:0")
    assert devices.choose_device("auto") == torch.device("cuda")
    with pytest.raises(ValueError, match="'cuda:1', but torch finds no such device here"):
        devices.choose_device("cuda:1")


# Computing there --------------------------------------------------------------------------------


@pytest.fixture
def there(monkeypatch, carry_out):
    """``there(verb, overrides)``: carried out with the pretend device; what was computed there."""

    def carry_out_there(verb, overrides):
        with monkeypatch.context() as patch, torch.no_grad(), Pretend() as pretend:
            for module in CHOOSE:
                patch.setattr(f"wildsr.{module}.choose_device", lambda wanted: PRETEND)
            assert carry_out(verb, overrides) == 0
        return pretend.seen

    return carry_out_there


def test_upscale_computes_there(there, finished, photos, tmp_path, carry_out):
    common = [f"run={finished}", f"input={photos.val_lr}", "tile=8", "precision=fp32"]
    seen = there("upscale", [*common, f"output={tmp_path / 'there'}"])
    assert any(name.startswith("conv") for name in seen)
    assert carry_out("upscale", [*common, "device=cpu", f"output={tmp_path / 'here'}"]) == 0
    for path in (tmp_path / "here").glob("[!.]*"):
        assert np.array_equal(pixels(path), pixels(tmp_path / "there" / path.name))


def test_evaluate_computes_there(there, wild, photos, tmp_path, carry_out, capsys):
    metrics = "metric.metrics=[psnr,ssim,lr_consistency_learned,lr_discrepancy,colour_drift]"
    pairs = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}"]
    common = [f"run={wild}", metrics, "tile=8", "card=true", *pairs]
    seen = there("evaluate", [*common, f"output={tmp_path / 'there'}"])
    assert any(name.startswith("conv") for name in seen)
    assert seen["randn_like"] + seen["randn"] + seen["normal_"] > 0, "the card's degrader draws"
    assert "No report card" not in capsys.readouterr().out
    assert carry_out("evaluate", [*common, "device=cpu", f"output={tmp_path / 'here'}"]) == 0
    rows = [json.loads((tmp_path / n / "results.json").read_text()) for n in ("there", "here")]
    assert "failed" not in rows[0]
    assert rows[0]["rows"] == [pytest.approx(row) for row in rows[1]["rows"]]
    assert rows[0]["protocol"]["upscaling"].startswith("networks on xla")


@pytest.mark.parametrize("known", [None, "bicubic", "mild", "bsrgan", "realesrgan", "classical"])
def test_degrade_computes_there(known, there, wild, photos, tmp_path, carry_out):
    source = [f"run={wild}", "tile=64"] if known is None else [f"degradation={known}", "scale=4"]
    common = [*source, f"hr={photos.hr}", f"real={photos.lr}"]
    seen = there("degrade", [*common, f"output={tmp_path / 'there'}"])
    assert sum(seen.values()) > 20
    assert carry_out("degrade", [*common, "device=cpu", f"output={tmp_path / 'here'}"]) == 0
    for path in (tmp_path / "here" / "lr").iterdir():
        here, other = pixels(path), pixels(tmp_path / "there" / "lr" / path.name)
        assert here.shape == other.shape
        if known in (None, "bicubic"):  # others draw in another order on the threads of a CPU
            assert np.abs(here - other).max() <= 1, "blurred by another algorithm"
        assert abs(here.mean() - other.mean()) < 10
    assert (tmp_path / "there" / "real_vs_fake.png").exists()


def test_export_compares_there(there, finished, tmp_path, capsys):
    seen = there("export", [f"run={finished}", f"output={tmp_path / 'out'}"])
    assert any(name.startswith("conv") for name in seen)
    assert "at most 0.0e+00" in capsys.readouterr().out


def test_metrics_mix_no_devices():
    """On CUDA they compute where the networks do."""
    panel = Panel("rgb", 0, list(CATALOGUE), degrader=Bicubic(4))
    generator = torch.Generator().manual_seed(0)
    hr = torch.rand(1, 3, 192, 200, generator=generator)
    sr = (hr + 0.02 * torch.randn(hr.shape, generator=generator)).clamp(0, 1)
    lr = torch.nn.functional.avg_pool2d(hr, 4)
    here = panel.measure(sr, hr, lr)
    with torch.no_grad(), Pretend():
        there = panel.measure(*(image.to(PRETEND) for image in (sr, hr, lr)))
        panel.gather().add(sr.to(PRETEND))
    assert there == pytest.approx(here)
    known = [name for name, value in here.items() if value is not None]
    assert {"psnr", "ssim", "vif", "lr_consistency_learned", "lr_discrepancy"} <= set(known)


def test_the_end_of_train_computes_there(
    tiny, card_sized, tmp_path, monkeypatch, carry_out, capsys
):
    """The table, the pictures and the card: Lightning has moved the networks back by then."""
    typed = [*tiny, *SMALL, *card_sized, "baseline=true", f"runs_dir={tmp_path}"]
    assert carry_out("train", [*typed, "name=here"]) == 0
    fitted, pretend = train.fit_baseline, Pretend()

    def fit_and_go_there(*arguments):
        made = fitted(*arguments)
        torch.set_grad_enabled(False)
        pretend.__enter__()  # training needs gradients, which the pretend device has not
        return made

    monkeypatch.setattr(train, "fit_baseline", fit_and_go_there)
    monkeypatch.setattr(train, "training_device", lambda config: PRETEND)
    try:
        code = carry_out("train", [*typed, "name=there"])
    finally:
        pretend.__exit__(None, None, None)
        torch.set_grad_enabled(True)
    assert code == 0
    assert "No report card" not in capsys.readouterr().out
    assert any(name.startswith("conv") for name in pretend.seen)
    found = [json.loads((tmp_path / n / "results.json").read_text()) for n in ("there", "here")]
    assert found[0]["protocol"]["upscaling"].startswith("networks on xla")
    assert "failed" not in found[0]
    here, there = (pixels(tmp_path / name / "contact.png") for name in ("here", "there"))
    assert np.array_equal(here, there)


@pytest.mark.gpu
def test_everything_on_a_real_device(wild, photos, tmp_path, carry_out):
    """The same pictures as on the CPU, up to what TF32 rounds; the metrics of equal pictures."""
    pairs = [f"data.lr={photos.val_lr}", f"data.hr={photos.val_hr}", "page_mb=0", "card=true"]
    metrics = "metric.metrics=[psnr,ssim,vif,lr_consistency_learned,colour_drift]"
    for device in ("cpu", "cuda"):
        folder = tmp_path / device
        common = [f"run={wild}", f"device={device}"]
        evaluated = [*pairs, metrics, f"output={folder / 'it'}"]
        assert carry_out("evaluate", [*common, *evaluated]) == 0
        out = [f"hr={photos.hr}", f"output={folder / 'pairs'}"]
        assert carry_out("degrade", [*common, *out]) == 0
        assert carry_out("export", [*common, f"output={folder / 'export'}"]) == 0
        up = [f"input={photos.val_lr}", f"output={folder / 'up'}", "precision=fp32"]
        assert carry_out("upscale", [*common, "tile=256", *up]) == 0
        for path in (folder / "up").glob("[!.]*"):
            assert np.array_equal(pixels(path), pixels(folder / "it/results/wild" / path.name))
    rows = [
        json.loads((tmp_path / d / "it/results.json").read_text())["rows"] for d in ("cpu", "cuda")
    ]
    for here, there in zip(*rows, strict=True):
        assert there == pytest.approx(here, rel=1e-2)
