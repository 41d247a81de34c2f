import json

import pytest
import torch
from torch import nn

from wildsr.network.degrader.physics import PRIOR
from wildsr.network.degrader.residual_camera import ResidualCamera, Verdict
from wildsr.report.card.of_run import Photos
from wildsr.training import residual_test


class Grain(nn.Module):
    """A network that adds a fine pattern of noise to all channels."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def forward(self, given):
        return self.size * given[:, -1:].expand(-1, 3, -1, -1)


@pytest.fixture
def seen(monkeypatch):
    """Real photos that a camera with grain has taken, and sharp ones of the same kind."""
    torch.manual_seed(0)
    camera = ResidualCamera(2)
    camera.set(PRIOR[None], [None])

    def sharp(count):
        small = torch.rand(count, 3, 12, 12)
        large = nn.functional.interpolate(small, 96, mode="bicubic").clamp(0, 1)
        return [(255 * one).round().byte() for one in large]

    def taken(grain, hr):
        camera.residual = grain
        batch = torch.stack(hr) / 255
        lr = camera(batch, camera.draws(batch)).clamp(0, 1)
        return [(255 * one).round().byte() for one in lr]

    photos = Photos(taken(Grain(0.2), sharp(24)), sharp(24), (24, 24))
    monkeypatch.setattr(residual_test, "photos_of", lambda data, seed, most: photos)
    return camera


@pytest.mark.parametrize(("size", "kept"), [(0.2, True), (0.15, True), (0.0, False)])
def test_a_network_is_kept_where_it_makes_what_the_photos_show(seen, size, kept):
    seen.residual = Grain(size)
    found = residual_test.judged(seen, None, 1)
    assert found.kept == kept
    assert found.energy == pytest.approx(255 * 0.25 * size, rel=0.1)


def test_a_network_that_makes_what_no_photo_shows_is_switched_off(seen):
    """Of both photos and images without grain, that is."""
    seen.residual = Grain(0.0)
    photos = residual_test.photos_of(None, 1, 1)
    photos.lr[:] = [
        (255 * seen(hr[None] / 255, seen.draws(hr[None] / 255))[0].clamp(0, 1)).round().byte()
        for hr in photos.hr[::-1]
    ]
    seen.residual = Grain(0.1)
    assert not residual_test.judged(seen, None, 1).kept


@pytest.mark.parametrize("apart", [-0.1, 0.0])
def test_where_nothing_is_apart_nothing_is_gained(seen, monkeypatch, apart):
    monkeypatch.setattr(residual_test, "separation", lambda real, fake, seed: apart)
    assert not residual_test.judged(seen, None, 1).kept


def test_it_is_deterministic_and_leaves_the_random_state(seen):
    before = torch.get_rng_state()
    assert residual_test.judged(seen, None, 1) == residual_test.judged(seen, None, 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_photos_to_test_with_it_is_switched_off(monkeypatch):
    monkeypatch.setattr(residual_test, "photos_of", lambda data, seed, most: Photos([], [], (0, 0)))
    found = residual_test.judged(ResidualCamera(2), None, 1)
    assert not found.kept
    assert found.separation_without is None


def test_a_repeated_test_is_noted_once(tmp_path):
    path = tmp_path / "camera.json"
    for text in ("[]", '{"sentence": 3}', "{"):
        path.write_text(text)
        residual_test._note(tmp_path, Verdict(True, 1.0, 2.0, 1.0))
        assert path.read_text() == text  # changed by hand: left alone
    path.write_text('{"sentence": "a camera"}')
    for kept in (True, False):
        residual_test._note(tmp_path, Verdict(kept, 1.0, 2.0, 1.0))
    document = json.loads(path.read_text())
    assert document["sentence"].startswith("a camera; residual network: switched off, 1.0/255 (")
    assert document["sentence"].count("residual network") == 1
    apart = {"separation_without": 2.0, "separation_with": 1.0}
    assert document["residual"] == {"kept": False, "energy": 1.0, **apart}


@pytest.mark.heavy
def test_a_training_tests_its_network_and_goes_on_from_there(tiny, tmp_path, carry_out, capsys):
    own = ["method=wild_residual", "network.degrader.features=4", "network.degrader.blocks=1"]
    own += ["method.stages={residual: 2, learn: 2}", "finish=none", "data.patch=16"]
    typed = [*tiny, *own, f"runs_dir={tmp_path}", "name=it"]
    assert carry_out("train", [*typed, "iterations=4"]) == 0
    said = capsys.readouterr().out
    assert "residual network: " in said
    document = json.loads((tmp_path / "it" / "camera.json").read_text())
    assert set(document["residual"]) == {"kept", "energy", "separation_without", "separation_with"}
    assert "; residual network: " in document["sentence"]
    results = json.loads((tmp_path / "it" / "results.json").read_text())
    assert "residual network" in json.dumps(results)
    assert carry_out("train", [f"resume={tmp_path / 'it'}", "iterations=6"]) == 0
    assert "residual network: " not in capsys.readouterr().out
