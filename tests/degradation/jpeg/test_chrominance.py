"""libjpeg's integers around its blocks, by their definitions."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck

from wildsr.degradation.jpeg import chrominance
from wildsr.degradation.jpeg.chrominance import (
    SUBSAMPLINGS,
    subsampled,
    to_rgb,
    to_ycc,
    upsampled,
    whole,
)


def levels(batch, channels, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, channels, height, width)
    return torch.randint(-128, 128, shape, generator=generator).float()


def test_whole_is_in_place_with_the_gradient_of_the_identity():
    x = torch.tensor([-1.5, -0.2, 0.5, 2.4, 9.0], requires_grad=True)
    doubled = 2 * x
    rounded = whole(doubled, 0.5, -2, 5)
    assert rounded.tolist() == [-2, 0, 1, 5, 5]
    assert rounded.data_ptr() == doubled.data_ptr()
    (rounded * torch.arange(5.0)).sum().backward()
    assert x.grad.tolist() == [0, 2, 4, 6, 8]


def test_colours_by_hand():
    rgb = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [10, 200, 90]])
    luminance, chrominance = to_ycc(rgb[:, :, None, None] - 128.0)
    ycc = torch.cat([luminance, chrominance], 1).flatten(1) + 128
    # 0.299 R + 0.587 G + 0.114 B, 128 + 0.564 (B - Y), 128 + 0.713 (R - Y)
    expected = [[76, 85, 255], [150, 44, 21], [29, 255, 107], [255, 128, 128], [131, 105, 42]]
    assert ycc.int().tolist() == expected
    back = to_rgb(luminance, chrominance).flatten(1) + 128
    assert (back - rgb).abs().max() <= 2


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_colours_are_those_of_64_bit_integers(seed):
    rgb = levels(1, 3, 16, 16, seed)
    luminance, chrominance = to_ycc(rgb.clone())
    r, g, b = (rgb[0].long() + 128).numpy()
    y = (19595 * r + 38470 * g + 7471 * b + 2**15) >> 16
    cb = (-11059 * r - 21709 * g + 32768 * b + (128 << 16) + 2**15 - 1) >> 16
    cr = (32768 * r - 27439 * g - 5329 * b + (128 << 16) + 2**15 - 1) >> 16
    made = torch.cat([luminance, chrominance], 1)[0].numpy() + 128
    assert np.array_equal(made, np.stack([y, cb, cr]))
    back = np.stack(
        [
            y + ((91881 * (cr - 128) + 2**15) >> 16),
            y + ((-22554 * (cb - 128) - 46802 * (cr - 128) + 2**15) >> 16),
            y + ((116130 * (cb - 128) + 2**15) >> 16),
        ]
    ).clip(0, 255)
    assert np.array_equal(to_rgb(luminance, chrominance)[0].numpy() + 128, back)


def test_means_round_ties_down_and_up_in_turn():
    row = torch.tensor([0, 1, 0, 1, 2, 3, 2, 3.0]).view(1, 1, 1, 8)
    assert subsampled(row, "4:2:2").flatten()[:4].tolist() == [0, 1, 2, 3]
    pairs = torch.cat([row, row], 2)
    assert subsampled(pairs, "4:2:0").flatten()[:4].tolist() == [0, 1, 2, 3]
    assert subsampled(row, "4:4:4") is row


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (1, 1), (16, 32)])
def test_subsampling_by_loops(height, width):
    plane = levels(2, 2, height, width)
    for kind, rows in (("4:2:0", 2), ("4:2:2", 1)):
        made = subsampled(plane, kind)
        assert made.shape[2:] == (-(-height // rows), -(-width // 16) * 8)
        for i in range(made.shape[2]):
            for j in range(made.shape[3]):
                columns = [min(2 * j, width - 1), min(2 * j + 1, width - 1)]
                lines = [min(rows * i + k, height - 1) for k in range(rows)]
                total = sum(plane[:, :, y, x] for y in lines for x in columns)
                bias = 1 + j % 2 if rows == 2 else j % 2
                assert torch.equal(made[:, :, i, j], ((total + bias) / (2 * rows)).floor())


@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 7), (1, 5), (16, 32)])
def test_upsampling_by_loops(height, width):
    for kind, rows in (("4:2:0", 2), ("4:2:2", 1)):
        h, w = -(-height // rows), -(-width // 2)
        plane = levels(2, 2, h, w, seed=1)
        made = upsampled(plane, kind, height, width)
        assert made.shape[2:] == (height, width)

        def column(y, x, plane=plane, last=w - 1):
            return plane[:, :, y, min(max(x, 0), last)]

        for i in range(height):
            near, far = i // rows, i // rows + (1 if i % 2 else -1)
            far = min(max(far, 0), h - 1)
            for j in range(width):
                beside = j // 2 + (1 if j % 2 else -1)
                if rows == 2:
                    sums = [3 * column(near, x) + column(far, x) for x in (j // 2, beside)]
                    expected = (3 * sums[0] + sums[1] + (7 if j % 2 else 8)) / 16
                else:
                    expected = (3 * column(i, j // 2) + column(i, beside) + 1 + j % 2) / 4
                assert torch.equal(made[:, :, i, j], expected.floor()), (i, j)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_two_columns_are_repeated(width):
    plane = levels(1, 2, 2, -(-width // 2))
    repeated = plane.repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :width]
    assert torch.equal(upsampled(plane, "4:2:0", 4, width), repeated)
    assert torch.equal(upsampled(plane, "4:2:2", 2, width), repeated[:, :, ::2])


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (4, 8)])
def test_gradients_are_the_adjoints(subsampling, size):
    """With roundings of slope 1 there are no finite differences: <g, A x> = <A^T g, x>."""

    def both(x):
        coarse = subsampled(x, subsampling)
        return upsampled(coarse, subsampling, *size)

    x = torch.randn(1, 2, *size, dtype=torch.float64, requires_grad=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chrominance, "whole", lambda x, *_: x)
        assert gradcheck(both, (x,))
        assert gradgradcheck(both, (x,))
        rgb = torch.randn(1, 3, *size, dtype=torch.float64, requires_grad=True)
        assert gradcheck(lambda x: to_rgb(*to_ycc(x)), (rgb,))
        smooth = both(x)
        weight = torch.randn_like(smooth)
        (expected,) = torch.autograd.grad((smooth * weight).sum(), x)
    rounded = both(10 * x)  # away from the limits
    (slope,) = torch.autograd.grad((rounded * weight).sum(), x)
    torch.testing.assert_close(slope, 10 * expected)
