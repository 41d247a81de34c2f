"""Files of weights from anybody: opened as numbers, never run; what is wrong is one sentence."""

import json
import os
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from wildsr.error import UserError
from wildsr.inference.weights import open_weights, save_weights
from wildsr.network.architecture import ARCHITECTURES
from wildsr.network.translator import Translator
from wildsr.network.upscaler.compact import Compact
from wildsr.network.upscaler.dat import DATLight
from wildsr.network.upscaler.dbpn import DBPN
from wildsr.network.upscaler.edsr import EDSR
from wildsr.network.upscaler.fdat import FDAT
from wildsr.network.upscaler.lapsrn import LapSRN
from wildsr.network.upscaler.omnisr import OmniSR
from wildsr.network.upscaler.realplksr import RealPLKSR
from wildsr.network.upscaler.rrdb import RRDBNet
from wildsr.network.upscaler.span import SPAN
from wildsr.network.upscaler.srcnn import SRCNN
from wildsr.network.upscaler.srresnet import SRResNet
from wildsr.network.upscaler.swinir import SwinIRLight
from wildsr.network.upscaler.vdsr import VDSR

COMPACT = "wildsr.network.upscaler.compact.Compact"
NODE = {"_target_": COMPACT, "scale": 2, "features": 4, "convolutions": 1}
SMALL = {
    Compact: {"features": 4, "convolutions": 1, "activation": "relu"},
    DBPN: {"features": 4, "initial_features": 4, "stages": 2},
    EDSR: {"features": 4, "blocks": 1, "residual_scale": 0.5},
    LapSRN: {"features": 4, "depth": 1},
    RRDBNet: {"features": 4, "blocks": 1, "growth": 4},
    SRCNN: {"kernels": [3, 1, 3], "features": [4, 4]},
    SRResNet: {"features": 4, "blocks": 1},
    SPAN: {"features": 8},
    RealPLKSR: {"features": 8, "blocks": 2, "kernel": 5},
    OmniSR: {"features": 8, "groups": 1},
    DATLight: {"features": 32, "blocks": 2, "heads": 2, "split": [4, 8], "drop_path": 0.0},
    FDAT: {"features": 16, "groups": 1, "depth": 1, "heads": 2, "drop_path": 0.0},
    SwinIRLight: {"features": 6, "groups": 1, "blocks": 1, "heads": 2, "image_size": 16},
    VDSR: {"features": 4, "depth": 2},
    Translator: {"features": 4, "blocks": 1},
}


def state(**arguments):
    torch.manual_seed(0)
    return Compact(**{"scale": 2, "features": 4, "convolutions": 1, **arguments}).state_dict()


def write(path, about, weights=None):
    """A file of these weights that says ``about`` of itself."""
    weights = state() if weights is None else weights
    text = about if isinstance(about, str) else json.dumps(about)
    if path.suffix == ".safetensors":
        save_file(weights, str(path), metadata={"wildsr": text})
    else:
        torch.save({"params_ema": weights, "wildsr": text}, path)
    return path


both = pytest.mark.parametrize("suffix", [".safetensors", ".pth"])


@pytest.mark.parametrize("made", SMALL)
def test_every_architecture_comes_back(made, tmp_path):
    node = dict(SMALL[made]) if made is Translator else {"scale": 2, **SMALL[made]}
    scale = node.get("scale", 1)
    network = made(**node).eval()
    path = tmp_path / "it.safetensors"
    save_weights(network, path, {"_target_": f"{made.__module__}.{made.__name__}", **node}, scale)
    opened = open_weights(path)
    assert type(opened.network) is made
    assert opened.scale == scale
    lr = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(opened.network(lr), network(lr))


def test_the_table_is_complete():
    """Every upscaler that a configuration names has weights that can be opened."""
    from wildsr.config.trust import known_targets

    named = {t for t in known_targets() if ".network.upscaler." in t or ".translator." in t}
    others = {"interpolation.Interpolation", "published.Published"}  # no weights; spandrel's
    assert named - {f"wildsr.network.upscaler.{name}" for name in others} == set(ARCHITECTURES)
    assert set(ARCHITECTURES.values()) == set(SMALL)


