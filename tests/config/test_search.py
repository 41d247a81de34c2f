"""What a sweep searches, and that what cannot be is said before the first trial."""

import subprocess
import sys

import pytest

from wildsr.config.check import checked
from wildsr.config.compose import configure
from wildsr.config.override import Override, written
from wildsr.config.search import Choices, Range, objective_of, space_of
from wildsr.config.trials import checked_sweep, identity, trial_overrides

FOLDERS = ["data=folders", "data.lr=a", "data.hr=b"]
LR = "method.optimizers.upscale.lr"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("[1, 8]", Range(1, 8)),
        ("[0.1, 10, log]", Range(0.1, 10, True)),
        ("[1, 64, log]", Range(1, 64, True)),
        ("[1, 2, 4]", Choices((1, 2, 4))),
        ("[true, false]", Choices((True, False))),
        ("{choices: [16, 64]}", Choices((16, 64))),
        ("[null, 3.5, a b]", Choices((None, 3.5, "a b"))),
    ],
)
def test_ranges_and_choices(typed, expected):
    space = space_of(configure("sweep", [*FOLDERS, f"search={{data.batch: {typed}}}"]))
    assert space == {"data.batch": expected}
    assert isinstance(space["data.batch"], Choices) or space["data.batch"].whole == (
        "." not in typed
    )


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("3", "`search` must be a mapping"),
        ("{}", "`search` must be a mapping"),
        ("null", "`search` must be given"),
        ("{seed: 3}", "`search`: `seed` must be [low, high]"),
        ("{seed: [3, 1]}", "3 is not below 1"),
        ("{seed: [0, 9, log]}", "must begin above 0, but got 0"),
        ("{seed: [a, 9, log]}", "must be [low, high, log] of two numbers"),
        ("{seed: [1]}", "at least two choices, each once, but got [1]"),
        ("{seed: [1, 1, 2]}", "each once"),
        ("{seed: [[1], [2], [3]]}", "choices must be numbers or words"),
        ("{seed: {low: 1}}", "`search`: `seed` must be [low, high]"),
        (f"{{{LR}x: [1, 2]}}", f"Did you mean '{LR}'?"),
        ("{network/upscaler: [compact, edsl]}", "Did you mean 'edsr'?"),
        ("{data.batch: [0, 4]}", "with data.batch=0: `data.batch` must be an integer"),
        ("{data.batch: [4, x, 8]}", "with data.batch=x: `data.batch` must be an integer"),
        ("{data.lr: [a, b]}", "`data.lr` is both given and searched"),
        ("{runs_dir: [a, b]}", "`runs_dir` cannot be searched"),
        ("{metric: [rgb, classical]}", "`metric` cannot be searched"),
        ("{trials: [1, 2]}", "`trials` cannot be searched"),
        (
            "{network.upscaler.blocks: [2, 4], network/upscaler: [edsr, compact]}",
            "with network/upscaler=compact: There is no key `network.upscaler.blocks`",
        ),
        ("{seed: [0, 5], method.updates.upscale.terms.pixl.weight: [1, 2]}", "terms.pixl.weight="),
    ],
)
def test_what_cannot_be_searched_is_one_sentence(refused, search, said):
    error = refused("sweep", [*FOLDERS, f"search={search}"])
    assert said in error


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["trials=0"], "`trials` must be an integer of at least 1"),
        (["objective=pnsr"], "Did you mean 'psnr'?"),
        (["objective=sharpness"], "`objective` must be one of"),
        (["objective=psnr"], "needs the truth of the validation photos"),
        (["sampler=tpa"], "Did you mean 'tpe'?"),
        (["pruner=x"], "`pruner` must be one of ['median', 'none']"),
        (["strength=2"], "`strength` must be a number from 0 to 1"),
        (["resume=auto"], "`resume` is no key of a sweep"),
        (["explain=true"], "`explain` is no key of a sweep"),
        (["trainer.devices=2"], "once for each device"),
        (["trails=3"], "Did you mean 'trials'?"),
        (["iterations=0"], "`iterations` must be"),
    ],
)
def test_other_keys_of_a_sweep(refused, typed, said):
    assert said in refused("sweep", [*FOLDERS, "search={seed: [0, 9]}", *typed])


@pytest.mark.heavy
def test_the_objective_follows_the_truth():
    plain = [*FOLDERS, "search={seed: [0, 9]}"]
    truth = [*plain, "data.val_lr=c", "data.val_hr=d"]
    assert objective_of(checked_sweep(plain)) == "panel"
    assert objective_of(checked_sweep(truth)) == "psnr"
    assert objective_of(checked_sweep([*plain, "objective=swd"])) == "swd"
    assert objective_of(checked_sweep([*truth, "objective=card"])) == "card"
    assert objective_of(checked_sweep(["search={seed: [0, 9]}"])) == "psnr"  # of the demo


def test_a_trial_gets_what_is_not_the_sweeps_own():
    typed = [*FOLDERS, "search={seed: [0, 9]}", "trials=3", "name=x", "runs_dir=y", "seed=1"]
    assert trial_overrides(typed) == [*FOLDERS, "seed=1"]


def test_the_same_settings_are_the_same_sweep():
    one = [*FOLDERS, "search={seed: [0, 9]}", "trials=3"]
    assert identity(one) == identity([*reversed(one[:-1]), "trials=9", "storage=journal"])
    assert identity(one) != identity([*one, "iterations=7"])


@pytest.mark.parametrize("value", [None, True, 3, 0.1, 1e-7, "plain", "a b", "it's", "1", "null"])
def test_what_is_drawn_is_typed_so_that_it_is_read_back(value):
    assert Override.of(f"key={written(value)}").parsed() == value


def test_a_mistyped_key_is_told_without_torch():
    code = (
        "import sys\nfrom wildsr.cli.main import start\n"
        f"code = start('sweep', {[*FOLDERS, 'search={networks/upscaler: [compact, edsr]}']!r})\n"
        "print(code, 'torch' in sys.modules, 'optuna' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False", "False"]
    assert "networks/upscaler" in done.stderr


@pytest.mark.heavy
def test_what_the_agent_of_wandb_calls_composes():
    """By W&B's own function, as docs/sweep.md says that it is called."""
    utils = pytest.importorskip("wandb.sdk.launch.sweeps.utils")
    drawn = {
        "method.updates.upscale.terms.pixel.weight": 0.3,
        "network/upscaler": "edsr",
        "augment": True,
        "seconds": "null",
    }
    command = {"args": {key: {"value": value} for key, value in drawn.items()}}
    typed = utils.create_sweep_command_args(command)["args_no_hyphens"]
    config = checked("train", [*FOLDERS, *typed])
    assert config.method.updates.upscale.terms.pixel.weight == 0.3
    assert config.network.upscaler == configure("train", ["network/upscaler=edsr"]).network.upscaler
    assert config.augment is True
    assert config.seconds is None
