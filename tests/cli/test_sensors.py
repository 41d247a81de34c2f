"""Runs of gray 16-bit and five-channel floating-point photos through every verb after training."""

import json
import re

import numpy as np
import pytest
import tifffile
import torch
from safetensors.torch import load_file

from wildsr.app.studio import Studio, close_look, overview
from wildsr.cli.main import start
from wildsr.export.formats import PROGRAMS
from wildsr.inference.file import upscale_file
from wildsr.photo.samples import read_samples, write_samples
from wildsr.run.load import load_upscaler, open_upscaler

pytestmark = pytest.mark.heavy

PACKAGES = {"onnx": "onnxruntime", "ncnn": "pnnx", "torchscript": "torch"}
KINDS = {"gray": (1, np.uint16, 200, 3900), "bands": (5, np.float32, 270.0, 310.0)}


def scene(channels, size, number, low, high, dtype):
    y, x = np.mgrid[:size, :size] / size
    shade = 0.4 * x + 0.3 * y + 0.2 * (np.hypot(x - 0.5, y - 0.4) < 0.1 * (1 + number))
    image = shade[..., None] * np.linspace(1, 0.7, channels)
    noise = np.random.default_rng(number).standard_normal(image.shape) * 0.01
    values = low + (image + noise).clip(0, 1) * (high - low)
    return (np.rint(values) if np.dtype(dtype).kind != "f" else values).astype(dtype)


@pytest.fixture(scope="module", params=KINDS)
def trained(request, tmp_path_factory):
    """A finished run of such photos: (its folder, the folder of photos, channels, type)."""
    root = tmp_path_factory.mktemp(request.param)
    return run_of(request.param, root, "method=supervised", "degradation=bicubic")


@pytest.fixture(scope="module", params=KINDS)
def measured(request, tmp_path_factory):
    """The same of a run that has measured the camera."""
    return run_of(request.param, tmp_path_factory.mktemp(request.param), "method=wild")


def run_of(kind, root, *method):
    channels, dtype, low, high = KINDS[kind]
    for number in range(3):
        for name, side in (("lr", 40), ("hr", 88), ("val_lr", 40), ("val_hr", 80)):
            image = scene(channels, side, number, low, high, dtype)
            write_samples(root / name / f"{number}.tif", image)
    folders = [f"data.{name}={root / name}" for name in ("lr", "hr", "val_lr", "val_hr")]
    small = ["network.upscaler.features=8", "network.upscaler.convolutions=1", "scale=2"]
    small += ["data.patch=12", "data.batch=2", "iterations=3", "validate_every=3", "logger=none"]
    small += [f"runs_dir={root / 'runs'}", "name=it", f"data.cache={root / 'cache'}"]
    few = ["metric.metrics=[psnr,ssim]", "finish=none", "network/upscaler=compact"]
    typed = ["data=folders", *method, *folders]
    assert start("train", [*typed, *small, *few]) == 0
    return root / "runs" / "it", root, channels, dtype


