"""Malformed command lines: one sentence each, exit 2, told before torch is imported."""

import functools
import importlib
import random
import re
import subprocess
import sys
import zlib

import pytest
from omegaconf import OmegaConf
from support.tiers import thinned

from wildsr.cli import main
from wildsr.config import check
from wildsr.config.compose import configure, keys_of, literals, verbs

# What makes each verb's line whole, so that it is the mistake that is told.
WHOLE = {
    "train": [],
    "evaluate": ["run=a"],
    "upscale": ["weights=a", "input=b", "output=c"],
    "degrade": ["hr=a", "output=b", "degradation=mild", "scale=4"],
    "export": ["run=a"],
    "app": ["run=a"],
    "look": ["data.lr=a"],
    "sweep": ["search={seed: [0, 9]}"],
}
UPSCALE = "method.updates.upscale"
VALUES = [
    *("", "[]", "{}", "[[]]", "{a: {b: c}}", "[1,2", "{a", "'", '"', "a,b", "1,2", "(", ")"),
    *("inf", "-inf", "nan", "1e999", "-1", "0", "1.5", "9" * 30, "9" * 5000, "true", "null"),
    *("???", "${x}", "${scale", "${oc.env:NOWHERE}", "${", "[" * 500, "{a:" * 200, "x" * 5000),
    *("a=b", "=", "range(1,3)", "choice(a,b)", "glob(*)", "int(x)", "\udcdf", "\\", "a\\", "~"),
    *("[bold]", "[/b]", "\n", "\t", "0x", "1_000", "::", "@", "a@b", "!!python/name:os"),
]
BROKEN = [
    *("seed", "=", "=3", "--seed=3", "-m", "--multirun", "-h=1", " ", "", "+", "++", "~", "~~seed"),
    *("~seed", "~", "~nowhere", "~metric", "~metric=rgb", "+seed", "++=3", "+=1", "seed:3", "a b"),
    *("hydra.run.dir=x", "+hydra.run.dir=x", "hydra/launcher=basic", "hydra=x", "literal=x"),
    *(
        "seed.x=1",
        "seed[0]=1",
        "a..b=1",
        ".seed=1",
        "seed.=1",
        "/seed=1",
        "seed/=1",
        "@=1",
        "a@b=1",
    ),
    *("network=3", "metric@x=rgb", "metric@=rgb", "+metric=rgb", "++metric=rgb", "\udcdf=1"),
    *("metric=[rgb]", "metric=[rgb,full]", "metric={a: 1}", "metric=3", "metric=null", "metric="),
    *("metric.metrics=0", "metric.metrics=[0]", "metric.metrics={a: b}", "metric._target_=3"),
    *("x" * 5000 + "=1", "seed=1=2", "experiment=nothing", "data=[]", "loss=3", "trainer=gpu"),
]


@functools.cache
def keys_of_verb(verb):
    return keys_of(configure(verb, []))


def lines(count, seed=0):
    """(verb, what is typed): a wrong value for a key, or a word that is none."""
    dice = random.Random(seed)
    for number in range(count):
        verb = verbs()[number % len(verbs())]
        if dice.random() < 0.3:
            word = dice.choice(BROKEN)
        else:
            key = dice.choice(keys_of_verb(verb))
            word = f"{dice.choice(['', '', '', '+', '++', '~'])}{key}={dice.choice(VALUES)}"
        yield verb, word


LINES = list(dict.fromkeys([*lines(240), *((v, w) for v in ("train", "evaluate") for w in BROKEN)]))


class Begun(Exception):  # noqa: N818
    """The line was found to be in order, and work would begin."""


