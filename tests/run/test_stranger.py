"""Run folders of strangers: nothing of theirs is run, and damage is one sentence."""

import contextlib
import json
import shutil

import pytest
import torch
import yaml
from support.tiers import diagonal, thinned

from wildsr.cli.app import _loaders
from wildsr.cli.main import with_saved
from wildsr.config.compose import configure
from wildsr.error import UserError
from wildsr.run.checkpoint import checkpoints
from wildsr.run.load import load_degrader, restorer_of
from wildsr.run.photos import data_of
from wildsr.run.resume import resumed_config
from wildsr.training.session import prepare

VERBS = ("upscale", "evaluate", "degrade", "export", "app", "train")
UPSCALER = "method.networks.upscale"


@pytest.fixture
def stranger(finished, tmp_path):
    """A copy of a finished run, and ``change(function)``, which edits its configuration."""
    folder = shutil.copytree(finished, tmp_path / "stranger")

    def change(edit):
        path = folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        edit(config)
        path.write_text(yaml.safe_dump(config))

    return folder, change


def put(config, key, value):
    """Set a key with dots, in a configuration or an override of it."""
    *outer, last = key.split(".")
    for name in outer:
        config = config[name]
    config[last] = value


def arguments(verb, folder, photos, tmp_path):
    """A command of the verb on a run folder."""
    return {
        "upscale": [f"run={folder}", f"input={photos.lr}", f"output={tmp_path / 'up'}"],
        "evaluate": [f"run={folder}", f"output={tmp_path / 'ev'}", "page_mb=0"],
        "degrade": [f"run={folder}", f"hr={photos.hr}", f"output={tmp_path / 'pairs'}"],
        "export": [f"run={folder}", f"output={tmp_path / 'ex'}"],
        "app": [f"run={folder}", "port=7999"],
        "train": [f"resume={folder}", "iterations=4"],
    }[verb]


def strange_code(canary):
    """Nodes that would make a folder ``canary``, each in its own way."""
    call = {"_target_": "os.mkdir", "path": str(canary)}
    return {
        "plain": call,
        "arguments": {"_target_": "os.mkdir", "_args_": [str(canary)]},
        "within": {
            "_target_": "wildsr.network.upscaler.compact.Compact",
            "scale": 4,
            "features": call,
        },
        "in a list": {"_target_": "torch.optim.Adam", "params": [{"deep": [call]}]},
        "through our module": {
            "_target_": "wildsr.network.upscaler.published.Path.mkdir",
            "self": {"_target_": "wildsr.network.upscaler.published.Path", "args": str(canary)},
        },
        "ours, imported by ours": {"_target_": "wildsr.network.weights.torch.hub.load"},
        "partial": {"_target_": "torch.optim.Adam", "_partial_": True},
        "no name": {"_target_": ["os.mkdir"]},
        "interpolated": {"_target_": "${oc.env:NAME}"},
    }


PLACES = [UPSCALER, "data", "data.camera", "method.extra"]


@pytest.mark.parametrize(("kind", "key"), diagonal(list(strange_code("x")), PLACES, 4))
def test_nothing_of_a_stranger_is_run(kind, key, stranger, tmp_path, monkeypatch):
    folder, change = stranger
    canary = tmp_path / "canary"
    monkeypatch.setenv("NAME", "os.mkdir")
    change(lambda config: put(config, key, strange_code(canary)[kind]))
    for opening in (restorer_of, load_degrader):
        with pytest.raises(UserError, match=r"config\.yaml (names code|is refused)"):
            opening(folder)
    assert not canary.exists()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_names_strange_code_and_asks(verb, stranger, photos, tmp_path, refused):
    folder, change = stranger
    canary = tmp_path / "canary"
    code = strange_code(canary)["plain"]
    change(lambda config: put(config, UPSCALER, code))
    saved = json.loads((folder / "overrides.json").read_text())
    node = f"{{_target_: os.mkdir, path: {canary}}}"
    (folder / "overrides.json").write_text(json.dumps([*saved, f"{UPSCALER}={node}"]))
    told = refused(verb, arguments(verb, folder, photos, tmp_path))
    assert "'os.mkdir'" in told
    assert "trust=true" in told
    assert not canary.exists()


