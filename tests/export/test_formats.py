"""Programs of other runtimes: each architecture in each format, opened there, equal to torch."""

import copy
import itertools
import re
import sys

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from support.tiers import diagonal, only
from torch import nn

from wildsr.config.compose import configure
from wildsr.error import UserError
from wildsr.export.formats import PROGRAMS, write_program
from wildsr.export.handover import Piece, file_name, pieces, spandrel_model, write_weights
from wildsr.inference.restorer import Restorer
from wildsr.inference.weights import open_weights
from wildsr.method.part import Method, given, network, tensor
from wildsr.network.upscaler.compact import Compact
from wildsr.photo.sensor import Sensor

PACKAGES = {"onnx": ("onnx", "onnxruntime"), "ncnn": ("ncnn", "pnnx"), "torchscript": ()}
SIZES = ((40, 56), (17, 90), (33, 8))  # the first is the one that is traced

# Small, but of the published shape; and what becomes of them where that is not "equal, any size".
ARCHITECTURES = {
    "compact": (["features=8", "convolutions=2"], {}),
    "dbpn_small": (["features=8", "initial_features=8", "stages=2"], {}),
    "edsr": (["features=8", "blocks=2"], {}),
    "lapsrn": (["features=8", "depth=2"], {}),
    "rrdb": (["features=8", "blocks=1"], {}),
    "span": (["features=8"], {}),
    "realplksr": (["features=8", "blocks=2", "kernel=5", "layer_norm=true"], {}),
    "omnisr": (
        ["features=8", "groups=1"],
        {"ncnn": "refused", "onnx": "one size", "torchscript": "refused"},
    ),
    "dat_light": (
        ["features=32", "blocks=2", "heads=2"],
        {"ncnn": "ncnn lacks", "onnx": "not run"},
    ),
    "fdat_tiny": (
        ["features=16", "groups=1", "depth=1", "heads=2"],
        {"ncnn": "ncnn lacks", "onnx": "one size", "torchscript": "one size"},
    ),
    "srcnn": ([], {"ncnn": "ncnn lacks"}),
    "srresnet": (["features=8", "blocks=2"], {}),
    "vdsr": (["features=8", "depth=3"], {"ncnn": "ncnn lacks"}),
    "swinir_light": (
        ["groups=1", "blocks=2"],
        {"ncnn": "ncnn lacks", "onnx": "one size", "torchscript": "one size"},
    ),
}


def made(name, scale=4):
    smaller = [f"network.upscaler.{override}" for override in ARCHITECTURES[name][0]]
    config = configure("train", [f"network/upscaler={name}", f"scale={scale}", *smaller])
    torch.manual_seed(0)
    return instantiate(config.network.upscaler).eval()


def differences(module, reopened, sizes=SIZES):
    generator = torch.Generator().manual_seed(1)
    found = []
    for size in sizes:
        lr = torch.rand(1, 3, *size, generator=generator)
        with torch.no_grad():
            expected = module(lr)
        try:
            sr = reopened(lr)
        except Exception:
            found.append(float("inf"))
            continue
        same = sr.shape == expected.shape
        found.append(float((sr.detach() - expected).abs().max()) if same else float("inf"))
    return found


def there(fmt):
    for package in PACKAGES.get(fmt, ()):
        pytest.importorskip(package, reason=f"{package} is not installed: wildsr[export]")


# One of each outcome; the whole table runs in CI.
QUICK = {
    *(("compact", fmt) for fmt in PROGRAMS),
    ("dat_light", "onnx"),  # not run
    ("omnisr", "torchscript"),  # refused
    ("swinir_light", "torchscript"),  # one size
    ("vdsr", "ncnn"),  # ncnn lacks
}


