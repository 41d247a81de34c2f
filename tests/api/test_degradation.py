"""Known and learned degradations on arrays and tensors."""

import numpy as np
import pytest
import torch

import wildsr
from wildsr.degradation.bicubic import downscale
from wildsr.run import load

FIELDS = ("halftone", "dither", "dxt1", "vhs", "stripes", "sar", "ultrasound")
NAMES = ("bicubic", "classical", "mild", "bsrgan", "realesrgan", "demo_camera", *FIELDS)


@pytest.fixture
def sharp():
    return np.random.default_rng(0).random((67, 50, 3)).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [2, 4])
def test_every_name_at_every_scale(name, scale, sharp):
    lr = wildsr.Pipeline(name, scale=scale)(sharp, seed=1)
    assert lr.shape == (67 // scale, 50 // scale, 3)
    assert lr.dtype == np.float32
    assert np.allclose(lr * 255, np.rint(lr * 255), atol=1e-3)


def test_bicubic_is_bicubic(sharp):
    made = wildsr.Pipeline("bicubic", scale=2)(sharp)
    hr = torch.from_numpy(sharp[:66]).permute(2, 0, 1)[None]
    expected = downscale(hr, 2).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    assert np.abs(made - expected).max() <= 0.51 / 255


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, "1"])
def test_seeds_are_whole_numbers(sharp, seed):
    with pytest.raises(wildsr.UserError, match=r"`seed` must be an integer of 0 to \d+, but got"):
        wildsr.Pipeline("bicubic", scale=2)(sharp, seed=seed)


@pytest.mark.parametrize(("name", "missing"), [("learned", "run"), ("profile", "file")])
def test_what_a_degradation_is_made_of_must_be_given(name, missing):
    with pytest.raises(wildsr.UserError, match=f"`{missing}` must be given: Pipeline\\('{name}'"):
        wildsr.Pipeline(name, scale=2)


def test_a_seed_of_numpy_is_a_seed(sharp):
    made = wildsr.Pipeline("realesrgan", scale=2)
    assert np.array_equal(made(sharp, seed=np.int64(3)), made(sharp, seed=3))


def test_seeds_decide_and_leave_the_generator_alone(sharp):
    pipeline = wildsr.Pipeline("realesrgan", scale=4)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, again, other = (pipeline(sharp, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(pipeline(sharp), pipeline(sharp))


def test_settings_change_a_named_one():
    pipeline = wildsr.Pipeline("demo_camera", scale=2, read=0.0, shot=0.0, blur_major=0.9)
    flat = np.full((32, 32, 3), 0.5)
    assert np.abs(pipeline(flat, seed=0) - 0.5).max() < 2 / 255  # no noise is left
    fixed = {"steps.noise.sigma": [1, 2]}
    assert wildsr.Pipeline("realesrgan", scale=4, **fixed).module is not None


def test_a_gray_image_gets_the_noise_of_one_channel():
    camera = wildsr.Pipeline("demo_camera", scale=2)
    colour, gray = np.full((256, 256, 3), 0.5), np.full((256, 256), 0.5)
    noise = camera(colour, seed=0)[..., 1].std()
    assert camera(gray, seed=0).std() == pytest.approx(noise, rel=0.02)


def test_a_configuration_of_ones_own(tmp_path, sharp):
    own = {"_target_": "wildsr.degradation.bicubic.Bicubic", "scale": "${scale}"}
    named = wildsr.Pipeline("bicubic", scale=2)(sharp)
    assert np.array_equal(wildsr.Pipeline(own, scale=2)(sharp), named)
    path = tmp_path / "own.yaml"
    path.write_text("_target_: wildsr.degradation.bicubic.Bicubic\nscale: ${scale}\n")
    for given in (path, str(path)):
        assert np.array_equal(wildsr.Pipeline(given, scale=2)(sharp), named)


def test_a_run_is_degraded_as_it_learned(there, sharp):
    degrade = wildsr.load_degrader("runs/first")
    hr = torch.from_numpy(sharp[:64, :48]).permute(2, 0, 1)[None]
    inner = load.load_degrader(there / "runs" / "first")
    torch.manual_seed(3)
    assert torch.equal(degrade(hr, seed=3), inner(hr).clamp(0, 1))
    assert degrade.kernel().shape == (33, 33)
    assert np.isclose(degrade.kernel().sum(), 1, atol=1e-5)
    also = wildsr.Pipeline("learned", scale=4, run="runs/first")
    assert torch.allclose(also(hr, seed=3), degrade(hr, seed=3))


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("realesrgn",), {"scale": 4}, "`degradation` must be one of .* Did you mean 'realesrgan'"),
        (("bicubic",), {"scale": 5}, "`scale` must be one of .* got 5"),
        (("bicubic",), {"scale": 4, "sigma": 1}, "There is no key `degradation.sigma`"),
        (("learned",), {"scale": 4}, "run"),
        (({"scale": 2},), {"scale": 2}, "must be a name, a YAML file or a mapping"),
        (({"_target_": "wildsr.no.Such"},), {"scale": 2}, "`degradation` cannot be made"),
        (({"_target_": "builtins.dict"},), {"scale": 2}, "makes a dict"),
        (({"_target_": "x"},), {"scale": 2, "a": 1}, "are changes of a named degradation"),
    ],
)
def test_what_is_no_degradation(arguments, settings, said):
    with pytest.raises(wildsr.UserError, match=said):
        wildsr.Pipeline(*arguments, **settings)


def test_what_cannot_be_degraded():
    pipeline = wildsr.Pipeline("bicubic", scale=4)
    with pytest.raises(wildsr.UserError, match="`hr` must have sides of at least 8"):
        pipeline(np.zeros((7, 90, 3)))
    with pytest.raises(wildsr.UserError, match="`seed` must be an integer of 0 to"):
        pipeline(np.zeros((32, 32, 3)), seed=-1)
    with pytest.raises(wildsr.UserError, match="`run` must be a run folder"):
        wildsr.load_degrader("nowhere")
