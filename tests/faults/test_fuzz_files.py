"""Weights, configurations and runs of anybody: no trace, no code run, little time and memory.

A short part runs with the suite; ``WILDSR_FUZZ=N`` tries N of each kind.
"""

import copy
import json
import os
import resource
import shutil
import time

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from wildsr.error import UserError
from wildsr.inference.weights import open_weights
from wildsr.network.upscaler.compact import Compact
from wildsr.run.checkpoint import checkpoints
from wildsr.run.folder import config_of, to_resume
from wildsr.run.load import load_degrader, restorer_of
from wildsr.run.photos import data_of

pytestmark = pytest.mark.heavy

COUNT = int(os.environ.get("WILDSR_FUZZ", "40"))
SECONDS = 20  # of the processor, for one
BYTES = 1 << 30  # that memory may grow, over all
often = settings(
    max_examples=COUNT,
    deadline=None,
    derandomize="WILDSR_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
    database=None,
)

# Names that mean something to what reads the files, and values at the ends of every type.
NAMES = ["_target_", "_args_", "_partial_", "_convert_", "scale", "features", "convolutions"]
NAMES += ["network", "networks", "method", "data", "seed", "weights", "run", "name", "lr", "trust"]
TARGETS = ["os.mkdir", "os.system", "builtins.exec", "torch.save", "torch.load", "shutil.rmtree"]
TARGETS += ["wildsr.network.upscaler.published.torch.hub.load", "wildsr.run.folder.shutil.rmtree"]
TARGETS += ["wildsr.network.upscaler.compact.Compact", "torch.optim.Adam", "lightning.Trainer"]
TARGETS += ["wildsr.run.degradation.Learned", "wildsr.data.demo.Demo", "", ".", "wildsr", "os"]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2, 8, 4096, 2**31, 2**63, 10**30, 1e308, 1e-3, float("inf")]),
    st.sampled_from([*TARGETS, "${oc.env:HOME}", "${scale}", "???", "/", "..", "\x00", "\udcff"]),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=4),
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    """Nodes of strange code make this folder; at the end of each test it must not be there."""
    return tmp_path_factory.mktemp("canary") / "sung"