def described(canary):
    """Descriptions that would run code, or take all memory."""
    call = {"_target_": "os.mkdir", "path": str(canary)}
    return {
        "another": {"network": call, "scale": 2},
        "torch": {"network": {"_target_": "torch.save", "obj": 1, "f": str(canary)}, "scale": 2},
        "nested": {"network": {**NODE, "features": call}, "scale": 2},
        "nested list": {"network": {**NODE, "features": [call]}, "scale": 2},
        "scale": {"network": NODE, "scale": call},
        "prefix": {
            "network": {"_target_": "wildsr.network.upscaler.published.torch.hub.load"},
            "scale": 2,
        },
        "ours, but a function": {
            "network": {"_target_": "wildsr.network.weights.read_weights", "path": "/dev/stdin"},
            "scale": 2,
        },
        "args": {"network": {**NODE, "_args_": [call]}, "scale": 2},
        "partial": {"network": {**NODE, "_partial_": True}, "scale": 2},
        "large": {"network": {**NODE, "features": 20000}, "scale": 2},
        "large within bounds": {"network": {**NODE, "features": 1024}, "scale": 2},
        "many": {"network": {**NODE, "convolutions": 10**9}, "scale": 2},
        "huge": {"network": {**NODE, "features": 10**300}, "scale": 2},
        "word": {"network": {**NODE, "features": "4"}, "scale": 2},
        "real": {"network": {**NODE, "features": 4.0}, "scale": 2},
        "truth": {"network": {**NODE, "convolutions": True}, "scale": 2},
        "minus": {"network": {**NODE, "features": -4}, "scale": 2},
        "nan": {"network": {**NODE, "features": float("nan")}, "scale": 2},
        "other scale": {"network": NODE, "scale": 4},
        "scale of another type": {"network": NODE, "scale": "2"},
        "no scale": {"network": NODE},
        "unknown argument": {"network": {**NODE, "more": 1}, "scale": 2},
        "no network": {"scale": 2},
        "network of another type": {"network": [1], "scale": 2},
        "no target": {"network": {"scale": 2}, "scale": 2},
        "target of another type": {"network": {"_target_": {}}, "scale": 2},
        "a list": [1],
        "a number": 3,
        "null": None,
        "no JSON": "{",
        "empty": "",
        "deep": "[" * 10**4,
        "long": json.dumps({"network": NODE, "scale": 2, "x": "x" * 10**6}),
        "integer": '{"scale": ' + "9" * 10**4 + "}",
    }


@both
@pytest.mark.parametrize("kind", described("x"))
def test_a_description_runs_nothing_and_is_one_sentence(kind, suffix, tmp_path):
    canary = tmp_path / "canary"
    path = write(tmp_path / f"it{suffix}", described(canary)[kind])
    with pytest.raises(UserError, match="`weights`: ") as told:
        open_weights(path)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500
    assert not canary.exists()


@both
def test_a_sound_description_is_opened(suffix, tmp_path):
    """Else the test above would show nothing."""
    opened = open_weights(write(tmp_path / f"it{suffix}", {"network": NODE, "scale": 2}))
    assert (opened.scale, opened.node) == (2, NODE)


def test_a_pickle_is_not_run(tmp_path):
    canary = tmp_path / "canary"

    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    for held in (Bomb(), {"params": Bomb()}, {**state(), "more": Bomb()}):
        torch.save(held, tmp_path / "it.pth")
        with pytest.raises(UserError, match="could run code"):
            open_weights(tmp_path / "it.pth")
    assert not canary.exists()


@pytest.mark.parametrize(
    "wrap",
    {
        "_orig_mod.": lambda s: {"state_dict": {f"_orig_mod.{k}": v for k, v in s.items()}},
        "module.": lambda s: {f"module.{k}": v for k, v in s.items()},
        "both": lambda s: {f"module._orig_mod.{k}": v for k, v in s.items()},
        "the other way": lambda s: {f"_orig_mod.module.{k}": v for k, v in s.items()},
        "generator.": lambda s: {
            "state_dict": {
                **{f"generator.{k}": v for k, v in s.items()},
                "discriminator.a": torch.zeros(3),
                "step_counter": torch.zeros(1),
            },
            "meta": {"iter": 3},
        },
        "averaged generator": lambda s: {
            "state_dict": {
                **{f"generator.{k}": v * 0 for k, v in s.items()},
                **{f"generator_ema.{k}": v for k, v in s.items()},
            }
        },
        "g_ema": lambda s: {
            "g": {k: v * 0 for k, v in s.items()},
            "g_ema": s,
            "d": {"a": torch.zeros(1)},
        },
        "params_ema": lambda s: {"params": {k: v * 0 for k, v in s.items()}, "params_ema": s},
        "netG": lambda s: {f"netG.{k}": v for k, v in s.items()},
        "a net within a model": lambda s: {"model": {f"net.{k}": v for k, v in s.items()}},
        "lightning": lambda s: {
            "epoch": 3,
            "state_dict": {f"model.{k}": v for k, v in s.items()},
            "optimizer_states": [],
        },
        "deep": lambda s: {"model": {"state_dict": {f"module.{k}": v for k, v in s.items()}}},
    }.items(),
    ids=lambda pair: pair[0],
)
def test_wrappers_of_the_field(wrap, tmp_path):
    weights = state()
    torch.save(wrap[1](weights), tmp_path / "it.pth")
    found = open_weights(tmp_path / "it.pth").network.state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)


