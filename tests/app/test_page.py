"""The verb ``app``: what it refuses, what there is to choose from. The page: test_page.py."""

import re
import socket
import sys

import pytest

from wildsr.cli import app
from wildsr.config.compose import configure
from wildsr.inference.weights import save_weights
from wildsr.network.upscaler.compact import Compact


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], r"`run` or `weights` must be given"),
        (["run=nowhere"], r"nowhere does not exist"),
        (["weights=nowhere"], r"`weights` must be a file or a folder, but nowhere does not exist"),
        (["run=a", "port=0"], r"`port` must be an integer from 1 to 65535, but got 0"),
        (["run=a", "limit=-1"], r"`limit` must be a positive number, but got -1"),
        (["run=a", "upload=big"], r"`upload` must be a positive number, but got 'big'"),
        (["run=a", "host=256.1.1.1"], r"must be a free address .* 256\.1\.1\.1:7860"),
        (["hots=1"], r"There is no key `hots`\. Did you mean 'host'\?"),
    ],
)
def test_what_is_typed_wrong_is_one_sentence(refused, typed, message):
    error = refused("app", typed)
    assert re.search(message, error), error


def test_a_port_that_is_taken_and_a_folder_without_weights(refused, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = refused("app", ["run=a", f"port={port}"])
        assert f"127.0.0.1:{port} cannot be used" in error
    assert "holds none of .safetensors" in refused("app", [f"weights={tmp_path}"])


def test_without_gradio_it_says_how_to_get_it(refused, finished, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "pip install 'wildsr[app]'" in refused("app", [f"run={finished}"])


def test_the_default_is_this_computer_alone():
    assert configure("app", []).host == "127.0.0.1"


def test_what_there_is_to_choose_from(finished, photos, tmp_path):
    node = {"_target_": "wildsr.network.upscaler.compact.Compact", "scale": 2, "features": 4}
    node |= {"convolutions": 1}
    save_weights(Compact(2, 4, 1), tmp_path / "2x_b.safetensors", node, 2)
    (tmp_path / "notes.txt").touch()
    config = configure("app", [f"run={finished}", f"weights={tmp_path}", "device=cpu"])
    loaders = app._loaders(config)
    assert list(loaders) == ["it", "2x_b.safetensors"]
    assert [load().scale for load in loaders.values()] == [4, 2]
    assert app._samples(config) == sorted(photos.val_lr.glob("*.png"))
    assert app._samples(configure("app", [f"samples={photos.hr}"])) == sorted(photos.hr.iterdir())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "0", "''"])
def test_others_are_let_in_on_purpose_only(refused, host):
    error = refused("app", ["run=a", f"host={host}"])
    assert "public=true" in error or "`host` must be" in error, error
    # With either it goes on, to the run that does not exist.
    if host != "''":
        assert "a does not exist" in refused("app", ["run=a", f"host={host}", "public=true"])
        assert "a does not exist" in refused("app", ["run=a", f"host={host}", "password=12345678"])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("password=short", r"`password` must have at least 8 characters"),
        ("password=''", r"`password` must have at least 8 characters"),
        ("public=maybe", r"`public` must be true or false, but got 'maybe'"),
        ("visitors=0", r"`visitors` must be an integer of at least 1, but got 0"),
        ("queue=1.5", r"`queue` must be an integer of at least 1, but got 1\.5"),
        ("storage=none", r"`storage` must be a positive number, but got 'none'"),
        ("allowed_hosts=[a b]", r"`allowed_hosts` must be a list of names such as"),
        ("allowed_hosts=http://a", r"`allowed_hosts` must be a list, but got 'http://a'"),
    ],
)
def test_limits_that_are_none(refused, finished, typed, message):
    error = refused("app", [f"run={finished}", typed])
    assert re.search(message, error), error


def test_the_password_may_stand_in_the_environment(refused, monkeypatch):
    monkeypatch.setenv("WILDSR_PASSWORD", "12345678")
    assert configure("app", []).password == "12345678"
    assert "a does not exist" in refused("app", ["run=a", "host=0.0.0.0"])


def test_a_password_is_taken_as_it_is_typed():
    assert configure("app", ["password=[a, b]: $x #"]).password == "[a, b]: $x #"
    assert configure("app", ["password=12345678"]).password == "12345678"