@pytest.fixture(autouse=True)
def bounded(canary):
    """No example may make the canary or take the machine's memory."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert not canary.exists()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < BYTES


def opened(function, *arguments):
    """Call it: it returns, or refuses in one line; the line, if it refuses."""
    begun, told = time.process_time(), None
    try:
        function(*arguments)
    except UserError as error:
        told = str(error)
        assert "\n" not in told
        assert len(told) < 2000
    assert time.process_time() - begun < SECONDS
    return told


def paths_of(value, path=()):
    """Where something stands in plain containers."""
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths_of(item, (*path, key))


def changed(draw, plain, canary):
    """Plain containers with some values replaced, removed or added."""
    made = copy.deepcopy(plain)
    code = {"_target_": draw(st.sampled_from(TARGETS)), "path": str(canary), "_args_": []}
    for _ in range(draw(st.integers(1, 3))):
        where = [path for path in paths_of(made) if path]
        if not where:
            break
        *outer, last = draw(st.sampled_from(where))
        holder = made
        for key in outer:
            holder = holder[key]
        kind = draw(st.sampled_from(["replace", "remove", "code", "wrap", "add"]))
        if kind == "remove":
            del holder[last]
        elif kind == "code":
            holder[last] = {"_target_": "os.mkdir", "path": str(canary)} | draw(
                st.sampled_from([{}, code])
            )
        elif kind == "wrap":
            holder[last] = [holder[last]]
        elif kind == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(NAMES))] = draw(values)
        else:
            holder[last] = draw(values)
    return made


NODE = {"_target_": "wildsr.network.upscaler.compact.Compact", "scale": 2}
NODE = {**NODE, "features": 4, "convolutions": 1, "activation": "prelu"}
ABOUT = {"network": NODE, "scale": 2}


def _tiny():
    torch.manual_seed(0)
    return Compact(2, 4, 1).state_dict()


@often
@given(data=st.data(), suffix=st.sampled_from([".safetensors", ".pth"]))
def test_descriptions_of_weights(data, suffix, canary, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"described{suffix}"
    about = data.draw(
        st.one_of(
            st.just(None).map(lambda _: json.dumps(changed(data.draw, ABOUT, canary))),
            values.map(json.dumps),
            st.text(max_size=30).filter(lambda text: text.isprintable()),
        )
    )
    if suffix == ".pth":
        torch.save({"params": _tiny(), "wildsr": about}, path)
    else:
        save_file(_tiny(), str(path), metadata={"wildsr": about})
    opened(open_weights, path)


@often
@given(data=st.data(), suffix=st.sampled_from([".safetensors", ".pth", ".pt", ".ckpt"]))
def test_bytes_of_weights(data, suffix, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / f"bytes{suffix}"
    if suffix == ".safetensors":
        save_file(_tiny(), str(path), metadata={"wildsr": json.dumps(ABOUT)})
    else:
        torch.save({"params": _tiny(), "wildsr": json.dumps(ABOUT)}, path)
    path.write_bytes(_damaged(data.draw, path.read_bytes()))
    opened(open_weights, path)


def _damaged(draw, content):
    """Bytes cut, flipped, doubled or replaced."""
    at = draw(st.integers(0, len(content) - 1))
    return draw(
        st.one_of(
            st.just(content[:at]),
            st.just(content[:at] + bytes([content[at] ^ (1 << (at % 8))]) + content[at + 1 :]),
            st.just(content[:at] + content[max(at - 50, 0) :]),
            st.binary(max_size=50).map(
                lambda more: content[:at] + more + content[at + len(more) :]
            ),
            st.binary(max_size=100),
        )
    )


@often
@given(
    held=st.recursive(
        st.one_of(
            scalars,
            st.just(torch.zeros(2)),
            st.just(torch.zeros(1).expand(10**6, 10**6)),
            st.just(torch.tensor(float("nan"))),
            st.just(torch.zeros(4, 3, 3, 3)),
            st.just(torch.zeros(2, dtype=torch.int8)),
            st.just(torch.zeros(2, 2).to_sparse()),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        *("params", "params_ema", "state_dict", "module.x", "_orig_mod.x"),
                        *("g_ema", "body.0.weight", "model.0.weight", "generator.x", "wildsr"),
                        "layers.9999999",
                    ]
                )
                | st.integers(0, 3),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=8,
    )
)
def test_what_pickles_hold(held, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "held.pth"
    torch.save(held, path)
    opened(open_weights, path)


@pytest.fixture(scope="module")
def run(finished, tmp_path_factory):
    """A run folder whose files are written anew for every example, and beside it a whole one."""
    folder = tmp_path_factory.mktemp("fuzzed")
    shutil.copytree(finished, folder / "whole" / "it")
    return shutil.copytree(finished, folder / "it")


def _restored(run, name):
    """The file of a finished run as it was, its bytes, which it holds again from now on."""
    content = (run.parent / "whole" / "it" / name).read_bytes()
    (run / name).write_bytes(content)
    return content


def _every_way(run):
    for function in (config_of, restorer_of, load_degrader, data_of):
        opened(function, run)


@often
@given(data=st.data())
def test_configurations_of_runs(data, run, canary):
    plain = yaml.safe_load(_restored(run, "config.yaml"))
    text = yaml.dump(changed(data.draw, plain, canary), allow_unicode=True)
    (run / "config.yaml").write_bytes(text.encode("utf-8", "surrogateescape"))
    _every_way(run)
    (run / "config.yaml").write_bytes(_restored(run, "config.yaml"))


@often
@given(data=st.data())
def test_bytes_of_configurations(data, run):
    content = _restored(run, "config.yaml")
    yamls = ["&a [*a]", "!!python/name:os.mkdir ''", "{<<: &b {<<: *b}}", "[" * 200, "- " * 200]
    other = st.one_of(st.sampled_from([text.encode() for text in yamls]), st.binary(max_size=60))
    made = data.draw(st.one_of(st.just(None).map(lambda _: _damaged(data.draw, content)), other))
    (run / "config.yaml").write_bytes(made)
    _every_way(run)
    (run / "config.yaml").write_bytes(content)


@often
@given(data=st.data())
def test_saved_overrides(data, run):
    content = _restored(run, "overrides.json")
    saved = json.loads(content)
    made = data.draw(st.one_of(values, st.just([*saved, data.draw(values)])))
    (run / "overrides.json").write_text(json.dumps(made))
    opened(to_resume, "auto", run.parent, None, saved)
    opened(to_resume, str(run), run.parent, None, saved)
    (run / "overrides.json").write_bytes(content)


@often
@given(data=st.data())
def test_checkpoints(data, run):
    (path,) = checkpoints(run / "checkpoints")
    content = _restored(run, path.relative_to(run))
    if data.draw(st.booleans()):
        path.write_bytes(_damaged(data.draw, content))
    else:
        state = torch.load(path, weights_only=True)
        key = data.draw(st.sampled_from(sorted(state)))
        inner = state[key] if isinstance(state[key], dict) and data.draw(st.booleans()) else None
        more = values | st.just(torch.zeros(3))
        if inner:
            inner[data.draw(st.sampled_from(sorted(inner)))] = data.draw(more)
        else:
            state[key] = data.draw(more)
        torch.save(state, path)
    for function in (restorer_of, load_degrader):
        opened(function, run)
    path.write_bytes(content)


def test_the_canary_sings(canary, run):
    """Else the tests above would show nothing: trusted code is run."""
    plain = yaml.safe_load(_restored(run, "config.yaml"))
    plain["method"]["networks"]["upscale"] = {"_target_": "os.mkdir", "path": str(canary)}
    (run / "config.yaml").write_text(yaml.dump(plain))
    with pytest.raises(UserError):
        restorer_of(run, trust=True)
    (run / "config.yaml").write_bytes(_restored(run, "config.yaml"))
    assert canary.exists()
    canary.rmdir()