def test_names_that_begin_with_a_model_and_a_number_stay(tmp_path):
    """ESRGAN's first names: model.0, model.1.sub.0, ..."""
    from wildsr.network.weights import read_weights

    named = {"model.0.weight": torch.zeros(1), "model.1.weight": torch.ones(1)}
    torch.save(named, tmp_path / "it.pth")
    assert list(read_weights(tmp_path / "it.pth")) == ["model.0.weight", "model.1.weight"]


@both
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_no_number_is_refused_on_both_ways(value, suffix, tmp_path):
    weights = state()
    weights["body.2.bias"][1] = value
    path = write(tmp_path / f"it{suffix}", {"network": NODE, "scale": 2}, weights)
    with pytest.raises(UserError, match=r"holds NaN or infinite values, in body\.2\.bias"):
        open_weights(path)
    network = Compact(2, 4, 1)
    network.load_state_dict(weights)
    with pytest.raises(UserError, match=r"is not written: .*NaN or infinite"):
        save_weights(network, tmp_path / "out.safetensors", NODE, 2)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_folder_says_what_to_take(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(UserError, match=r"is a folder without any of \.safetensors"):
        open_weights(folder)
    write(folder / "b.pth", {"network": NODE, "scale": 2})
    write(folder / "a.safetensors", {"network": NODE, "scale": 2})
    with pytest.raises(UserError, match=r"is a folder: name one of a\.safetensors, b\.pth"):
        open_weights(folder)
    (folder / "config.yaml").write_text("")
    with pytest.raises(UserError, match=f"is a folder of a run: use `run={folder}`"):
        open_weights(folder)
    with pytest.raises(UserError, match="does not exist"):
        open_weights(tmp_path / "nowhere.pth")
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(UserError, match="is none"):
        open_weights(tmp_path / "pipe.pth")


def test_a_checkpoint_of_a_run_says_so(finished):
    path = next((finished / "checkpoints").iterdir())
    with pytest.raises(UserError, match="is a checkpoint of a run: use `run=FOLDER`"):
        open_weights(path)


def test_more_than_the_file_holds_is_refused(tmp_path):
    path = tmp_path / "it.pth"
    torch.save({"body.0.weight": torch.zeros(1).expand(10**5, 10**5)}, path)
    with pytest.raises(UserError, match="larger than what the file holds"):
        open_weights(path)
    one = torch.zeros(10**6)
    torch.save({f"body.{i}.weight": one for i in range(100)}, path)
    with pytest.raises(UserError, match="its tensors are larger than the file"):
        open_weights(path)
    torch.save({"body.0.weight": torch.zeros(10**7)}, path)
    packed = tmp_path / "packed.pth"
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name in plain.namelist():
            out.writestr(name, plain.read(name))
    with pytest.raises(UserError, match="it is packed"):
        open_weights(packed)
    torch.save({"body.999999999.weight": torch.zeros(1), "body.0.weight": torch.zeros(1)}, path)
    with pytest.raises(UserError, match="no network has the layer"):
        open_weights(path)


@pytest.mark.parametrize(
    "value",
    [torch.zeros(2, 2).to_sparse(), torch.zeros(2, device="meta")],
    ids=["sparse", "without numbers"],
)
def test_tensors_of_other_kinds_are_refused(value, tmp_path):
    torch.save({"body.0.weight": value}, tmp_path / "it.pth")
    with pytest.raises(UserError, match="is no plain tensor"):
        open_weights(tmp_path / "it.pth")


def test_a_network_of_ones_own_without_a_description_is_not_written_as_ours(tmp_path):
    save_weights(nn.Conv2d(3, 3, 3), tmp_path / "it.safetensors", {}, 1)
    with pytest.raises(UserError, match="no architecture that spandrel knows"):
        open_weights(tmp_path / "it.safetensors")
