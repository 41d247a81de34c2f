"""What is said of the published weights that a training's losses look through."""

import json

import pytest

from wildsr.config.compose import configure
from wildsr.network.trunk import shift_tolerant
from wildsr.network.trunk.encoder import STAND_IN, load_encoder
from wildsr.network.trunk.files import missing_trunk
from wildsr.training.build import build_training
from wildsr.training.pretrained import pretrained, stand_ins

pytestmark = pytest.mark.skipif(
    missing_trunk(STAND_IN) is not None, reason="needs pip install stlpips-pytorch"
)
CONTENT = "{loss: content, prediction: sr, target: hr, layers: {conv3_4: 1}, weight: 1}"
SEEN = "{loss: st_lpips, prediction: sr, target: hr, layers: {relu1_2: 0.5}, weight: 1}"


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    load_encoder.cache_clear()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("WILDSR_DOWNLOAD", raising=False)
    yield
    load_encoder.cache_clear()


def test_a_run_says_what_stands_in_once_and_in_its_results(
    tiny, tmp_path, carry_out, capsys, no_weights
):
    terms = [
        f"+method.updates.upscale.terms.{n}={t}"
        for n, t in (("content", CONTENT), ("more", CONTENT), ("seen", SEEN))
    ]
    overrides = [*tiny, "method=supervised", "iterations=1", f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", [*overrides, *terms]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("instead of vgg19") == 1
    assert "upscale/content, upscale/more look through ST-LPIPS' VGG16" in printed
    losses = json.loads((tmp_path / "it" / "results.json").read_text())["protocol"]["losses"]
    assert losses["upscale/content"]["instead of"] == "vgg19"
    assert losses["upscale/content"]["layers"] == {"conv3_3": 1}
    assert losses["upscale/seen"]["instead of"] is None
    digest = f"sha256 {shift_tolerant.TRUNKS[STAND_IN].sha256[:16]}"
    for stated in losses.values():
        assert stated["trunk"] == STAND_IN
        assert stated["weights"] == {"vgg_shift_tolerant.pth": digest}


def test_a_critic_that_looks_through_one_is_named(small):
    typed = ["method=adversarial_camera", "network/critic=frozen"]
    training = build_training(configure("train", [*small, *typed]))
    assert pretrained(training.objective) == {}
    stated = pretrained(training.objective, dict(training.networks.items()))
    assert stated["critic"]["trunk"] == STAND_IN
    assert stated["critic"]["layers"] == {"relu1_2": 1, "relu2_2": 1, "relu3_3": 1}
    assert list(stated["critic"]["weights"]) == ["vgg_shift_tolerant.pth"]


def test_nothing_is_said_where_nothing_is_looked_through(small):
    training = build_training(configure("train", [*small, "method=supervised"]))
    assert pretrained(training.objective) == {}
    assert stand_ins(training.objective) == []