@pytest.fixture
def no_work(monkeypatch):
    """Stops a verb at its work, and checks that what is told is told before."""

    def stop(name, package=None):
        if name.startswith("wildsr."):
            raise Begun
        return original(name, package)

    original = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", stop)


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("verb", verbs())
def test_a_malformed_line_is_one_sentence(verb, every, capsys):
    refused = 0
    for typed in [word for of, word in LINES if of == verb][::every]:
        try:
            code = main.start(verb, [*WHOLE[verb], typed])
        except Begun:  # it can be meant: a path, say
            continue
        error = capsys.readouterr().err
        assert (code, error[:7], error.count("\n")) == (2, "error: ", 1), (verb, typed, error)
        assert len(error) < 2000, (verb, typed)
        refused += 1
    assert refused > 10 / every


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("verb", verbs())
def test_the_whole_line_is_in_order(verb):
    with pytest.raises(Begun):
        main.start(verb, WHOLE[verb])


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.heavy)])
@pytest.mark.parametrize("verb", verbs())
def test_no_switch_number_or_list_takes_another_type(verb, every, capsys):
    config = configure(verb, [])
    tried = 0
    keys = keys_of(config)
    if verb == "sweep":  # most are those of train, each of which is tried there
        train = {*keys_of_verb("train")}
        keys = [key for key in keys if key not in train] + [key for key in keys if key in train][
            ::9
        ]
    for key in keys:
        if every > 1 and len(keys) > 60 and zlib.crc32(key.encode()) % every:
            continue
        value = OmegaConf.select(config, key) if not OmegaConf.is_missing(config, key) else None
        number = isinstance(value, bool | int | float)
        wrong = "x" if number else "3" if OmegaConf.is_list(value) else 0
        of_lightning = key.startswith("trainer.")  # which says it itself
        if wrong == 0 or of_lightning or key in literals(verb, []) or "updates" in key:
            continue
        tried += 1
        try:
            assert main.start(verb, [*WHOLE[verb], f"{key}={wrong}"]) == 2, key
        except Begun:
            raise AssertionError(f"{key}={wrong} is taken") from None
        error = capsys.readouterr().err
        told = (
            rf"`{re.escape(key)}` must be |There is no key `{re.escape(key[:20])}"  # by reference
        )
        assert re.search(told, error), (key, error)
    assert tried > 1


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize("value", ["true", "false", "hr"])
def test_a_switch_with_a_third_value_takes_all_three(value):
    with pytest.raises(Begun):
        main.start("train", [*WHOLE["train"], f"augment={value}"])


