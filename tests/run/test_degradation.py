"""A run's degradation in another run: frozen, copied, gone on with."""

import shutil

import pytest
import torch

from wildsr.run.checkpoint import newest_checkpoint
from wildsr.run.degradation import Learned
from wildsr.run.load import load_degrader, restorer_of

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def camera(tmp_path_factory, tiny):
    """The folder of a run of ``wild``."""
    from wildsr.cli import main as command

    root = tmp_path_factory.mktemp("camera")
    overrides = [*tiny, "method=adversarial_camera", "iterations=4", f"runs_dir={root}", "name=it"]
    assert command.start("train", overrides) == 0
    return root / "it"


def test_it_holds_what_the_run_learned_and_only_what_degrades(camera):
    degrader = load_degrader(camera)
    assert list(degrader.networks) == ["degrade"]
    state = newest_checkpoint(camera)["networks"]["degrade"]
    assert state["noise"][0] != pytest.approx(0.6931, abs=1e-4), "it has moved"
    assert torch.equal(degrader.networks["degrade"].noise, state["noise"])


def test_another_run_is_trained_through_it_and_survives_its_end(
    camera, tiny, tmp_path, carry_out, refused
):
    original = shutil.copytree(camera, tmp_path / "original")
    learned = ["method=supervised", "degradation=learned", f"degradation.run={original}"]
    runs = [f"runs_dir={tmp_path}", "name=user"]
    assert carry_out("train", [*tiny, *learned, *runs, "iterations=2"]) == 0
    state = newest_checkpoint(tmp_path / "user")["networks"]["degrade"]
    noise = newest_checkpoint(camera)["networks"]["degrade"]["noise"]
    assert torch.equal(state["degrader.networks.degrade.noise"], noise), "nothing trained it"
    shutil.rmtree(original)
    assert "does not exist" in refused("train", [*tiny, *learned, f"runs_dir={tmp_path}"])
    assert carry_out("train", [f"resume={tmp_path / 'user'}", "iterations=3"]) == 0
    assert newest_checkpoint(tmp_path / "user")["iteration"] == 3
    assert restorer_of(tmp_path / "user")(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)
    hr = torch.rand(1, 3, 32, 32)
    torch.manual_seed(0)
    once = Learned(str(camera), 4)(hr)
    torch.manual_seed(0)
    assert torch.equal(load_degrader(tmp_path / "user")(hr), once), "and can be handed on"


def test_a_run_that_is_none(tiny, refused, tmp_path):
    learned = ["method=supervised", "degradation=learned"]
    assert "`degradation.run` must be given" in refused("train", [*tiny, *learned])
    missing = f"degradation.run={tmp_path / 'nowhere'}"
    assert "nowhere does not exist" in refused("train", [*tiny, *learned, missing])


def test_pairs_are_made_by_networks_of_kernel_and_noise(tiny, of, tmp_path, carry_out, photos):
    overrides = [*tiny, *of("pdm"), "iterations=2", f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", overrides) == 0
    out = tmp_path / "pairs"
    assert carry_out("degrade", [f"run={tmp_path / 'it'}", f"hr={photos.hr}", f"output={out}"]) == 0
    assert len(list((out / "lr").iterdir())) == 3
    assert (out / "real_vs_fake.png").exists()
