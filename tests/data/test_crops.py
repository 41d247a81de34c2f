"""Drawing crops and flipping them."""

import numpy as np
import pytest
import torch
from PIL import Image

from wildsr.data.crops import draw, draw_flips, flipped, large_enough
from wildsr.data.store import open_store
from wildsr.error import UserError


def augment(images, generator):
    return flipped(images, draw_flips(len(images), generator))


def _store(tmp_path, sizes, argument="data.lr"):
    """Images whose red is their number, green the row and blue the column."""
    paths = []
    for number, (height, width) in enumerate(sizes):
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[..., 0] = number
        pixels[..., 1] = np.arange(height)[:, None]
        pixels[..., 2] = np.arange(width)[None]
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return open_store(paths, tmp_path / "cache", argument)


def test_draw_is_uniform_over_images_and_positions_and_leaves_small_ones_out(tmp_path):
    store = _store(tmp_path, [(9, 40), (10, 13), (40, 9), (200, 100)])
    crops = draw(store, 10, 3000, np.random.default_rng(0))
    assert crops.shape == (3000, 3, 10, 10)
    assert crops.dtype == torch.uint8
    number, top, left = crops[:, :, 0, 0].T
    # Images 0 and 2 are too small in one direction. The others are equally likely, whatever
    # their area, and so is each of the four columns of image 1: 1500 +- 4 * 27, 375 +- 4 * 18.
    assert sorted(number.unique().tolist()) == [1, 3]
    assert abs(int((number == 1).sum()) - 1500) < 110
    counts = left[number == 1].bincount(minlength=4)
    assert len(counts) == 4
    assert (counts - 375).abs().max() < 75
    assert top[number == 1].unique().tolist() == [0]
    assert sorted(top[number == 3].unique().tolist())[::190] == [0, 190]
    rows = torch.arange(10, dtype=torch.uint8)
    torch.testing.assert_close(crops[:, 1], (top[:, None] + rows)[..., None].expand(-1, 10, 10))
    torch.testing.assert_close(crops[:, 2], (left[:, None] + rows)[:, None].expand(-1, 10, 10))


def test_draw_depends_on_the_generator_alone(tmp_path):
    store = _store(tmp_path, [(30, 40), (50, 60)])
    first, second, third = (draw(store, 8, 4, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_no_image_large_enough(tmp_path):
    store = _store(tmp_path, [(9, 40), (20, 12), (5, 5)], "data.hr")
    assert large_enough(store, 9).tolist() == [0, 1]
    with pytest.raises(UserError) as failure:
        draw(store, 24, 1, np.random.default_rng(0))
    for part in ("`data.hr`", "24x24", "12x20", "`data.lr` and `data.hr` swapped"):
        assert part in str(failure.value)


def _eight(image):
    return [
        torch.rot90(side, turns, (-2, -1)) for side in (image, image.flip(-1)) for turns in range(4)
    ]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_augment_draws_each_of_the_eight_elements_equally_often(dtype, layout):
    image = torch.arange(27).reshape(3, 3, 3).to(dtype)
    images = image.expand(1600, -1, -1, -1).contiguous(memory_format=layout)
    result = augment(images, torch.Generator().manual_seed(0))
    assert result.dtype == dtype
    assert result.is_contiguous(memory_format=layout)
    counts = [int((result == way).flatten(1).all(1).sum()) for way in _eight(image)]
    assert sum(counts) == 1600
    assert all(abs(count - 200) < 55 for count in counts)  # four standard deviations of 13


def test_augment_keeps_every_sample_in_its_place_and_the_input_as_it_was():
    images = torch.rand(16, 3, 5, 5)
    before = images.clone()
    result = augment(images, torch.Generator().manual_seed(1))
    for image, turned in zip(images, result, strict=True):
        assert any(torch.equal(turned, way) for way in _eight(image))
    assert torch.equal(images, before)
    assert torch.equal(result, augment(images, torch.Generator().manual_seed(1)))


def test_augment_refuses_what_cannot_be_transposed():
    with pytest.raises(ValueError, match=r"square patches, but got shape \(2, 3, 4, 5\)"):
        augment(torch.zeros(2, 3, 4, 5), torch.Generator())


@pytest.mark.gpu
def test_augment_does_not_depend_on_the_device():
    images = torch.rand(16, 3, 8, 8)
    here = augment(images, torch.Generator().manual_seed(0))
    there = augment(images.cuda(), torch.Generator().manual_seed(0))
    assert there.is_cuda
    assert torch.equal(here, there.cpu())
