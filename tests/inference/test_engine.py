"""Engines compute what torch does; devices and formats are chosen with care; memory is counted."""

import copy
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from support.reach import Strided, convolutions
from torch import nn

from wildsr.error import UserError
from wildsr.inference import device, memory, remembered
from wildsr.inference.colour import REACH, ColourFix
from wildsr.inference.device import choose_device, choose_precision
from wildsr.inference.engine import ENGINES, choose_engine
from wildsr.inference.ensemble import Ensemble
from wildsr.inference.memory import bytes_per_pixel, tile_for
from wildsr.inference.prepare import prepare
from wildsr.inference.strips import together, upscale_image
from wildsr.inference.tile import receptive_radius
from wildsr.inference.weights import save_weights
from wildsr.network.upscaler.compact import Compact
from wildsr.network.upscaler.rrdb import RRDBNet
from wildsr.run.load import load_upscaler

CPU = torch.device("cpu")
PACKAGES = {"onnxruntime": ["onnxruntime", "onnx"], "openvino": ["openvino", "onnx"]}


@pytest.fixture
def weights(tmp_path):
    network = Compact(2, features=4, convolutions=1)
    nn.init.normal_(network.body[-1].weight, std=0.2)
    path = tmp_path / "2x_it.safetensors"
    target = "wildsr.network.upscaler.compact.Compact"
    arguments = {"scale": 2, "features": 4, "convolutions": 1}
    save_weights(network, path, {"_target_": target, **arguments}, 2)
    return path


# Engines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    ("network", "scale"),
    [
        (Compact(4, features=4, convolutions=1), 4),
        (RRDBNet(2, 8, 1, 4), 2),
        (convolutions(3, 5), 2),
    ],
    ids=["compact", "rrdb", "convolutions"],
)
def test_an_engine_computes_what_torch_does(engine, network, scale):
    for package in PACKAGES[engine]:
        pytest.importorskip(package)
    network.eval()
    made = choose_engine(engine, network, CPU, scale)
    for batch, height, width in ((1, 37, 51), (3, 8, 90)):
        lr = torch.rand(batch, 3, height, width)
        with torch.inference_mode():
            torch.testing.assert_close(made(lr), network(lr), rtol=0, atol=1e-4)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_network_of_one_size_is_refused(engine):
    for package in PACKAGES[engine]:
        pytest.importorskip(package)

    class Measured(nn.Module):
        """Its size is a number in Python, which tracing freezes."""

        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, lr):
            return self.scale * lr * float(lr.shape[2]) / 40

    with pytest.raises(UserError, match=rf"{engine} computes something else .*engine=torch"):
        choose_engine(engine, Measured(), CPU, 1)


def test_missing_packages_are_named(monkeypatch, weights):
    for engine in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, engine, None)
        with pytest.raises(
            UserError, match=rf"`engine={engine}` needs the package {engine}: pip install 'wildsr\["
        ):
            load_upscaler(weights=weights, engine=engine)


def test_mistakes(weights, tmp_path):
    for options, message in (
        ({"engine": "onnx"}, "`engine` must be one of .* Did you mean 'onnxruntime'"),
        ({"device": "gpu"}, "`device` must be one of"),
        ({"precision": "half"}, "`precision` must be one of"),
        ({"precision": "fp16", "engine": "onnxruntime"}, "must be 'fp32' for engine=onnxruntime"),
        ({"precision": "int8"}, "needs engine=openvino"),
        ({"tile": 4}, "`tile`"),
        ({"overlap": -1}, "`overlap`"),
        ({"batch": 0}, "`batch`"),
    ):
        with pytest.raises(UserError, match=message):
            load_upscaler(weights=weights, **options)
    with pytest.raises(UserError, match="One of `run`"):
        load_upscaler()
    with pytest.raises(UserError, match="does not exist"):
        load_upscaler(weights=tmp_path / "none.pth")


def test_loaded_in_one_piece(weights):
    plain, both = (
        load_upscaler(weights=weights),
        load_upscaler(weights=weights, ensemble=True, colour_fix=True),
    )
    assert (plain.scale, plain.name, plain.device.type) == (2, "2x_it", "cpu")
    lr = torch.rand(1, 3, 20, 24)
    expected = ColourFix(Ensemble(plain.network), 2)(lr)
    torch.testing.assert_close(both(lr), expected, atol=1e-5, rtol=0)
    assert both.radius >= plain.radius + REACH - 2
    assert sorted(ENGINES) == ["compile", "onnxruntime", "openvino", "torch"]


# Around the network ----------------------------------------------------------------------------


def test_the_ensemble_is_even_under_turns_and_flips():
    network = Ensemble(convolutions(3, 3)).eval()
    lr = torch.rand(1, 3, 12, 16)
    with torch.no_grad():
        sr = network(lr)
        for turn in (lambda x: x.flip(-1), lambda x: x.rot90(1, (-2, -1)), lambda x: x.flip(-2)):
            torch.testing.assert_close(network(turn(lr)), turn(sr), atol=1e-5, rtol=0)
        single = convolutions(3, 3).eval()
        assert (single(lr.flip(-1)) - single(lr).flip(-1)).abs().max() > 1e-2


