"""The embedded photos: split by photo, taken by a camera that no method is told about."""

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch
from omegaconf import OmegaConf
from PIL import Image
from support.processes import demo, prepare

from wildsr.config.compose import configure
from wildsr.data.demo import HELD_OUT, HR, LR, Demo
from wildsr.degradation.camera import KnownCamera
from wildsr.training.build import build_training

SCALE = 4


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def data(cache):
    made = demo(cache)
    made.setup()
    return made


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


def original(name):
    (path,) = (Path(skimage.__file__).parent / "data").glob(f"{name}.*")
    return Image.open(path)


def test_domains_are_disjoint_by_photo():
    names = [*HR, *LR, *HELD_OUT]
    assert len(set(names)) == len(names)
    scenes = [
        {name.removesuffix("_left").removesuffix("_right") for name in s}
        for s in (HR, LR, HELD_OUT)
    ]
    assert sum(map(len, scenes)) == len(set.union(*scenes)), "two photos of a scene are on one side"
    pair = {"motorcycle_left", "motorcycle_right"}
    assert any(pair <= set(side) for side in (HR, LR))


def test_the_folders_hold_the_domains(data):
    names = {
        name: {p.stem for p in (data.root / name).iterdir()}
        for name in ("hr", "lr", "val_lr", "val_hr")
    }
    assert names == {"hr": set(HR), "lr": set(LR), "val_lr": set(HELD_OUT), "val_hr": set(HELD_OUT)}


def test_lr_is_hr_divided_by_the_scale(data):
    for name in HELD_OUT:
        lr, hr = (Image.open(data.root / f / f"{name}.png") for f in ("val_lr", "val_hr"))
        assert hr.size == (lr.width * SCALE, lr.height * SCALE)
        assert hr.size == tuple(side // SCALE * SCALE for side in original(name).size)
    for name in LR:
        assert Image.open(data.root / "lr" / f"{name}.png").size == tuple(
            side // SCALE for side in original(name).size
        )


def test_hr_is_untouched_and_lr_went_through_the_camera(data):
    hr = np.asarray(Image.open(data.root / "val_hr" / "coffee.png"))
    truth = np.asarray(original("coffee").convert("RGB"))[: hr.shape[0], : hr.shape[1]]
    assert np.array_equal(hr, truth)
    lr = np.asarray(Image.open(data.root / "val_lr" / "coffee.png")).astype(float)
    size = (lr.shape[1], lr.shape[0])
    bicubic = np.asarray(Image.fromarray(truth).resize(size, Image.Resampling.BICUBIC))
    quiet = KnownCamera(SCALE, 2.4, 1.4, 30, read=0, shot=0, jpeg_quality=None)
    blurred = quiet(torch.from_numpy(truth.copy()).permute(2, 0, 1)[None].float() / 255)
    noise = lr - blurred[0].permute(1, 2, 0).numpy() * 255
    assert 3 < noise.std() < 8, "sensor noise of 4 to 9 levels, a part of it taken by JPEG"
    assert abs(noise.mean()) < 0.5
    assert np.abs(lr - bicubic).mean() > 1.05 * np.abs(noise).mean(), "it is blurred, too"


def test_a_method_is_given_crops_and_nothing_else(data):
    data.iterations, data.start = 2, 0
    for batch in data.train_dataloader():
        assert sorted(batch) == ["hr", "real_lr"]
        assert (batch["hr"].shape, batch["real_lr"].shape) == ((2, 3, 32, 32), (2, 3, 8, 8))
    config = configure("train", ["data=demo"])
    assert "KnownCamera" in str(OmegaConf.to_container(config.data))
    for method in ("wild", "pdm"):
        config = configure("train", ["data=demo", f"method={method}"])
        assert "KnownCamera" not in str(OmegaConf.to_container(config.method, resolve=True))
        modules = [type(m).__name__ for m in build_training(config).modules()]
        assert "KnownCamera" not in modules


def test_validation_has_its_truth(data):
    assert [photo["name"] for photo in data.photos] == sorted(HELD_OUT)
    assert all(
        tuple(p["hr"].shape) == (3, *(SCALE * s for s in p["lr"].shape[1:])) for p in data.photos
    )


def test_another_camera_or_scale_is_another_folder(cache, data):
    roots = {
        Demo(camera, scale=scale, patch=8, batch=2, seed=0, cache=str(cache)).root
        for camera, scale in (
            (KnownCamera(4, 2.4, 1.4, 30, read=4, shot=8), 4),
            (KnownCamera(2, 2.4, 1.4, 30, read=4, shot=8), 2),
            (KnownCamera(4, 2.4, 1.4, 31, read=4, shot=8), 4),
            (KnownCamera(4, 2.4, 1.4, 30, read=4, shot=8, jpeg_quality=90), 4),
        )
    }
    assert len(roots) == 4
    assert data.root in roots


def test_it_is_written_once(cache, data):
    before = {path: path.stat().st_mtime_ns for path in data.root.rglob("*.png")}
    demo(cache)
    assert {path: path.stat().st_mtime_ns for path in data.root.rglob("*.png")} == before


@pytest.mark.heavy
def test_it_is_the_same_everywhere_appears_whole_and_disturbs_no_generator(
    data, tmp_path, monkeypatch
):
    moved, replace = [], os.replace

    def watched(source, target):
        if Path(target).name == data.root.name:
            moved.append(files(Path(source)) == files(data.root))
            assert not Path(target).exists()
        replace(source, target)

    torch.manual_seed(99)
    expected = torch.rand(3)
    torch.manual_seed(99)
    monkeypatch.setattr(os, "replace", watched)
    again = demo(tmp_path)
    assert torch.equal(torch.rand(3), expected)
    assert moved == [True]
    assert files(again.root) == files(data.root)


@pytest.mark.heavy
def test_two_processes_at_once_corrupt_nothing(data, tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=prepare, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert files(tmp_path / data.root.name) == files(data.root)
    assert not list(tmp_path.glob(".*")), "nothing half-written stays"
