"""Our degradations in Kornia's containers."""

import kornia.augmentation as K
import pytest
import torch

from wildsr.degradation import augmentation
from wildsr.degradation.augmentation import (
    RandomBlur,
    RandomDegradation,
    RandomJPEG,
    RandomNoise,
    RandomSensor,
)
from wildsr.degradation.jpeg.jpeg import jpeg
from wildsr.degradation.pipeline.blur import Blur, Sharpen
from wildsr.degradation.pipeline.media import Dither, Halftone, Tape, TextureBlocks
from wildsr.degradation.pipeline.noise import JPEG, Noise, Sensor
from wildsr.degradation.pipeline.pipeline import Choice, Pipeline
from wildsr.degradation.pipeline.resize import RandomResize
from wildsr.degradation.pipeline.scanner import Speckle, Stripes
from wildsr.error import UserError


def pictures(count=4, side=24):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


ALL = (
    RandomBlur({"anisotropic": 1}, (0.5, 2), p=0.6),
    RandomSensor(),
    RandomNoise({"gaussian": 1, "poisson": 1}, (1, 10)),
    RandomJPEG((30, 95)),
)


def test_a_sequence_of_ours_and_theirs_degrades_and_replays():
    augment = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.5), *ALL, K.RandomBrightness((0.9, 1.1)), data_keys=["input"]
    )
    images = pictures()
    torch.manual_seed(1)
    first = augment(images)
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 1
    assert torch.equal(augment(images, params=augment._params), first)
    torch.manual_seed(1)
    assert torch.equal(augment(images), first)
    assert not torch.equal(augment(images), first)


def test_masks_and_points_stay_where_they_are():
    augment = K.AugmentationSequential(*ALL, data_keys=["input", "mask", "keypoints"])
    images, masks, points = pictures(), (pictures()[:, :1] > 0.5).float(), torch.rand(4, 3, 2) * 24
    noisy, kept, same = augment(images, masks, points)
    assert not torch.equal(noisy, images)
    assert torch.equal(kept, masks)
    assert torch.equal(same, points)


def test_p_is_of_each_sample_and_same_on_batch_draws_once():
    images = pictures(1).expand(64, -1, -1, -1)
    torch.manual_seed(0)
    noisy = RandomNoise({"gaussian": 1}, (5, 5), p=0.25)(images)
    touched = (noisy != images).flatten(1).any(1).sum().item()
    assert 6 <= touched <= 28
    same = RandomNoise({"gaussian": 1}, (5, 5), same_on_batch=True)(images[:3])
    assert torch.equal(same[0], same[1])
    own = RandomNoise({"gaussian": 1}, (5, 5))(images[:3])
    assert not torch.equal(own[0], own[1])


def test_the_jpeg_is_the_function_that_the_pipelines_use():
    images = pictures()
    coded = RandomJPEG((40, 40))(images)
    torch.testing.assert_close(coded, jpeg(images, 40.0), atol=1e-6, rtol=0)


def test_each_class_equals_its_step_in_a_pipeline():
    images = pictures(1)
    for made, step in (
        (RandomJPEG((30, 95)), JPEG((30, 95))),
        (RandomNoise({"poisson": 1}, poisson=(1, 2)), Noise({"poisson": 1}, poisson=(1, 2))),
        (RandomSensor(), Sensor()),
        (RandomBlur({"plateau": 1}, (1, 2)), Blur({"plateau": 1}, (1, 2))),
        (augmentation.RandomUnsharpMask(radius=5), Sharpen(radius=5)),
        (augmentation.RandomHalftone((3, 5)), Halftone((3, 5))),
        (augmentation.RandomDither({"ordered": 1}), Dither({"ordered": 1})),
        (augmentation.RandomTextureBlocks("bc4"), TextureBlocks("bc4")),
        (augmentation.RandomTape(), Tape()),
        (augmentation.RandomStripes(), Stripes()),
        (augmentation.RandomSpeckle({"ultrasound": 1}), Speckle({"ultrasound": 1})),
    ):
        out = made(images)
        expected = Pipeline(1, {"step": step})(images, made._params["seed"].tolist())
        torch.testing.assert_close(out, expected, atol=0.51 / 255, rtol=0)


def test_the_gradient_reaches_the_picture():
    images = pictures(2).requires_grad_()
    K.AugmentationSequential(*ALL, data_keys=["input"])(images).sum().backward()
    assert images.grad.abs().sum() > 0


def test_one_picture_without_a_batch():
    image = pictures(1)[0]
    assert RandomJPEG((30, 95), keepdim=True)(image).shape == image.shape
    assert RandomJPEG((30, 95))(image).shape == (1, *image.shape)


def test_any_step_and_no_step_that_changes_the_size():
    some = RandomDegradation(Choice({"jpeg": JPEG((10, 20)), "sensor": Sensor()}))
    assert some(pictures()).shape == (4, 3, 24, 24)
    smaller = RandomDegradation(RandomResize((0.3, 0.5), 0, 1, 0))
    with pytest.raises(UserError, match=r"RandomResize made .* keeps the size"):
        smaller(pictures())
    with pytest.raises(UserError, match="must be a step of a pipeline, but got Conv2d"):
        RandomDegradation(torch.nn.Conv2d(1, 1, 1))


def test_wrong_arguments_are_told_as_those_of_the_steps():
    with pytest.raises(UserError, match="`quality` must be two numbers"):
        RandomJPEG((95, 30))
    with pytest.raises(UserError, match="`kinds` must be one of"):
        RandomNoise({"gausian": 1})