def test_the_ensemble_of_an_even_network_is_the_network():
    lr = torch.rand(1, 3, 12, 16)
    torch.testing.assert_close(
        Ensemble(nn.Upsample(scale_factor=2))(lr), nn.Upsample(scale_factor=2)(lr)
    )


class Tinted(nn.Module):
    """Repeats pixels, and adds red."""

    def forward(self, lr):
        sr = nn.functional.interpolate(lr, scale_factor=2)
        return sr + torch.tensor([0.1, 0, -0.05]).reshape(1, 3, 1, 1)


def test_a_tint_is_taken_back():
    lr = torch.rand(1, 3, 50, 60)
    fixed = ColourFix(Tinted(), 2)(lr)
    torch.testing.assert_close(
        fixed, nn.functional.interpolate(lr, scale_factor=2), atol=1e-6, rtol=0
    )


def test_details_are_kept():
    class Detailed(nn.Module):
        def forward(self, lr):
            sr = nn.functional.interpolate(lr, scale_factor=2)
            checks = (torch.arange(sr.shape[3]) + torch.arange(sr.shape[2])[:, None]) % 2
            return sr + 0.2 * (checks - 0.5)

    lr = torch.rand(1, 3, 50, 60)
    torch.testing.assert_close(ColourFix(Detailed(), 2)(lr), Detailed()(lr), atol=1e-6, rtol=0)


def test_the_reach_of_the_colour_fix_is_what_it_says():
    assert receptive_radius(ColourFix(nn.Upsample(scale_factor=2), 2), 2) == REACH + 1


# Devices and formats ---------------------------------------------------------------------------


def test_devices():
    assert choose_device("cpu") == CPU
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="finds no such device"):
            choose_device("cuda:1")


@pytest.fixture
def capable(monkeypatch):
    """A CPU that has half precision and is faster in it; any network is enough for it."""
    monkeypatch.setattr(device, "supported", lambda dtype, place: True)
    monkeypatch.setattr(device, "quicker", lambda *which: True)
    monkeypatch.setattr(device, "WORK", {"cpu": 1})


def test_half_precision_needs_instructions(monkeypatch):
    monkeypatch.setattr(device, "supported", lambda dtype, place: dtype == torch.float32)
    network = convolutions(3)
    assert choose_precision("auto", network, CPU) == torch.float32
    for wanted in ("fp16", "bf16"):
        with pytest.raises(UserError, match="no instructions"):
            choose_precision(wanted, network, CPU)


def test_half_precision_needs_enough_work(capable, monkeypatch):
    network = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))
    before = network[0].weight.clone()
    with monkeypatch.context() as patch:
        patch.setattr(device, "WORK", {"cpu": 19})  # 9 products and as many sums, a pixel
        assert choose_precision("auto", network, CPU) == torch.float32
        patch.setattr(device, "WORK", {"cpu": 18})
        assert choose_precision("auto", network, CPU) == torch.bfloat16
    torch.testing.assert_close(network[0].weight, before)
    assert network[0].weight.dtype == torch.float32


def test_half_precision_needs_the_operations_and_finite_numbers(capable):
    class Exact(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Conv2d(3, 3, 1)

        def forward(self, lr):
            if lr.dtype != torch.float32:
                raise RuntimeError("not implemented for 'BFloat16'")
            return self.inner(lr)

    assert choose_precision("auto", Exact(), CPU) == torch.float32
    large = nn.Conv2d(3, 3, 1)
    nn.init.constant_(large.weight, 3.4e38)
    assert choose_precision("auto", large, CPU) == torch.float32


class Sleeping(nn.Module):
    """A network that takes longer in one of the formats."""

    def __init__(self, single, half):
        super().__init__()
        self.weight, self.times = nn.Parameter(torch.ones(())), (single, half)

    def forward(self, lr):
        time.sleep(self.times[lr.dtype == torch.bfloat16])
        return lr * self.weight


def test_half_precision_must_be_faster_here(monkeypatch, tmp_path):
    """One CPU that has bf16 takes twice as long in it as in fp32, another half as long."""
    monkeypatch.setattr(remembered, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(device, "supported", lambda dtype, place: True)
    monkeypatch.setattr(device, "WORK", {"cpu": 0})
    monkeypatch.setattr(device, "architecture", lambda network: str(network.times))
    slow, quick = Sleeping(0.001, 0.01), Sleeping(0.01, 0.001)
    assert choose_precision("auto", slow, CPU) == torch.float32
    assert choose_precision("auto", quick, CPU) == torch.bfloat16
    monkeypatch.setattr(device, "fastest", lambda choices, lr: pytest.fail("timed again"))
    assert choose_precision("auto", slow, CPU) == torch.float32
    assert choose_precision("auto", quick, CPU) == torch.bfloat16
    assert slow.weight.dtype == torch.float32
    (tmp_path / "other").write_text("a file in the way: nothing can be kept")
    monkeypatch.setattr(remembered, "cache_folder", lambda: tmp_path / "other")
    assert choose_precision("auto", quick, CPU) == torch.float32


def test_the_trial_leaves_the_weights_alone(capable):
    network = convolutions(3, 3)
    before = [p.clone() for p in network.parameters()]
    choose_precision("auto", network, CPU)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), before, strict=True))