@pytest.mark.parametrize(
    ("verb", "typed", "message"),
    thinned(
        [
            ("train", "iteratons=3", "There is no key `iteratons`. Did you mean 'iterations'?"),
            ("train", "+method.updates.upscale.every=0", "every must be an integer of at least 1"),
            ("evaluate", "panel=[swdd]", "Did you mean 'swd'?"),
            ("upscale", "engine=tensorrt", "`engine` must be one of"),
            (
                "degrade",
                "format=gif",
                "`format` must be one of ['jpeg', 'png', 'tif'], but got 'gif'.",
            ),
            ("export", "format=onx", "Did you mean 'onnx'?"),
            ("app", "port=0", "`port` must be an integer from 1 to 65535, but got 0."),
        ],
        2,
    ),
)
def test_a_mistake_is_told_at_once_and_without_torch(verb, typed, message):
    code = (
        "import sys, time\nfrom wildsr.cli.main import start\n"
        "code = start(sys.argv[1], sys.argv[2:])\n"
        "print(code, 'torch' in sys.modules, time.process_time())"
    )
    call = [sys.executable, "-c", code, verb, *WHOLE[verb], typed]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    exit_code, torch, seconds = done.stdout.split()
    assert (exit_code, torch) == ("2", "False")
    assert float(seconds) < 1.5
    assert done.stderr.startswith("error: ")
    assert message in done.stderr


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("verb", "typed", "message"),
    [
        ("train", ["method=wld"], "`method` must be one of"),
        ("train", ["iterations=0"], "`iterations` must be an integer of at least 1, but got 0."),
        ("train", ["metric.metrics=[psn]"], "`metric.metrics`: each must be one of"),
        ("evaluate", ["checkpoints=inf"], "`checkpoints` must be last, all or a list"),
        ("train", ["trainer.precision=16"], "`trainer.precision` must be one of"),
        ("train", ["trainer.accelerator=cdua"], "Did you mean 'cuda'?"),
        ("train", ["resume=nowhere"], "The run folder nowhere does not exist."),
        ("train", ["resume=."], "The run folder . is not a run folder (no overrides.json)."),
        ("train", [f"{UPSCALE}=3"], f"`{UPSCALE}` must be names with values, but got 3."),
        ("train", [f"{UPSCALE}.trains=[upscal]"], "Did you mean 'upscale'?"),
        ("train", [f"{UPSCALE}.trains=upscale"], "trains must be a list of networks"),
        ("train", [f"{UPSCALE}.terms=null"], "needs `trains` (networks) and `terms` (losses)"),
        ("train", [f"+{UPSCALE}.evry=2"], "Did you mean 'every'?"),
        ("train", [f"+{UPSCALE}.clip=-1"], "clip must be a positive number or null, but got -1."),
        ("train", [f"+{UPSCALE}.clip=true"], "clip must be a positive number or null"),
        ("train", [f"{UPSCALE}.terms.pixel=l1"], "Term `upscale/pixel` must be names with values"),
        ("train", [f"{UPSCALE}.terms.pixel.loss=l11"], "Term `upscale/pixel`: loss must be one of"),
        ("train", [f"+{UPSCALE}.terms.pixel.weight=much"], "weight must be a finite number"),
        ("train", [f"+{UPSCALE}.terms.pixel.weight=nan"], "weight` must be finite, but got nan."),
        ("train", [f"+{UPSCALE}.stages=3"], "stages must be a list of stages, but got 3."),
        ("train", ["method.networks=null"], "`method.networks` must be a mapping"),
        ("train", ["trainer=[]"], "`trainer` must be one of ['default'], but got []"),
        ("train", ["trainer.num_nodes=0"], "`trainer.num_nodes` must be an integer of at least 1"),
        ("train", [f"+{UPSCALE}.terms.pixel.pool=-1"], "pool must be an integer of at least 0"),
        ("train", ["method=dsgan", f"{UPSCALE}.stages=[upscal]"], "Did you mean 'upscale'?"),
        ("train", ["method=dsgan", "method.stages.upscale=-1"], "must be a positive share"),
        ("train", ["method=dsgan", "iterations=1"], "`iterations` must be at least 2"),
        ("train", ["+method.stages=[1,2]"], "`method.stages` must be names with shares"),
        ("train", ["+method.stages={a: {shar: 1}}"], "but has ['shar']"),
    ],
)
def test_a_mistake_is_told_before_the_verb_is_imported(verb, typed, message, capsys):
    assert main.start(verb, [*WHOLE[verb], *typed]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("no_work")
def test_an_update_that_was_switched_off_is_passed_over():
    with pytest.raises(Begun):
        main.start("train", ["method=dsgan", "method.updates.prepare=null"])


def test_several_runs_from_one_command_are_pointed_to_sweep(capsys):
    for flag in ("-m", "--multirun"):
        assert main.start("train", [flag, "seed=1,2"]) == 2
        assert "`wildsr sweep 'search={seed: [0, 1, 2]}'`" in capsys.readouterr().err


def test_a_licence_is_text(monkeypatch):
    assert configure("export", ["licence=CC BY (4.0)"]).licence == "CC BY (4.0)"


def test_a_reference_to_another_key_is_followed_and_checked(capsys):
    assert configure("train", ["seed=${scale}"]).seed == 4
    assert main.start("train", ["seed=${method._target_}"]) == 2
    assert "`seed` must be an integer" in capsys.readouterr().err


def test_the_choices_are_those_of_their_owners():
    from wildsr.cli import export
    from wildsr.inference import device, engine, pair_tasks, tile
    from wildsr.metric.catalogue import CATALOGUE
    from wildsr.photo import encode

    assert set(check.INTERPOLATIONS) == set(tile.KINDS)
    assert set(check.PAIRS) == {*pair_tasks.CHOSEN, "jpeg"}
    assert set(check.IMAGES) == set(encode.FORMATS)
    assert set(check.PROGRAMS) == set(export.PROGRAMS)
    assert set(check.ENGINES) == {"auto", *engine.ENGINES}
    assert set(check.PRECISIONS) == {"auto", *device.PRECISIONS}
    assert set(check._catalogue()) == set(CATALOGUE)
    assert set(check.CHECKS) == set(verbs())