@pytest.mark.parametrize("fmt", ["safetensors", "pth", *sorted(PROGRAMS)])
def test_export_in_every_format(fmt, trained, carry_out, capsys, tmp_path):
    pytest.importorskip(PACKAGES.get(fmt, "torch"), reason="wildsr[export] is not installed")
    run, _, channels, _ = trained
    assert carry_out("export", [f"run={run}", f"format={fmt}", f"output={tmp_path}"]) == 0
    said = capsys.readouterr().out
    found = re.search(r"to torch, on \d\.tif: at most (\S+) ", said)
    assert float(found[1]) < 1e-4, "on a photo of the run"
    suffix = PROGRAMS[fmt].suffixes[0] if fmt in PROGRAMS else f".{fmt}"
    path = tmp_path / f"2x_it{suffix}"
    card = (tmp_path / "2x_it.md").read_text()
    kind = "gray, 16 bits, black 0, white 4095" if channels == 1 else "5 channels, floating-point"
    assert f"- **Input, output:** {kind}" in card
    assert f"(batch, {channels}, height, width)" in card
    lr = torch.rand(1, channels, 24, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = open_upscaler(run=run).network(lr).clamp(0, 1)
        made = PROGRAMS[fmt].reopen(path, False)(lr) if fmt in PROGRAMS else None
    if fmt in PROGRAMS:
        assert torch.allclose(made.clamp(0, 1), expected, atol=1e-4)
        if fmt == "onnx":
            import onnxruntime

            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            assert [(i.name, i.shape[1]) for i in session.get_inputs()] == [("lr", channels)]
            assert [o.name for o in session.get_outputs()] == ["sr"]
        return
    again = open_upscaler(weights=path)
    assert torch.allclose(again.network(lr).clamp(0, 1), expected, atol=1e-6)
    assert again.sensor == open_upscaler(run=run).sensor, "its range and depth are in the file"
    if fmt == "safetensors":
        assert load_file(path)["body.0.weight"].shape[1] == channels


def test_what_is_exported_is_exported_again(trained, carry_out, tmp_path):
    run, _, channels, _ = trained
    assert carry_out("export", [f"run={run}", f"output={tmp_path / 'a'}"]) == 0
    weights = f"weights={tmp_path / 'a' / '2x_it.safetensors'}"
    assert carry_out("export", [weights, "format=pth", f"output={tmp_path / 'b'}"]) == 0
    card = (tmp_path / "b" / "2x_it.md").read_text()
    assert f"(batch, {channels}, height, width)" in card
    assert open_upscaler(weights=tmp_path / "b" / "2x_it.pth").sensor.channels == channels
    half = [f"run={run}", "fp16=true", "format=torchscript", f"output={tmp_path / 'c'}"]
    assert carry_out("export", half) == 0


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_engines(engine, trained, tmp_path):
    pytest.importorskip(engine)
    run, root, channels, dtype = trained
    made = []
    for name in ("torch", engine):
        upscaler = load_upscaler(run, engine=name, device="cpu")
        target = upscale_file(upscaler, root / "val_lr" / "0.tif", tmp_path / f"{name}.tif")
        made.append(tifffile.imread(target).reshape(80, 80, channels).astype(np.float64))
    assert np.abs(made[0] - made[1]).max() <= (1 if dtype == np.uint16 else 1e-3)


@pytest.mark.parametrize("where", ["run", "file"])
def test_the_camera(where, measured, carry_out, refused, tmp_path):
    run, root, channels, dtype = measured
    out, file = tmp_path / "pairs", tmp_path / "camera.json"
    assert carry_out("export", [f"run={run}", "format=camera", f"output={tmp_path}"]) == 0
    sensor = json.loads(file.read_text())["sensor"]
    assert (sensor["channels"], sensor["depth"]) == (channels, "16" if channels == 1 else "float")
    known = ["degradation=profile", f"degradation.file={file}", "scale=2"]
    known = [f"run={run}"] if where == "run" else known
    assert carry_out("degrade", [*known, f"hr={root / 'hr'}", f"output={out}"]) == 0
    hr, lr = (tifffile.imread(out / side / "0.tif") for side in ("hr", "lr"))
    assert np.array_equal(hr, tifffile.imread(root / "hr" / "0.tif"))
    assert lr.dtype == dtype
    assert lr.reshape(44, 44, -1).shape[2] == channels
    assert abs(lr.astype(float).mean() - hr.astype(float).mean()) < 0.1 * hr.astype(float).std()
    said = refused("export", [f"run={run}", "format=realesrgan", f"output={tmp_path}"])
    assert "degrades 8-bit RGB, but" in said
    assert "format=camera" in said


def test_degrade_writes_what_the_sensor_gives(trained, carry_out, tmp_path):
    run, root, channels, dtype = trained
    out = tmp_path / "pairs"
    assert carry_out("degrade", [f"run={run}", f"hr={root / 'hr'}", f"output={out}"]) == 0
    for number in range(3):
        hr, lr = (tifffile.imread(out / side / f"{number}.tif") for side in ("hr", "lr"))
        assert np.array_equal(hr, tifffile.imread(root / "hr" / f"{number}.tif"))
        assert lr.dtype == dtype
        lr = lr.reshape(44, 44, channels)
        assert len(np.unique(lr[..., 0])) > 256
    assert (out / "real_vs_fake.png").is_file()


def test_the_picture_of_pairs_shows_files_of_another_depth_alike(
    trained, carry_out, tmp_path, monkeypatch
):
    """The 12 bits of 16 that a run saw are all of the 8 bits that its pairs have."""
    run, root, channels, _ = trained
    shown = []
    monkeypatch.setattr("wildsr.cli.degrade.real_vs_fake", lambda *given: shown.append(given))
    for depth in ("null", "8") if channels == 1 else ("null",):
        out = tmp_path / f"pairs {depth}"
        typed = [f"run={run}", f"hr={root / 'hr'}", f"output={out}", f"depth={depth}"]
        assert carry_out("degrade", typed) == 0
    for real, fake, sharp, *_ in shown:
        for photos in (real, fake, sharp):
            assert all(0.1 < float(photo.mean()) < 0.9 for photo in photos)
        assert float((sharp[0] - shown[0][2][0]).abs().max()) < 1 / 255
        assert float((fake[0] - shown[0][1][0]).abs().max()) < 1 / 255


def test_saved_results_are_those_of_the_run(trained, carry_out, tmp_path):
    """What ``upscale`` writes has the same PSNR as what ``evaluate`` computes."""
    run, root, *_ = trained
    sr = tmp_path / "sr"
    assert carry_out("upscale", [f"run={run}", f"input={root / 'val_lr'}", f"output={sr}"]) == 0
    folders = [f"data.lr={root / 'val_lr'}", f"data.hr={root / 'val_hr'}"]
    typed = [f"run={run}", *folders, f"results={{saved: {sr}}}", "metric.metrics=[psnr]"]
    assert carry_out("evaluate", [*typed, f"output={tmp_path / 'out'}", "page_mb=0"]) == 0
    rows = json.loads((tmp_path / "out" / "results.json").read_text())["rows"]
    found = {row["name"]: row["psnr"] for row in rows}
    assert found["saved"] == pytest.approx(found["supervised"], abs=0.01)


def test_evaluate(trained, carry_out, tmp_path):
    run, root, channels, _ = trained
    out = tmp_path / "out"
    folders = [f"data.lr={root / 'val_lr'}", f"data.hr={root / 'val_hr'}"]
    typed = [f"run={run}", *folders, f"output={out}", "metric.metrics=[psnr,ssim,sharpness]"]
    assert carry_out("evaluate", typed) == 0
    found = json.loads((out / "results.json").read_text())
    assert found["protocol"]["channels"] == channels
    assert all(row["psnr"] > 5 for row in found["rows"])


def test_there_is_no_strength_without_a_finish(trained, refused, tmp_path):
    run, root, *_ = trained
    for verb, more in {
        "upscale": [f"input={root / 'val_lr'}", f"output={tmp_path / 'out'}"],
        "export": [],
        "evaluate": [f"output={tmp_path / 'eval'}"],
    }.items():
        assert "`strength` is for runs with a finish" in refused(
            verb, [f"run={run}", "strength=0.5", *more]
        )


def test_the_page(trained, tmp_path):
    run, root, channels, dtype = trained
    studio = Studio({"it": lambda strength=None: load_upscaler(run, device="cpu")}, 200)
    photo = root / "val_lr" / "0.tif"
    made = studio.upscale(photo, "it", 2, tmp_path / "page")
    found = read_samples(made.path)
    assert (found.dtype, found.shape) == (dtype, (80, 80, channels))
    assert overview(made.path, studio.sight).shape == (80, 80, 3)
    before, after = close_look(photo, made.path, (0.5, 0.5), 4, studio.sight)
    assert before.shape == after.shape
    assert after.std() > 5, "a picture from black to white"
