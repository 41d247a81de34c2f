"""Configurations that are kept for the next who asks: nobody sees what another made of his."""

import yaml
from omegaconf import OmegaConf

from wildsr.config import compose, recorded
from wildsr.config.compose import configure
from wildsr.config.recorded import recorded_config


def test_a_command_is_composed_once_and_each_has_his_own():
    compose._composed.cache_clear()
    first, again = (configure("train", ["seed=3"]) for _ in range(2))
    assert compose._composed.cache_info().misses == 1
    assert first == again
    OmegaConf.set_struct(first, False)
    first.seed, first.more = 4, 5
    first.method.updates.upscale.trains.append("x")
    assert configure("train", ["seed=3"]) == again
    assert OmegaConf.is_struct(again)


def test_the_environment_is_asked_each_time(monkeypatch):
    for password in ("one of many", "another"):
        monkeypatch.setenv("WILDSR_PASSWORD", password)
        assert configure("app", ["run=a"]).password == password


def test_a_file_is_parsed_once_until_it_changes(finished, tmp_path):
    path = tmp_path / "config.yaml"
    plain = yaml.safe_load((finished / "config.yaml").read_text())
    recorded._recorded.cache_clear()
    for seed in (5, 6):
        path.write_text(yaml.safe_dump({**plain, "seed": seed}))
        first, again = (recorded_config(path, False) for _ in range(2))
        assert first == again
        first.seed = 7
        assert recorded_config(path, False).seed == seed
    assert recorded._recorded.cache_info().misses == 2
