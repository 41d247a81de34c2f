"""What all tests share: a cache of their own, tiny photos, tiny networks."""

import gc
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from support.conf_files import parsed_once
from support.signals import heard
from torch.utils.data import DataLoader

from wildsr.cli import main
from wildsr.config import allocator
from wildsr.config import compose as command
from wildsr.training import build

pytest_plugins = [
    "support.photo_fixtures",
    "support.evaluation_fixtures",
    "support.store_fixtures",
    "support.container_fixtures",
]


def pytest_collection_finish():
    """From here on Python's collector passes over what stays: torch, pytest, thousands of tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Nothing outside temporary folders is written, nobody's W&B account is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WILDSR_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("WANDB_MODE", "offline")
        patch.delenv("WANDB_API_KEY", raising=False)
        patch.setattr(allocator, "_mallopt", lambda: None)  # it would outlive the test
        yield


@pytest.fixture(scope="session", autouse=True)
def heard_signals():
    """What tests start hears signals, also where ``nohup`` or ``&`` has pytest ignore them."""
    with heard():
        yield


@pytest.fixture(scope="session", autouse=True)
def read_once():
    """Thousands of tests compose a configuration."""
    with parsed_once():
        yield


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny tensors are quicker on one thread, and sums have one order."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def same_draws():
    """Whatever a test draws without a seed is the same in any order of the tests."""
    random.seed(0)
    np.random.seed(0)  # the global one, which other libraries draw from
    torch.manual_seed(0)


@pytest.fixture
def fill():
    """Writes ``count`` photos of smooth random colours, (height, width), into a folder."""

    def write(folder, count, size, seed=0):
        generator = np.random.default_rng(seed)
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            small = generator.integers(0, 256, (size[0] // 4 + 1, size[1] // 4 + 1, 3), np.uint8)
            photo = Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC)
            photo.save(folder / f"photo{index}.png")
        return folder

    return write


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Folders of unpaired photos (lr, hr) and of pairs (val_lr, val_hr), for scale 4."""
    root, write = tmp_path_factory.mktemp("photos"), fill.__wrapped__()
    return SimpleNamespace(
        lr=write(root / "lr", 4, (24, 28), seed=1),
        hr=write(root / "hr", 3, (64, 72), seed=2),
        val_lr=write(root / "val_lr", 2, (12, 14), seed=3),
        val_hr=write(root / "val_hr", 2, (48, 56), seed=4),
    )


@pytest.fixture(scope="session")
def small():
    """Overrides that make the default networks as small as they get."""
    return [
        "network/upscaler=compact_small",
        "network.upscaler.features=4",
        "network.upscaler.convolutions=1",
        "trainer.accelerator=cpu",
        "logger=none",
    ]


def within(network, **counts):
    """Overrides of a network that has a node of its own in the method's configuration."""
    sizes = {"features": 4, **counts}
    return [f"method.networks.{network}.{name}={value}" for name, value in sizes.items()]


@pytest.fixture(scope="session")
def of():
    """``of(method)``: the overrides that choose it, with its own networks small."""

    def overrides(method):
        critic = ["network.critic.features=4", "network.critic.layers=2"]
        staged = [*(f"network.degrader.{c}" for c in ("features=4", "blocks=1"))]
        staged += ["method.networks.critic_hr.features=4"]
        counts = ("features=4", "kernel_noise=4", "kernel_blocks=1", "noise_blocks=1")
        translator = ["network.translator.features=4", "network.translator.blocks=1"]
        critic_hr = within("critic_hr", layers=2)
        own = {
            "impressionism": ["degradation.patch=6", "degradation.noises=9"],
            "kernelgan_zssr": ["network.degrader.features=4"],
            "pdm": [f"network.degrader.{count}" for count in counts],
            "bulat": ["network.degrader.features=4", "network.degrader.blocks=1", *critic_hr],
            "cyclesr": translator,
            "dasr": staged,
            "dsgan": staged,
            "lud_vae": ["network.degrader.features=4"],
            "wild_residual": ["network.degrader.features=4", "network.degrader.blocks=1"],
            "cincgan": [*translator, *within("shrink", blocks=1), *critic_hr],
            "maeda": [*translator, *within("degrade", blocks=1), *critic_hr],
        }
        return [f"method={method}", *critic, *own.get(method, [])]

    return overrides


@pytest.fixture(scope="session")
def tiny(photos, small):
    """Overrides of a ``train`` of a second, but for ``iterations`` and ``runs_dir``."""
    folders = [f"data.{name}={folder}" for name, folder in vars(photos).items()]
    quick = ["data.patch=8", "data.batch=2", "metric.metrics=[psnr]", "validate_every=1000"]
    return ["data=folders", *folders, *small, *quick, "log_every=1", "checkpoint_every=1000"]


@pytest.fixture
def carry_out(monkeypatch):
    """``carry_out("train", overrides)``: the verb in this process; its exit code."""
    monkeypatch.setenv("WILDSR_RUN", "")  # what a run leaves in the environment goes with the test
    monkeypatch.delenv("WILDSR_RUN")
    return main.start


@pytest.fixture
def plain_batches():
    """``plain_batches(n, scale, patch, batch)``: training batches as the data module makes them."""

    def make(count, scale=4, patch=8, batch=2, seed=0):
        generator = torch.Generator().manual_seed(seed)
        sides = {"hr": patch * scale, "real_lr": patch, "other_hr": patch * scale}
        shape = {name: (batch, 3, side, side) for name, side in sides.items()}
        return [
            {
                n: torch.randint(0, 256, s, generator=generator, dtype=torch.uint8)
                for n, s in shape.items()
            }
            for _ in range(count)
        ]

    return make


@pytest.fixture
def fit(tmp_path, small):
    """``fit(overrides, batches)``: the loop alone on these batches; the training afterwards.

    ``before(training)`` is called before it starts.
    """

    def carry_out_loop(overrides, batches, before=lambda training: None):
        folders = [f"data.lr={tmp_path}", f"data.hr={tmp_path}", "data.patch=8", "data.batch=2"]
        config = command.configure("train", ["data=folders", *folders, *small, *overrides])
        training = build.build_training(config)
        before(training)
        build.build_trainer(config, []).fit(training, DataLoader(batches, batch_size=None))
        return training

    return carry_out_loop


@pytest.fixture(scope="session")
def finished(tmp_path_factory, photos, tiny):
    """The folder of a finished run of ``supervised``; tests that change it copy it."""
    root = tmp_path_factory.mktemp("finished")
    overrides = [*tiny, "method=supervised", "iterations=3", "metric.metrics=[psnr,ssim]"]
    assert main.start("train", [*overrides, f"runs_dir={root}", "name=it"]) == 0
    return root / "it"


@pytest.fixture
def refused(carry_out, capsys):
    """``refused(verb, overrides)``: the one sentence with which the verb refuses, exit code 2."""

    def call(verb, overrides):
        capsys.readouterr()
        assert carry_out(verb, overrides) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: "), error
        assert error.count("\n") == 1, error
        assert "Traceback" not in error
        return error

    return call
