import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from wildsr.degradation.texture import bc1, bc4
from wildsr.error import UserError


def photo(side=64):
    pixels = data.astronaut()[100 : 100 + side, 200 : 200 + side]
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def blocks(image):
    """The 4x4 blocks of (1, C, H, W), 0 to 255: a list of (16, C)."""
    levels = image.mul(255).round()
    return [
        levels[0, :, y : y + 4, x : x + 4].flatten(1).T
        for y in range(0, image.shape[2], 4)
        for x in range(0, image.shape[3], 4)
    ]


def test_every_block_has_four_colours_on_a_line_between_two_of_rgb565():
    made = bc1(photo())
    full = 0
    for block in blocks(made):
        colours = block.unique(dim=0)
        assert len(colours) <= 4
        if len(colours) < 4:
            continue
        full += 1
        apart = torch.cdist(colours, colours)
        first, second = divmod(int(apart.argmax()), 4)
        ends = colours[[first, second]].int()
        for end in ends:
            for value, bits in zip(end.tolist(), (5, 6, 5), strict=True):
                short = value >> (8 - bits)
                assert value == (short << (8 - bits)) | (short >> (2 * bits - 8))
        a, b = (end.tolist() for end in ends)
        between = [
            [(2 * p + q) // 3 for p, q in zip(*pair, strict=True)] for pair in ((a, b), (b, a))
        ]
        assert sorted([a, b, *between]) == sorted(colours.int().tolist())
    assert full > 100


def test_it_is_as_near_as_another_encoder():
    image = photo()
    file = io.BytesIO()
    pixels = (image[0].permute(1, 2, 0) * 255).round().byte().numpy()
    Image.fromarray(pixels).save(file, "DDS", pixel_format="DXT1")
    theirs = np.asarray(Image.open(file).convert("RGB")).astype(float)
    ours = bc1(image)[0].permute(1, 2, 0).numpy() * 255
    error = [np.square(made - pixels).mean() for made in (ours, theirs)]
    assert error[0] < 1.02 * error[1]
    assert np.abs(ours - theirs).mean() < 4


def test_a_block_of_one_colour_of_rgb565_stays():
    colour = torch.tensor([(9 << 3) | (9 >> 2), (33 << 2) | (33 >> 4), 255.0]) / 255
    image = colour.view(1, 3, 1, 1).expand(1, 3, 8, 8)
    torch.testing.assert_close(bc1(image), image)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_bc4_has_eight_even_levels_between_the_ends_of_each_channel(channels):
    image = torch.rand(1, channels, 12, 12, generator=torch.Generator().manual_seed(0))
    made = bc4(image)
    for before, after in zip(blocks(image), blocks(made), strict=True):
        for old, new in zip(before.T, after.T, strict=True):
            assert len(new.unique()) <= 8
            assert new.min() == old.min()
            assert new.max() == old.max()
            assert (new - old).abs().max() <= (old.max() - old.min()) / 14 + 1


@pytest.mark.parametrize(("height", "width"), [(1, 1), (5, 7), (4, 6)])
def test_sides_that_are_no_multiples_of_four(height, width):
    image = torch.rand(2, 3, height, width)
    for made in (bc1(image), bc4(image)):
        assert made.shape == image.shape
        assert (made - image).abs().mean() < 0.2


def test_blocks_do_not_know_of_each_other():
    image = photo(16)
    other = image.clone()
    other[..., 4:8, 8:12] = 0.5
    changed = (bc1(image) != bc1(other)).any(1)[0]
    changed[4:8, 8:12] = False
    assert not changed.any()


def test_the_gradient_is_the_identitys_and_a_picture_of_other_channels_is_refused():
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(bc1(image).sum() + bc4(image).sum(), image)
    torch.testing.assert_close(gradient, torch.full_like(gradient, 2.0))
    with pytest.raises(UserError, match=r"must be \(B, 3, H, W\)"):
        bc1(torch.rand(1, 1, 8, 8))
