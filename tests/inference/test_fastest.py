"""engine=auto: the fastest engine that passes, chosen once for a machine and a network."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from wildsr.error import UserError
from wildsr.inference import prepare as preparing
from wildsr.inference import remembered
from wildsr.inference.fastest import LEAST, MARGIN, ROUNDS, fastest, noise_patch
from wildsr.inference.prepare import prepare
from wildsr.inference.sample import MOST, first_photos
from wildsr.inference.upscaler import Upscaler
from wildsr.network.upscaler.compact import Compact

CPU = torch.device("cpu")
PATCH = torch.zeros(1, 3, 4, 4)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(remembered, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(preparing, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Compact(2, features=4, convolutions=1).eval()


class Clock:
    """Goes on by what each engine takes; some rounds are spoiled by another program."""

    def __init__(self, **seconds):
        self.now, self.seconds, self.calls, self.spoiled = 0.0, seconds, [], {}

    def __call__(self):
        return self.now

    def made(self, name):
        def engine(lr):
            self.calls.append(name)
            count = self.calls.count(name)
            self.now += self.seconds[name] + self.spoiled.get((name, count), 0)
            return lr

        return lambda: engine


def chosen(clock, **others):
    choices = {name: clock.made(name) for name in clock.seconds} | others
    return fastest(choices, PATCH, clock)


def test_the_fastest_is_chosen_although_other_programs_disturb_it():
    clock = Clock(torch=0.3, openvino=0.2, onnxruntime=0.25)
    clock.spoiled = {("openvino", 1): 2, ("openvino", 2): 2, ("openvino", 5): 2}
    assert chosen(clock) == "openvino"
    assert {clock.calls.count(name) for name in clock.seconds} == {ROUNDS + 1}
    rounds = [tuple(clock.calls[3 * n : 3 * n + 3]) for n in range(ROUNDS + 1)]
    assert all(len(set(turn)) == 3 for turn in rounds)  # they take turns,
    assert {turn[0] for turn in rounds} == set(clock.seconds)  # and each is the first in its turn


def test_a_slow_network_is_timed_in_fewer_rounds():
    clock = Clock(torch=30.0, openvino=20.0)
    assert chosen(clock) == "openvino"
    assert {clock.calls.count(name) for name in clock.seconds} == {LEAST + 1}


@pytest.mark.parametrize(("share", "name"), [(MARGIN - 0.01, "openvino"), (MARGIN + 0.01, "torch")])
def test_a_small_difference_is_not_worth_another_engine(share, name):
    assert chosen(Clock(torch=1.0, openvino=share)) == name


def test_engines_that_cannot_be_made_are_left_out():
    def missing():
        raise UserError("not installed")

    assert chosen(Clock(torch=1.0), openvino=missing, onnxruntime=missing) == "torch"
    with pytest.raises(UserError, match="not installed"):
        fastest({"torch": missing, "openvino": Clock(openvino=1.0).made("openvino")}, PATCH)


def test_the_choice_is_kept_for_the_network_and_the_precision(network, cache, monkeypatch):
    asked = []

    def timed(choices, lr):
        asked.append((list(choices), tuple(lr.shape)))
        return "onnxruntime"

    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(preparing, "fastest", timed)
    for _ in range(2):
        made = prepare(network, 2, "it", CPU, engine="auto", precision="fp32")
        assert made.carrier == "onnxruntime"
    assert asked == [(["torch", "openvino", "onnxruntime"], tuple(noise_patch().shape))]
    prepare(network, 2, "it", CPU, engine="auto")
    prepare(network, 2, "it", CPU, engine="auto", precision="auto")
    assert len(asked) == 2
    with torch.no_grad():
        network.body[0].weight += 1
    prepare(network, 2, "it", CPU, engine="auto")
    assert len(asked) == 3
    (path, *_) = (cache / "engine").glob("*.json")
    facts = json.loads(path.read_text())["for"]
    assert torch.__version__.startswith(facts["torch"])
    assert facts["threads"] == torch.get_num_threads()
    for kept in (cache / "engine").glob("*.json"):
        kept.write_text("{")  # damaged: it is chosen anew
    prepare(network, 2, "it", CPU, engine="auto")
    prepare(network, 2, "it", CPU, engine="auto")
    assert len(asked) == 4


def test_where_nothing_can_be_kept_torch_is_taken(network, cache, monkeypatch, caplog):
    cache.write_text("a file in the way")
    monkeypatch.setattr(preparing, "fastest", lambda choices, lr: pytest.fail("timed"))
    assert prepare(network, 2, "it", CPU, engine="auto").carrier == "torch"
    assert "engine=auto takes torch" in caplog.text


def test_it_is_timed_on_the_first_photo_in_what_that_bears(network, tmp_path, monkeypatch):
    Image.fromarray(np.full((190, 180, 3), 200, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "0.png").write_bytes(b"damaged")
    seen, looked = [], []

    def timed(choices, lr):
        seen.append(lr)
        made = choices["torch"]()
        assert made(lr).shape[2] == 2 * lr.shape[2]
        return "torch"

    monkeypatch.setattr(preparing, "fastest", timed)
    own = Upscaler.suited
    monkeypatch.setattr(
        Upscaler, "suited", lambda self, *given: looked.append(1) or own(self, *given)
    )
    photos = first_photos(tmp_path)
    assert prepare(network, 2, "it", CPU, engine="auto", photos=photos).carrier == "torch"
    torch.testing.assert_close(seen[0], torch.full((1, 3, 160, 160), 200 / 255))
    assert looked == [1]


@pytest.mark.parametrize("missing", [(), ("openvino", "onnxruntime")])
def test_auto_computes_what_torch_does(network, monkeypatch, missing):
    for package in missing:
        monkeypatch.setitem(sys.modules, package, None)
    made = prepare(network, 2, "it", CPU, engine="auto", precision="fp32")
    assert made.carrier == "torch" or not missing
    lr = torch.rand(1, 3, 21, 34)
    with torch.inference_mode():
        torch.testing.assert_close(made(lr), network(lr), rtol=0, atol=1e-4)


def test_another_network_has_another_digest():
    first, second = nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3, padding=1)
    second.load_state_dict(first.state_dict())
    assert remembered.network_digest(first) != remembered.network_digest(second)
    second.padding = (0, 0)
    assert remembered.network_digest(first) == remembered.network_digest(second)


def test_the_first_photos_of_an_input(tmp_path, noise):
    root = tmp_path / "in"
    for name in [f"{n:02}.png" for n in range(MOST + 4)] + ["up/0.png", "a.txt", "c.mp4", "b.zip"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    assert first_photos(root) == [root / f"{n:02}.png" for n in range(MOST)]
    assert first_photos(root / "03.png") == [root / "03.png"]
    for n in range(8, MOST + 4):
        (root / f"{n:02}.png").unlink()
    assert root / "up" / "0.png" in first_photos(root)
    assert root / "up" / "0.png" not in first_photos(root, root / "up")
    for none in (root / "c.mp4", root / "b.zip", "s3://bucket/photos", root / "none"):
        assert first_photos(none) == []
