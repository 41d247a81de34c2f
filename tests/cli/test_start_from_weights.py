"""Training that starts from weights: of a run, or published."""

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from spandrel import ModelLoader

from wildsr.network.upscaler.compact import Compact
from wildsr.network.upscaler.edsr import EDSR
from wildsr.photo.samples import write_samples
from wildsr.run.checkpoint import newest_checkpoint

pytestmark = pytest.mark.heavy


@pytest.fixture
def theirs(tmp_path):
    """A file as others publish it, of a x4 network that shows where it came from."""
    torch.manual_seed(3)
    path = tmp_path / "theirs.pth"
    torch.save({"params_ema": Compact(4, features=4, convolutions=2).state_dict()}, path)
    return path


STILL = ["method.optimizers.upscale.lr=0"]  # training that leaves the weights as they were


def trained(folder):
    (path,) = (folder / "weights").glob("*.safetensors")
    return load_file(path)


def test_published_weights_are_trained_and_open_elsewhere(
    theirs, tiny, photos, tmp_path, carry_out
):
    overrides = [*tiny, "network/upscaler=published", f"weights={theirs}", "method=supervised"]
    overrides = [
        o for o in overrides if not o.startswith(("network.upscaler.", "network/upscaler=compact"))
    ]
    overrides += [f"runs_dir={tmp_path / 'runs'}", "name=it"]
    assert carry_out("train", [*overrides, "iterations=2"]) == 0
    folder = tmp_path / "runs" / "it"
    weights, start = trained(folder), torch.load(theirs)["params_ema"]
    assert weights.keys() == start.keys()
    assert any(not torch.equal(weights[name], start[name]) for name in start)
    (path,) = (folder / "weights").glob("*.safetensors")
    assert ModelLoader().load_from_file(path).scale == 4

    theirs.unlink()  # the run has its own copy
    assert carry_out("train", [*overrides, "iterations=4", "resume=auto"]) == 0
    assert newest_checkpoint(folder)["iteration"] == 4
    assert carry_out("evaluate", [f"run={folder}", f"output={tmp_path / 'out'}"]) == 0
    assert (tmp_path / "out" / "results" / "supervised" / "photo0.png").exists()


def test_the_scale_is_the_files(tmp_path, photos, small, carry_out, capsys):
    path = tmp_path / "2x.pth"
    torch.save(Compact(2, features=4, convolutions=1).state_dict(), path)
    few = [o for o in small if "upscaler" not in o]
    overrides = ["data=folders", f"data.lr={photos.lr}", f"data.hr={photos.hr}", *few]
    overrides += ["network/upscaler=published", f"weights={path}", "explain=true", "data.patch=8"]
    overrides += ["finish=none"]  # whose features need larger crops
    assert carry_out("train", overrides) == 0
    assert carry_out("train", [*overrides, "scale=4"]) == 2
    assert "`scale` must be that of" in capsys.readouterr().err
    assert carry_out("train", [*overrides, f"weights={tmp_path / 'nowhere.pth'}"]) == 2
    assert "`weights` must be a file, but" in capsys.readouterr().err


def test_the_scale_of_the_file_is_kept_for_photos_of_16_bits_and_when_resumed(
    tmp_path, photos, small, carry_out
):
    """The configuration is made again once the photos are known, and by a resumed run."""
    path = tmp_path / "2x.pth"
    torch.save(Compact(2, features=4, convolutions=1).state_dict(), path)
    for name, seed in (("lr", 0), ("hr", 1)):
        (tmp_path / name).mkdir()
        draw = np.random.default_rng(seed).integers(0, 65536, (2, 48, 56, 3)).astype(np.uint16)
        for number, pixels in enumerate(draw):
            write_samples(tmp_path / name / f"{name}{number}.png", pixels)
    few = [o for o in small if "upscaler" not in o]
    overrides = ["data=folders", f"data.lr={tmp_path / 'lr'}", f"data.hr={tmp_path / 'hr'}", *few]
    overrides += ["network/upscaler=published", f"weights={path}", "method=supervised"]
    overrides += ["data.patch=8", "data.batch=2", f"runs_dir={tmp_path / 'runs'}", "name=it"]
    overrides += ["finish=none", "metric.metrics=[psnr]"]
    assert carry_out("train", [*overrides, "iterations=1"]) == 0
    assert carry_out("train", [*overrides, "iterations=2", "resume=auto"]) == 0
    config = OmegaConf.load(tmp_path / "runs" / "it" / "config.yaml")
    assert (config.scale, config.sensor.depth) == (2, "16")
    assert newest_checkpoint(tmp_path / "runs" / "it")["iteration"] == 2


def test_our_own_network_starts_from_a_file_of_its_architecture(
    theirs, tiny, tmp_path, carry_out, refused
):
    overrides = [*tiny, "method=supervised", "network.upscaler.convolutions=2", *STILL]
    overrides += ["iterations=1", f"runs_dir={tmp_path / 'runs'}", f"weights={theirs}"]
    assert carry_out("train", [*overrides, "name=it"]) == 0
    weights, start = trained(tmp_path / "runs" / "it"), torch.load(theirs)["params_ema"]
    assert all(torch.equal(weights[name], value) for name, value in start.items())

    other = tmp_path / "other.pth"
    torch.save(EDSR(4, 4, 1).state_dict(), other)
    error = refused("train", [*overrides, f"weights={other}", "name=other"])
    assert "belongs to another architecture than Compact" in error
    assert not (tmp_path / "runs" / "other").exists()