@pytest.mark.parametrize(
    ("name", "fmt"),
    only(QUICK, list(itertools.product(sorted(ARCHITECTURES), sorted(PROGRAMS)))),
)
def test_each_architecture_in_each_format(name, fmt, tmp_path):
    there(fmt)
    module, limits = made(name), ARCHITECTURES[name][1]
    path = tmp_path / f"4x_it{PROGRAMS[fmt].suffixes[0]}"
    if limits.get(fmt) in ("ncnn lacks", "refused"):
        why = "ncnn lacks" if limits[fmt] == "ncnn lacks" else ""
        with pytest.raises(UserError, match=rf"`format={fmt}` cannot hold this network: {why}"):
            write_program(module, path, fmt)
        assert list(tmp_path.iterdir()) == [], "nothing is left of it"
        return
    found = differences(module, write_program(module, path, fmt))
    assert {p.suffix for p in tmp_path.iterdir()} == set(PROGRAMS[fmt].suffixes)
    if limits.get(fmt) == "not run":
        assert found[0] == float("inf"), "which the export measures and says"
        return
    assert found[0] < 1e-4
    if limits.get(fmt) == "one size":
        assert max(found[1:]) > 0.01
        again = write_program(module, path, fmt, size=24)
        assert differences(module, again, ((24, 24),))[0] < 1e-4
    else:
        assert max(found) < 1e-4


@pytest.mark.heavy
@pytest.mark.parametrize("fmt", sorted(PROGRAMS))
def test_half_precision_is_half_the_size_and_takes_single_precision(fmt, tmp_path):
    there(fmt)
    module, path = Compact(4, 32, 6).eval(), tmp_path / f"4x_it{PROGRAMS[fmt].suffixes[0]}"
    before = copy.deepcopy(module.state_dict())
    single = differences(module, write_program(module, path, fmt))
    held = sum(p.stat().st_size for p in tmp_path.iterdir())
    half = differences(module, write_program(module, path, fmt, fp16=True))
    assert max(single) < 1e-4
    assert 1e-6 < max(half) < 5e-3
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) < 0.65 * held
    for key, value in module.state_dict().items():
        assert torch.equal(value, before[key]), "the network itself stays what it was"