def test_trusted_code_is_run(stranger, tmp_path):
    """Else the tests above would show nothing."""
    folder, change = stranger
    canary = tmp_path / "canary"
    change(lambda config: put(config, UPSCALER, strange_code(canary)["plain"]))
    with pytest.raises(UserError, match=r"`os\.mkdir` makes a NoneType"):
        restorer_of(folder, trust=True)
    assert canary.exists()


def test_what_was_typed_in_this_command_needs_no_trust(stranger, tiny, carry_out):
    folder, _ = stranger
    saved = json.loads((folder / "overrides.json").read_text())
    target = "wildsr.loss.pixel.nn.L1Loss"
    (folder / "overrides.json").write_text(json.dumps([*saved, f"+loss.mine._target_={target}"]))
    assert carry_out("train", [f"resume={folder}", "iterations=4"]) == 2
    typed = f"+loss.mine._target_={target}"
    assert carry_out("train", [f"resume={folder}", "iterations=4", typed]) == 0


@pytest.mark.parametrize(
    "override",
    ["name=${oc.env:HOME}", "hydra.searchpath=[file:///tmp]", "+x=${oc.create:'{a: 1}'}"],
)
def test_saved_overrides_reach_no_further(override, stranger, refused):
    folder, _ = stranger
    saved = json.loads((folder / "overrides.json").read_text())
    (folder / "overrides.json").write_text(json.dumps([*saved, override]))
    assert "trust=true" in refused("train", [f"resume={folder}", "iterations=4"])


def test_a_stranger_s_overrides_are_not_composed_early(stranger):
    """The check before torch is loaded takes a run's overrides only where they reach no further."""
    folder, _ = stranger
    typed = [f"resume={folder}", "iterations=4"]
    assert len(with_saved(typed)) > len(typed)
    (folder / "overrides.json").write_text(json.dumps(["name=${oc.env:HOME}"]))
    assert with_saved(typed) == typed
    assert with_saved([*typed, "trust=true"])[0] == "name=${oc.env:HOME}"


@pytest.mark.parametrize("says", ["trust=true", "degradation.trust=true", "++trust=true"])
def test_a_run_cannot_vouch_for_itself(says, stranger, tmp_path, refused):
    folder, change = stranger
    change(lambda config: config.update(trust=True))
    change(lambda config: put(config, "method.extra", {"_target_": "os.mkdir"}))
    saved = json.loads((folder / "overrides.json").read_text())
    saved += [says, "+method.networks.upscale.x={_target_: os.mkdir}"]
    (folder / "overrides.json").write_text(json.dumps(saved))
    assert "names code" in refused("train", [f"resume={folder}", "iterations=4"])
    with pytest.raises(UserError, match="names code"):
        restorer_of(folder)


def test_references_in_a_recorded_configuration_are_text(stranger, monkeypatch):
    folder, change = stranger
    monkeypatch.setenv("SECRET", "told")
    change(lambda config: put(config, "data.lr", "/photos/${oc.env:SECRET}"))
    assert data_of(folder).lr == "/photos/${oc.env:SECRET}"


def test_a_degradation_of_itself_ends(stranger):
    folder, change = stranger
    itself = {"_target_": "wildsr.run.degradation.Learned", "run": str(folder), "scale": 4}
    change(lambda config: put(config, "method.networks.degrade", itself))
    state = torch.load(checkpoints(folder / "checkpoints")[0], weights_only=True)
    assert "degrade" in state["networks"]
    with pytest.raises(UserError, match="its degradation is its own"):
        load_degrader(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (f"{UPSCALER}.features", 2**40),
        (f"{UPSCALER}.features", 8000),
        (f"{UPSCALER}.convolutions", 8000),
    ],
)
def test_sizes_far_beyond_the_weights_are_refused(key, value, stranger):
    folder, change = stranger
    change(lambda config: put(config, key, value))
    with pytest.raises(UserError, match="larger than"):
        restorer_of(folder)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
