"""Pools are filled before the first iteration, once, and shown."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from wildsr.config.compose import configure
from wildsr.degradation.pools import Pools
from wildsr.run.checkpoint import checkpoints
from wildsr.training.build import build_training
from wildsr.training.harvest import harvest

pytestmark = pytest.mark.heavy

IMPRESSIONISM = ["method=impressionism", "degradation.patch=6", "degradation.noises=40"]
KERNELS = [
    "degradation.kernels=1",
    *[f"degradation.kernel_{n}" for n in ("iterations=2", "crop=32", "features=2")],
]


@pytest.fixture
def noisy(tmp_path):
    """A folder of two larger LR photos with noise of 5/255."""
    folder, make = tmp_path / "noisy", np.random.default_rng(0)
    folder.mkdir()
    for index in range(2):
        photo = make.normal(100 + 60 * index, 5, (48, 48, 3)).round().astype(np.uint8)
        Image.fromarray(photo).save(folder / f"{index}.png")
    return folder


@pytest.fixture
def run(tiny, tmp_path, carry_out, noisy):
    free = [o for o in tiny if not o.startswith("data.lr=")]
    typed = [*free, f"data.lr={noisy}", *IMPRESSIONISM, f"runs_dir={tmp_path}"]
    return lambda *more: carry_out("train", [*typed, *more])


def state(folder):
    return torch.load(checkpoints(folder / "checkpoints")[0], weights_only=True)


def test_it_happens_once_and_a_resumed_run_has_its_pools(run, tmp_path, monkeypatch, capsys):
    assert run(*KERNELS, "iterations=2", "name=parts") == 0
    said = capsys.readouterr().out
    assert "40 of " in said
    assert "from 2 of 2 photos" in said
    assert "kernels: 1 of 1" in said
    assert (tmp_path / "parts" / "pools.png").exists()
    pools = state(tmp_path / "parts")["networks"]["degrade"]
    assert pools["filled"].tolist() == [40, 1]
    with monkeypatch.context() as patch:
        patch.setattr(Pools, "harvest", lambda *_: pytest.fail("harvested again"))
        assert run("name=parts", "resume=auto", "iterations=4") == 0
    assert run(*KERNELS, "iterations=4", "name=whole") == 0
    one, other = state(tmp_path / "whole"), state(tmp_path / "parts")
    for name in ("degrade", "upscale"):
        for key, value in one["networks"][name].items():
            assert torch.equal(value, other["networks"][name][key]), key


def test_other_runs_and_evaluation_have_its_pools(run, tiny, tmp_path, carry_out):
    assert run("iterations=1", "name=it") == 0
    learned = ["method=supervised", "degradation=learned", f"degradation.run={tmp_path / 'it'}"]
    named = [f"runs_dir={tmp_path}", "name=other", "iterations=1"]
    assert carry_out("train", [*tiny, *learned, *named]) == 0
    (patches,) = (
        value
        for key, value in state(tmp_path / "other")["networks"]["degrade"].items()
        if key.endswith("degrade.noise")
    )
    assert torch.equal(patches, state(tmp_path / "it")["networks"]["degrade"]["noise"])
    assert patches.any()


def folders(photos):
    """The part of a data module that pools are filled from."""
    return SimpleNamespace(lr_store=photos)


def test_without_pools_nothing_happens(tmp_path, small):
    config = configure("train", ["method=supervised", *small, "data.patch=8"])
    assert harvest(build_training(config), folders([]), tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_further_processes_find_the_same_and_draw_nothing(tmp_path, small):
    make = np.random.default_rng(0)
    photos = [make.normal(100, 5, (48, 48, 3)).round().astype(np.uint8)]
    config = configure("train", [*IMPRESSIONISM, *small, "data.patch=8"])
    first, second = build_training(config), build_training(config)
    said = harvest(first, folders(photos), tmp_path)
    assert harvest(second, folders(photos), None) == said[:-1]
    pools = [training.networks["degrade"].noise for training in (first, second)]
    assert torch.equal(*pools)
    assert [path.name for path in tmp_path.iterdir()] == ["pools.png"]


def lines(tmp_path, small, photos, *overrides):
    config = configure("train", [*IMPRESSIONISM, *small, "data.patch=8", *overrides])
    return harvest(build_training(config), folders(photos), tmp_path)


def test_few_are_warned_of(tmp_path, small):
    make = np.random.default_rng(0)
    photo = make.normal(100, 5, (12, 12, 3)).round().astype(np.uint8)
    said = lines(tmp_path, small, [photo])
    warnings = [line for line in said if line.startswith("warning: only ")]
    assert len(warnings) == 1
    assert "(fewer than 32)" in warnings[0]
    assert said[-1] == f"picture: {tmp_path / 'pools.png'}"
    assert not any("warning" in x for x in lines(tmp_path, small, [photo], "degradation.few=1"))


def test_noise_from_one_photo_of_several_is_warned_of(tmp_path, small):
    make = np.random.default_rng(0)
    plain = make.normal(100, 5, (48, 48, 3)).round().astype(np.uint8)
    ramp = np.broadcast_to(np.linspace(30, 220, 48)[:, None], (48, 48, 3)).astype(np.uint8)
    said = lines(tmp_path, small, [plain, ramp, ramp], "degradation.flat=0.05")
    assert any("all noise comes from one of 3 photos" in line for line in said)


def test_structure_is_warned_of(tmp_path, small):
    ramp = np.broadcast_to(np.linspace(30, 220, 48)[:, None, None], (48, 48, 3)).astype(np.uint8)
    assert any("no square is free of structure" in x for x in lines(tmp_path, small, [ramp]))


def test_photos_that_give_no_noise_are_one_sentence(run, tmp_path, noisy, refused, tiny):
    for path in noisy.iterdir():
        Image.new("RGB", (48, 48), "black").save(path)
    free = [o for o in tiny if not o.startswith("data.lr=")]
    typed = [*free, f"data.lr={noisy}", *IMPRESSIONISM, f"runs_dir={tmp_path}", "name=black"]
    assert "must hold photos that are not all black or white" in refused("train", typed)