def test_onnx_takes_any_batch_and_names_what_goes_in_and_out(tmp_path):
    there("onnx")
    import onnxruntime

    module, path = made("compact"), tmp_path / "4x_it.onnx"
    write_program(module, path, "onnx")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert [(v.name, v.shape[1], v.type) for v in session.get_inputs()] == [
        ("lr", 3, "tensor(float)")
    ]
    assert [v.name for v in session.get_outputs()] == ["sr"]
    lr = torch.rand(3, 3, 9, 11)
    (sr,) = session.run(None, {"lr": lr.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(sr), module(lr), rtol=0, atol=1e-5)


def test_ncnn_has_the_names_that_upscayl_asks_for(tmp_path):
    there("ncnn")
    write_program(made("compact"), tmp_path / "4x_it.param", "ncnn")
    lines = (tmp_path / "4x_it.param").read_text().splitlines()
    assert lines[0] == "7767517"  # ncnn's mark of the text format
    assert re.fullmatch(r"Input\s+data\s+0 1 data", lines[2])
    assert lines[-1].split()[-2:] == ["output", "0=0"]
    assert not re.search(r"\b(in0|out0)\b", "\n".join(lines))


def test_a_missing_package_is_one_sentence(monkeypatch, tmp_path):
    module = made("compact")
    monkeypatch.setitem(sys.modules, "pnnx", None)  # importing it fails
    with pytest.raises(UserError, match=r"`format=ncnn` needs the package pnnx: pip install 'wild"):
        write_program(module, tmp_path / "4x_it.param", "ncnn")


# Weights -----------------------------------------------------------------------------------------


class TwoStep(Method):
    """Clean, then upscale."""

    real_lr = given("(B, 3, H, W)")
    upscale, clean, unused = network("LR to HR"), network("LR to LR"), network("of training only")

    @tensor
    def restored(self):
        return self.upscale(self.clean(self.real_lr))


@pytest.fixture
def two_steps():
    torch.manual_seed(3)
    networks = {"upscale": Compact(4, 4, 1), "clean": Compact(1, 4, 1), "unused": nn.Identity()}
    return Restorer(TwoStep, networks, 4).eval()


def test_pieces_are_those_that_restore_in_their_order_with_their_own_scale(two_steps):
    found = pieces(two_steps, 4)
    assert [(piece.name, piece.scale) for piece in found] == [("clean", 1), ("upscale", 4)]
    assert [file_name("2x_rose", piece) for piece in found] == ["1x_rose_clean", "4x_rose_upscale"]
    alone = pieces(two_steps.networks["upscale"], 4)
    assert [(piece.name, piece.scale) for piece in alone] == [("", 4)]
    assert file_name("rose", alone[0]) == "4x_rose"


@pytest.mark.parametrize("fmt", sorted(PROGRAMS))
def test_a_program_holds_the_whole_restorer(two_steps, fmt, tmp_path):
    there(fmt)
    reopened = write_program(two_steps, tmp_path / f"4x_it{PROGRAMS[fmt].suffixes[0]}", fmt)
    assert max(differences(two_steps, reopened)) < 1e-4


SPANDREL = {
    "compact": "RealESRGAN Compact",
    "rrdb": "ESRGAN",
    "swinir_light": "SwinIR",
    "span": "SPAN",
    "realplksr": "PLKSR",
    "omnisr": "OmniSR",
    "dat_light": "DAT",
    "fdat_tiny": "FDAT",
    "srcnn": None,
    "vdsr": None,
}
# A convolutional one in both kinds of file, one with attention, one that it does not know.
OPENED = [("compact", suffix) for suffix in (".safetensors", ".pth")]
OPENED += [(name, ".safetensors") for name in ("rrdb", "swinir_light", "srcnn")]


@pytest.mark.parametrize(
    ("name", "suffix"),
    only(OPENED, list(itertools.product(sorted(SPANDREL), (".safetensors", ".pth")))),
)
def test_weights_open_in_spandrel_where_it_knows_the_architecture(name, suffix, tmp_path):
    module, path = made(name), tmp_path / f"4x_it{suffix}"
    smaller = [f"network.upscaler.{override}" for override in ARCHITECTURES[name][0]]
    config = configure("train", [f"network/upscaler={name}", *smaller])
    node = OmegaConf.to_container(config.network.upscaler)
    reopened = write_weights(Piece("", module, 4), path, node, fp16=False)
    found = spandrel_model(path)
    assert (found.architecture.name if found else None) == SPANDREL[name]
    assert found is None or found.scale == 4
    lr = torch.rand(1, 3, 32, 32)  # whole windows: at other sizes spandrel pads its own way
    with torch.no_grad():
        expected = module(lr)
    torch.testing.assert_close(reopened(lr).clamp(0, 1), expected.clamp(0, 1), rtol=0, atol=1e-5)
    ours = open_weights(path)
    assert ours.scale == 4
    with torch.no_grad():
        torch.testing.assert_close(ours.network(lr), expected, rtol=0, atol=1e-5)


def test_weights_in_half_precision(tmp_path):
    module = made("compact")
    node = {"_target_": "wildsr.network.upscaler.compact.Compact", "scale": 4, "features": 8}
    node |= {"convolutions": 2}
    for suffix in (".safetensors", ".pth"):
        path = tmp_path / f"4x_it{suffix}"
        reopened = write_weights(Piece("", module, 4), path, node, fp16=True)
        lr = torch.rand(1, 3, 24, 19)
        with torch.no_grad():
            away = (reopened(lr).clamp(0, 1) - module(lr).clamp(0, 1)).abs().max()
        assert 0 < away < 1e-3
    assert next(module.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("fmt", "channels"), diagonal(["safetensors", "pth", *sorted(PROGRAMS)], [1, 5], 2)
)
def test_any_number_of_channels(fmt, channels, tmp_path):
    """Compact of gray and of five channels; the sensor is in files of weights."""
    there(fmt)
    torch.manual_seed(0)
    network = Compact(2, features=8, convolutions=1, channels=channels).eval()
    lr = torch.rand(1, channels, 20, 28)
    suffix = PROGRAMS[fmt].suffixes[0] if fmt in PROGRAMS else f".{fmt}"
    if fmt in PROGRAMS:
        reopened = write_program(network, tmp_path / f"a{suffix}", fmt)
    else:
        target = "wildsr.network.upscaler.compact.Compact"
        node = {"_target_": target, "scale": 2, "features": 8, "convolutions": 1}
        node["channels"] = channels
        sensor = Sensor(channels, "16", lr=(0.0, 4095.0))
        reopened = write_weights(
            Piece("", network, 2), tmp_path / f"a{suffix}", node, False, sensor
        )
        assert open_weights(tmp_path / f"a{suffix}").sensor == sensor
    with torch.no_grad():
        expected = network(lr)
    assert torch.allclose(reopened(lr).clamp(0, 1), expected.clamp(0, 1), atol=1e-4)