def test_results_of_16_bits_are_computed_in_single_precision(capable):
    """Of a gradient of 16 bits, half precision leaves a fraction of the levels."""
    network = nn.Upsample(scale_factor=2)
    network.register_parameter("weight", nn.Parameter(torch.ones(1)))
    rows = np.arange(1024, dtype=np.uint16).reshape(16, 64, 1) * 60
    single = prepare(copy.deepcopy(network), 2, "it", CPU, precision="fp32")
    whole = upscale_image(single, rows, np.dtype(np.uint16))
    device_was, device.WORK = device.WORK, {"cpu": 0}
    try:
        chosen = prepare(network, 2, "it", CPU, precision="auto")
    finally:
        device.WORK = device_was
    assert chosen.dtype == torch.bfloat16
    assert np.array_equal(upscale_image(chosen, rows, np.dtype(np.uint16)), whole)
    (both,) = together(chosen, [rows], np.dtype(np.uint16))
    assert np.array_equal(both, whole)
    assert chosen.of_depth(np.dtype(np.uint8)) is chosen
    assert chosen.of_depth(np.dtype(np.uint16)) is chosen.of_depth(np.dtype(np.uint16))


def test_half_precision_that_was_asked_for_is_kept_and_that_is_said(capable, caplog):
    asked = prepare(nn.Conv2d(3, 3, 1), 1, "it", CPU, precision="bf16")
    assert asked.of_depth(np.dtype(np.uint16)) is asked
    assert "far fewer levels in bfloat16" in caplog.text


# Memory ----------------------------------------------------------------------------------------


def test_bytes_per_pixel_by_hand():
    class Known(nn.Module):
        def forward(self, lr):
            wide = lr.repeat(1, 10, 1, 1)  # 30 channels
            wider = torch.cat([wide, wide], 1)  # 60, while wide is alive
            del wide
            return wider[:, :3] * 1.0

    # Of 4 bytes: the 30 and 60 channels together; the input was there before.
    assert bytes_per_pixel(Known()) == pytest.approx(4 * 90, rel=0.02)


def test_tiles_follow_the_free_memory(monkeypatch):
    sides = []
    for free in (10**6, 10**8, 4 * 10**8, 10**12):
        monkeypatch.setattr(memory, "free_memory", lambda place, free=free: free)
        sides.append(tile_for(1000.0, CPU, 16))
    assert sides == sorted(sides)
    assert sides[0] == memory.SMALLEST
    assert sides[-1] == 480  # 256 MiB of pixels of 1000 bytes, however much is free
    assert tile_for(100.0, CPU, 16) == memory.LARGEST["cpu"]
    # A quarter of 100 MB in pixels of 1000 bytes: 158 a side, less twice 16, in whole cells.
    assert sides[1] == 120
    assert tile_for(1e5, CPU, 16) == memory.SMALLEST


def test_a_small_photo_is_one_tile_of_the_published_network():
    """Tiles of 384 pixels made two of 481, and a sixth of the work was done twice."""
    published = Compact(4, features=64, convolutions=32).eval()
    side = tile_for(bytes_per_pixel(published), CPU, 32)
    assert side >= 512
    assert side**2 * bytes_per_pixel(published) < 512 * 2**20


def test_free_memory_is_some():
    assert 10**7 < memory.free_memory(CPU) < 10**14


def test_strided_networks_take_batches(noise):
    import numpy as np

    from wildsr.inference.upscaler import Upscaler

    network = Strided().eval()
    made = Upscaler(network, network, 2, "it", tile=16, batch=4)
    assert len(together(made, [noise(9, 9, seed=s) for s in range(4)], np.dtype(np.uint8))) == 4


@pytest.mark.parametrize(
    ("limit", "used"),
    [
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ],
)
def test_a_container_has_the_memory_that_it_is_given(tmp_path, monkeypatch, limit, used):
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    free = memory.free_memory(CPU)
    (tmp_path / "memory").mkdir()
    (tmp_path / limit).write_text("3000\n")
    (tmp_path / used).write_text("1000\n")
    assert memory.free_memory(CPU) == 2000 < free
    (tmp_path / limit).write_text("max\n" if "/" not in limit else "9223372036854771712\n")
    assert memory.free_memory(CPU) > 2000


SIGNALLED = """
import os, signal, torch
from torch import nn
from wildsr.inference.engine import OpenVino

torch.set_num_threads(1)
signal.signal(signal.SIGUSR1, lambda *_: None)
made = [OpenVino(nn.Conv2d(3, 3, 3), torch.device("cpu")) for _ in range(2)]
made.pop(0)
made.pop()
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_signal_after_engines_that_are_gone_ends_nothing():
    """OpenVINO left the stack of signal handlers at memory that was given back."""
    pytest.importorskip("openvino")
    pytest.importorskip("onnx")
    assert subprocess.run([sys.executable, "-c", SIGNALLED], timeout=120).returncode == 0
