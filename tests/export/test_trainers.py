"""A camera as the settings of other trainers: read back by their own readers, near in pictures."""

import math
import tomllib
from dataclasses import replace

import pytest
import torch
import yaml

from wildsr.degradation.coding import JPEGCoding
from wildsr.export.trainers import distance, handover, lost_of, pipeline_of, settings_of, written
from wildsr.network.degrader.measured import MeasuredCamera
from wildsr.network.degrader.physics import PARAMETERS, PRIOR

SCALE = 4


def camera(quality=70, **values):
    made, one = MeasuredCamera(SCALE), PRIOR.clone()
    for name, value in values.items():
        one[PARAMETERS.index(name)] = value
    made.set(one[None], [None if quality is None else JPEGCoding.libjpeg(quality)])
    return made


@pytest.fixture(scope="module")
def sharp():
    generator = torch.Generator().manual_seed(0)
    coarse = [torch.rand(1, 3, 24, 24, generator=generator) for _ in range(4)]
    grow = torch.nn.functional.interpolate
    return [grow(c, (160, 160), mode="bicubic").clamp(0, 1) for c in coarse]


def test_the_numbers_are_those_of_the_camera():
    made = settings_of(camera(width=math.log(0.5), noise=math.log(6.0), shot=-4.0))
    assert made["blur_sigma"] == pytest.approx([2.0, 2.0], rel=0.01)  # HR pixels
    assert made["noise_range"] == pytest.approx([6.0, 6.0], rel=0.01)
    assert made["gaussian_noise_prob"] > 0.95
    assert made["jpeg_range2"] == [70, 70]
    assert made["resize_range"] == [0.25, 0.25]
    assert made["kernel_prob"] == [1, 0, 0, 0]
    assert settings_of(camera(stretch_x=0.5))["kernel_prob"] == [0, 1, 0, 0]
    assert settings_of(camera(None))["jpeg_range2"] == [99, 100]
    assert settings_of(camera(shape=1.0, quality=None))["kernel_prob"] == [0, 0, 1, 0]


@pytest.mark.heavy
def test_their_pictures_are_near_and_nearer_than_those_of_another_camera(sharp):
    made = camera(width=math.log(0.6), noise=math.log(8.0))
    handed = handover(made, sharp)
    assert distance(handed.apart) < 4
    other = handover(camera(width=math.log(0.2), noise=math.log(1.0)), sharp)
    torch.manual_seed(0)
    shown, foreign = (
        torch.cat([pipeline_of(one.settings, SCALE)(hr) for hr in sharp]) for one in (handed, other)
    )
    own = torch.cat([made(hr, made.draws(hr)) for hr in sharp])
    flat = [
        float((x - x.mean((2, 3), keepdim=True)).diff(dim=-1).std()) for x in (own, shown, foreign)
    ]
    assert abs(flat[1] - flat[0]) < abs(flat[2] - flat[0])


def test_every_trainer_reads_its_file(sharp):
    handed = handover(camera(correlation=0.8, sharpen=0.5), sharp[:1])
    read = yaml.safe_load(written(handed, "realesrgan", SCALE))
    assert read["jpeg_range2"] == [70, 70]
    assert read["datasets"]["train"]["kernel_list"][0] == "iso"
    assert yaml.safe_load(written(handed, "trainner", SCALE)) == read
    toml = tomllib.loads(written(handed, "neosr", SCALE))
    assert toml["degradations"]["blur_sigma"] == read["datasets"]["train"]["blur_sigma"]
    assert any("grain" in sentence for sentence in handed.lost)
    assert any("sharpened" in sentence for sentence in handed.lost)


def test_colour_at_its_full_size_is_said_to_be_lost():
    assert not any("4:2:0" in sentence for sentence in lost_of(camera()))
    full = camera()
    full.set(PRIOR[None], [replace(JPEGCoding.libjpeg(70), subsampling="4:4:4")])
    for made in (full, camera(quality=None)):
        assert any("4:2:0" in sentence and "100% are not" in sentence for sentence in lost_of(made))


def test_it_is_the_same_every_time(sharp):
    first, second = (handover(camera(), sharp[:2], seed=1) for _ in range(2))
    assert first == second