CONFIGS = {
    "empty": "",
    "a word": "word",
    "a list": "[1, 2]",
    "a number": "3",
    "binary": b"\x00\xff\xfe",
    "latin": "a: \xdf".encode("latin-1"),
    "torn": "method: {",
    "deep": "a: " + "[" * 5000,
    "deep too": "{a: " * 3000,
    "bomb": BOMB,
    "itself": "a: &a [*a]",
    "itself by key": "a: &a {<<: *a}",
    "large": "a: " + "x" * (300 << 10),
    "tag": "a: !!python/object/apply:os.mkdir [canary]",
    "tagged": "a: !!int x",
    "tags": "a: !!timestamp x",
    "date": "a: 2020-01-01",
    "integer": "a: " + "9" * 5000,
    "sixties": "a: " + ":".join(["1"] * 2000),
    "keys": "? [1, 2]\n: 3",
    "documents": "a: 1\n---\nb: 2",
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_damaged_configuration_is_one_sentence(kind, stranger, photos, tmp_path, refused):
    folder, _ = stranger
    content = CONFIGS[kind]
    data = content if isinstance(content, bytes) else content.encode()
    (folder / "config.yaml").write_bytes(data)
    with pytest.raises(UserError, match=r"config\.yaml"):
        restorer_of(folder)
    if kind in ("a word", "bomb", "tag"):  # and by way of a verb
        assert "config.yaml" in refused("upscale", arguments("upscale", folder, photos, tmp_path))


WRONG = [None, "???", -1, True, [], {}]
OF_A_RUN = [
    *("scale", "seed", "method", "method._target_", "method.networks", "data", "data.lr"),
    *(UPSCALER, f"{UPSCALER}._target_", f"{UPSCALER}.features", "weights", "network", "name"),
]


@pytest.mark.parametrize(("key", "value"), diagonal(OF_A_RUN, WRONG, 3))
def test_wrong_types_are_one_sentence(key, value, stranger, photos):
    folder, change = stranger
    change(lambda config: put(config, key, value))
    config = configure("app", [f"run={folder}"])
    for opening in (restorer_of, load_degrader, lambda folder: _loaders(config)):
        with contextlib.suppress(UserError):  # and nothing else
            opening(folder)


@pytest.mark.parametrize("key", ["scale", "seed", "method", "data", "network", "degradation"])
def test_missing_keys_are_one_sentence(key, stranger):
    folder, change = stranger
    change(lambda config: config.pop(key))
    for opening in (restorer_of, load_degrader):
        if key in ("network", "degradation"):  # which were for composing alone
            opening(folder)
            continue
        with pytest.raises(UserError, match=f"`{key}`"):
            opening(folder)


SAVED = ["null", "3", "{}", "[1]", "[null]", '"x"', "[", "", "[" * 10**5, '[["a"]]', "\udcff"]


@pytest.mark.heavy
@pytest.mark.parametrize("content", SAVED)
def test_one_damaged_run_does_not_keep_auto_from_others(
    content, stranger, tiny, tmp_path, refused, carry_out
):
    folder, _ = stranger
    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "overrides.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert "overrides.json" in refused("train", [f"resume={broken}", "iterations=4"])
    if content not in ("null", "[", SAVED[-1]):
        return  # those that are refused alike are passed over alike
    typed = [*tiny, "method=supervised", "metric.metrics=[psnr,ssim]", f"runs_dir={tmp_path}"]
    assert carry_out("train", [*typed, "iterations=4", "resume=auto"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "stranger"]


RESULTS = ["null", "[]", "{", "3", '{"rows": 3}', '{"rows": [3]}', '{"rows": [{}]}']
RESULTS += ['{"protocol": []}', '{"rows": [{"name": "a", "psnr": "x"}]}', '{"rows": {"a": 1}}']
RESULTS += ['{"protocol": {"trained_on": 3}}', '{"rows": [{"name": "a", "psnr": [1]}]}', ""]


@pytest.mark.parametrize("content", thinned(RESULTS, 3))
def test_damaged_results_are_one_sentence(content, stranger, photos, tmp_path, refused):
    folder, _ = stranger
    (folder / "results.json").write_text(content)
    told = refused("export", arguments("export", folder, photos, tmp_path))
    assert "results.json is damaged" in told


def _without(key):
    return lambda state: state.pop(key)


def _with(key, value):
    return lambda state: state.update({key: value})


STATES = {
    **{f"no {key}": _without(key) for key in ("networks", "ema", "optimizers", "pools")},
    **{f"no {key}": _without(key) for key in ("iteration", "seconds", "stages", "settling")},
    "iteration word": _with("iteration", "x"),
    "iteration minus": _with("iteration", -3),
    "seconds": _with("seconds", float("nan")),
    "networks": _with("networks", [1]),
    "network": _with("networks", {"upscale": {"x": 3}}),
    "ema": _with("ema", {"upscale": None}),
    "no average": _with("ema", {}),
    "other average": _with("ema", {"other": {}}),
    "optimizer": _with("optimizers", {"upscale": {}}),
    "optimizers": _with("optimizers", {"upscale": {"state": {0: 3}, "param_groups": 3}}),
    "pools": _with("pools", 3),
    "other pools": _with("pools", [[[], [], [], [], []]]),
    "stages": _with("stages", {"starts": {"a": 1}, "began": 0.0}),
    "stage": _with("stages", {"starts": {}, "began": "x"}),
    "planned": _with("stages", {"starts": {}, "began": 0.0, "iterations": "many"}),
    "settling": _with("settling", {"readings": [["x"]]}),
    "moments": lambda state: state["optimizers"]["upscale"]["state"][0].update(
        exp_avg=torch.zeros(7)
    ),
    "nan": lambda state: state["ema"]["upscale"]["body.0.weight"].fill_(torch.nan),
}


@pytest.mark.parametrize("kind", thinned(STATES, 3))
def test_a_damaged_checkpoint_is_one_sentence(kind, stranger):
    folder, _ = stranger
    (path,) = checkpoints(folder / "checkpoints")
    state = torch.load(path, weights_only=True)
    STATES[kind](state)
    torch.save(state, path)
    told = []
    for opening in (restorer_of, _go_on):
        try:
            opening(folder)
        except UserError as error:
            told.append(str(error))
    assert told, "by one of them at least"
    assert not any("\n" in one for one in told)


def _go_on(folder):
    config, _ = resumed_config(folder, ["iterations=4"], trust=False)
    prepare(config, folder)


def test_a_damaged_checkpoint_ends_a_verb(stranger, photos, tmp_path, refused):
    folder, _ = stranger
    (path,) = checkpoints(folder / "checkpoints")
    state = torch.load(path, weights_only=True)
    torch.save(state | {"optimizers": {"upscale": {}}}, path)
    told = refused("train", arguments("train", folder, photos, tmp_path))
    assert "optimiser state of `upscale`" in told


@pytest.mark.parametrize("verb", VERBS)
def test_a_whole_copy_is_opened(verb, stranger, photos, tmp_path, carry_out):
    """Else the refusals above would show nothing."""
    folder, _ = stranger
    if verb == "app":
        assert list(_loaders(configure("app", [f"run={folder}"]))) == ["stranger"]
        return
    assert carry_out(verb, arguments(verb, folder, photos, tmp_path)) == 0
