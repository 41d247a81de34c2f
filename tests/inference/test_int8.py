"""Half precision and integers in OpenVINO: what they cost, and who cannot compute in them."""

import logging
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wildsr.error import UserError
from wildsr.inference import closeness, device, engine, int8, remembered
from wildsr.inference.closeness import psnr_to
from wildsr.inference.prepare import prepare
from wildsr.inference.strips import upscale_image
from wildsr.network.upscaler.compact import Compact
from wildsr.photo.rows import Still
from wildsr.photo.sensor import Sensor

CPU = torch.device("cpu")
EIGHT = np.dtype(np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    for owner in (remembered, int8):
        monkeypatch.setattr(owner, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = Compact(2, features=8, convolutions=2).eval()
    nn.init.normal_(made.body[-1].weight, std=0.05)
    return made


@pytest.fixture
def photos(tmp_path, noise):
    """Smooth ones, and one that is damaged."""
    paths = []
    for seed in range(2):
        small = Image.fromarray(noise(9, 12, 3, seed=seed))
        paths.append(tmp_path / f"{seed}.png")
        small.resize((192, 130), Image.Resampling.BICUBIC).save(paths[-1])
    paths.append(tmp_path / "z.png")
    paths[-1].write_bytes(b"no photo")
    return paths


@pytest.fixture
def able():
    """Skips where OpenVINO has no instructions for bf16."""
    openvino = pytest.importorskip("openvino")
    pytest.importorskip("onnx")
    known = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" not in known or not device.supported(torch.bfloat16, CPU):
        pytest.skip("this CPU has no bf16")


def quantized(network, photos, **more):
    for package in ("openvino", "onnx", "nncf"):
        pytest.importorskip(package)
    return prepare(
        network, 2, "it", CPU, engine="openvino", precision="int8", photos=photos, **more
    )


# int8 ------------------------------------------------------------------------------------------


def test_int8_computes_in_integers_at_the_cost_that_it_states(network, photos):
    made = quantized(network, photos)
    assert (made.kind, made.carrier) == ("int8", "openvino")
    assert made.means == f"openvino, int8 ({made.cost:.1f} dB from float32)"
    graph = made.engine.engine.model.get_runtime_model()
    kinds = {str(op.get_rt_info()["runtimePrecision"].astype(str)) for op in graph.get_ops()}
    assert kinds & {"i8", "u8"}
    image = np.asarray(Image.open(photos[0]))
    lr = torch.from_numpy(image / np.float32(255)).permute(2, 0, 1)[None]
    found = psnr_to(network, made.engine, lr, torch.empty(0))
    assert 25 < made.cost < 70
    assert found == pytest.approx(made.cost, abs=4)
    assert made.suited(Still(image), EIGHT) is made  # it was asked for


def test_the_same_photos_give_the_same_bits_without_calibration(
    network, photos, cache, monkeypatch
):
    first = quantized(network, photos)
    image = np.asarray(Image.open(photos[1]))
    expected = upscale_image(first, image)
    with monkeypatch.context() as patch:
        patch.setattr(int8, "_quantized", lambda *given: pytest.fail("calibrated again"))
        second = quantized(network, photos)
    assert second.cost == first.cost
    assert np.array_equal(upscale_image(second, image), expected)
    kept = {path.name for path in (cache / "int8").iterdir() if path.is_dir()}
    assert len(kept) == 1
    quantized(network, photos[:1])  # other photos, other ranges
    assert len([path for path in (cache / "int8").iterdir() if path.is_dir()]) == 2


def test_where_nothing_can_be_kept_it_is_calibrated_each_time(network, photos, cache):
    cache.write_text("a file in the way")
    assert 25 < quantized(network, photos).cost < 70


def test_ranges_and_cost_come_from_different_pixels(photos, noise):
    for height, width in ((130, 192), (64, 128), (5, 300)):
        image = noise(height, width, 3)
        seen = [tuple(p.flatten().tolist()) for p in int8._cells(Still(image), 1)]
        assert len(seen) == len(set(seen)) >= 2
    assert len(list(int8._cells(Still(noise(640, 640, 3)), 1))) == int8.WANTED
    assert len(list(int8._cells(Still(noise(640, 640, 3)), 16))) == int8.WANTED // 16


@pytest.mark.parametrize("photos", [[], ["z.png"], ["tiny.png"]])
def test_without_photos_one_sentence(network, tmp_path, photos, noise):
    (tmp_path / "z.png").write_bytes(b"no photo")
    Image.fromarray(noise(20, 20, 3)).save(tmp_path / "tiny.png")
    with pytest.raises(UserError, match=r"'int8', which is calibrated on local photos"):
        quantized(network, [tmp_path / name for name in photos])


def test_a_network_that_nncf_refuses_is_one_sentence(network, photos, monkeypatch):
    nncf = pytest.importorskip("nncf")

    def quantize(*given, **more):
        raise RuntimeError("no such operation\nat line 3")

    monkeypatch.setattr(nncf, "quantize", quantize)
    with pytest.raises(UserError, match=r"NNCF cannot bring this network to int8 \(.*no such op"):
        quantized(network, photos)


def test_a_missing_extra_is_named(network, photos, monkeypatch):
    for package in ("openvino", "onnx"):
        pytest.importorskip(package)
    monkeypatch.setitem(sys.modules, "nncf", None)
    with pytest.raises(
        UserError, match=r"`precision=int8` needs the package nncf: pip install 'wildsr\[int8\]'"
    ):
        prepare(network, 2, "it", CPU, engine="openvino", precision="int8", photos=photos)


@pytest.mark.parametrize("name", ["torch", "compile", "onnxruntime"])
def test_engines_without_integers_say_so(network, name):
    with pytest.raises(UserError, match=f"needs engine=openvino .*engine={name}"):
        prepare(network, 2, "it", CPU, engine=name, precision="int8")


def test_networks_of_measured_values_are_refused(network):
    for sensor in (Sensor(depth="16"), Sensor(lr=(0.0, 4095.0))):
        with pytest.raises(UserError, match="must not be 'int8' for a network of measured values"):
            prepare(*(network, 2, "it", CPU), engine="openvino", precision="int8", sensor=sensor)


def test_integers_are_coarse_for_16_bits_which_is_said(network, photos, caplog):
    made = quantized(network, photos)
    with caplog.at_level(logging.WARNING):
        assert made.of_depth(np.dtype(np.uint16)) is made
    assert "far fewer levels in int8" in caplog.text


# Half precision --------------------------------------------------------------------------------


def test_openvino_computes_in_bf16(able, network):
    made = prepare(network, 2, "it", CPU, engine="openvino", precision="bf16")
    assert (made.kind, made.dtype) == ("bfloat16", torch.float32)
    lr = torch.rand(1, 3, 33, 47)
    found = psnr_to(network, made.engine, lr, torch.empty(0))
    assert 35 < found < 70  # neither single precision nor nonsense
    assert made.suited(Still(np.zeros((9, 9, 3), np.uint8)), EIGHT) is made


def test_auto_asks_each_photo_in_openvino_too(able, network, noise, monkeypatch):
    monkeypatch.setattr(device, "WORK", {"cpu": 1})
    monkeypatch.setattr("wildsr.inference.prepare.quicker", lambda *which: False)
    made = prepare(network, 2, "it", CPU, engine="openvino", precision="auto")
    assert (made.kind, made.means) == ("float32", "openvino, float32")  # it is slower here
    monkeypatch.setattr("wildsr.inference.prepare.quicker", lambda *which: True)
    made = prepare(network, 2, "it", CPU, engine="openvino", precision="auto")
    assert (made.kind, made.means) == ("bfloat16", "openvino, bfloat16 or float32")
    image = noise(40, 50, 3)
    asked = []
    for found, kind in ((49.9, "float32"), (50.0, "bfloat16")):
        monkeypatch.setattr(
            "wildsr.inference.upscaler.psnr_to",
            lambda single, half, *rest, found=found: asked.append(half) or found,
        )
        suited = made.suited(Still(image), EIGHT)
        assert (suited.kind, suited.carrier) == (kind, "openvino")
    assert asked[0] is made.engine  # it is the engine's output that is judged
    assert made.suited(Still(image), np.dtype(np.uint16)).kind == "float32"
    place = torch.empty(0)
    single = made.suited(Still(image), np.dtype(np.uint16))
    assert psnr_to(network, single.engine, closeness.patches(Still(image)), place) > 90


def test_formats_that_an_engine_would_emulate_are_refused(network, monkeypatch):
    for name in ("openvino", "onnxruntime"):
        pytest.importorskip(name)
    with pytest.raises(UserError, match=r"'fp32' for engine=onnxruntime.*engine=openvino"):
        prepare(network, 2, "it", CPU, engine="onnxruntime", precision="bf16")
    monkeypatch.setattr(engine, "supported", lambda dtype, place: False)
    for wanted in ("bf16", "fp16"):
        with pytest.raises(UserError, match=f"'{wanted}', but OpenVINO finds no instructions"):
            prepare(network, 2, "it", CPU, engine="openvino", precision=wanted)
    for name in ("openvino", "onnxruntime"):
        made = prepare(network, 2, "it", CPU, engine=name, precision="auto")
        assert (made.kind, made.single) == ("float32", None)
