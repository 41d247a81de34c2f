"""Streams of tiles against the whole image, for any size, tile and kind of network."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.reach import Attentive, Limited, Strided, convolutions
from torch import nn

from wildsr.error import UserError
from wildsr.inference.colour import ColourFix
from wildsr.inference.ensemble import Ensemble
from wildsr.inference.strips import strips, together
from wildsr.inference.upscaler import Upscaler
from wildsr.inference.windows import Overlap, overlap_for, spans
from wildsr.network.upscaler.compact import Compact
from wildsr.network.upscaler.rrdb import RRDBNet


def upscaler(network, scale=2, **options):
    return Upscaler(network.eval(), network.eval(), scale, "it", **options)


def streamed(made, pixels, rows, dtype=np.uint8, step=None):
    return np.concatenate(list(strips(made, rows(pixels), np.dtype(dtype))))


def at_once(network, pixels, most=255):
    """The network on the whole image, in levels of 8 bits, not rounded."""
    lr = torch.from_numpy(pixels.astype(np.float32) / np.iinfo(pixels.dtype).max)
    with torch.inference_mode():
        sr = network.eval()(lr.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    return sr.clamp(0, 1).numpy() * most


def random(height, width, channels=3, dtype=np.uint8):
    generator = np.random.default_rng(height * 1000 + width)
    most = np.iinfo(dtype).max
    return generator.integers(0, most + 1, (height, width, channels)).astype(dtype)


# Tiles -----------------------------------------------------------------------------------------


@given(
    length=st.integers(1, 400),
    tile=st.integers(8, 200),
    hidden=st.integers(0, 4),
    feather=st.integers(0, 2),
)
def test_spans_cover_the_axis_once(length, tile, hidden, feather):
    overlap = Overlap(8 * hidden, 8 * feather)
    found = list(spans(length, tile, overlap))
    assert [f.start for f in found] == [0, *(f.stop for f in found[:-1])]
    assert found[-1].stop == length
    for one in found:
        assert one.start % 8 == one.first % 8 == 0
        assert 1 <= one.stop - one.start <= max(tile // 8 * 8, 8)
        assert one.first == max(one.start - overlap.margin, 0)
        assert one.last == min(one.stop + overlap.margin, length)


@pytest.mark.parametrize(
    ("radius", "wanted", "expected"),
    [
        (0, None, (0, 0)),
        (18, None, (24, 0)),  # whole cells
        (24, None, (24, 0)),
        (None, None, (16, 16)),
        (None, 64, (48, 16)),
        (None, 8, (0, 8)),
        (18, 16, (8, 8)),  # less than the radius: feathered
        (18, 24, (24, 0)),
        (18, 0, (0, 0)),  # asked for
    ],
)
def test_overlap(radius, wanted, expected):
    found = overlap_for(radius, wanted)
    assert (found.hidden, found.feather) == expected


# Networks whose reach is bounded ---------------------------------------------------------------

CASES = {
    "convolutions": (convolutions(3, 5, 3), 2),
    "x3": (convolutions(3, scale=3), 3),
    "x1": (convolutions(3, 3, scale=1), 1),
    "strided": (Strided(), 2),
    "compact": (Compact(4, features=4, convolutions=2), 4),
    "ensemble": (Ensemble(convolutions(3, 3)), 2),
    "ensemble of strided": (Ensemble(convolutions(5)), 2),
    "colours": (ColourFix(convolutions(3), 2), 2),
}


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.integers(8, 64),
    batch=st.integers(1, 3),
    case=st.sampled_from(sorted(CASES)),
)
def test_tiles_equal_the_whole_image(height, width, tile, batch, case, rows):
    network, scale = CASES[case]
    pixels = random(height, width)
    made = upscaler(network, scale, tile=tile, batch=batch)
    found = streamed(made, pixels, rows)
    assert found.shape == (height * scale, width * scale, 3)
    assert found.dtype == np.uint8
    assert made.radius is not None
    assert np.abs(found - at_once(network, pixels)).max() < 0.5 + 1e-2  # rounding alone


def test_a_margin_smaller_than_the_reach_would_show(rows):
    network, pixels = convolutions(9, 9), random(70, 50)
    made = upscaler(network, tile=16)
    made.__dict__["seams"] = Overlap(0, 0)
    assert np.abs(streamed(made, pixels, rows) - at_once(network, pixels)).max() > 2


def test_sixteen_bits_are_not_rounded_to_eight(rows):
    network, pixels = convolutions(3), random(20, 30, dtype=np.uint16)
    found = streamed(upscaler(network, tile=8), pixels, rows, np.uint16)
    assert np.abs(found - at_once(network, pixels, 65535)).max() < 1.0
    assert len(np.unique(found % 257)) > 100


def test_memory_is_bounded_by_strips(rows):
    source = rows(random(400, 16))
    stream = strips(upscaler(nn.Upsample(scale_factor=2), tile=16), source, np.dtype(np.uint8))
    assert next(stream).shape == (32, 32, 3)
    assert source.row <= 32


def test_progress_ends_at_the_whole(rows):
    seen = []
    made = upscaler(nn.Upsample(scale_factor=2), tile=16)
    for _ in strips(made, rows(random(40, 10)), np.dtype(np.uint8), lambda *n: seen.append(n)):
        pass
    assert seen[-1] == (40 * 10 * 4, 40 * 10 * 4)
    assert seen == sorted(seen)


# Networks without a bound ----------------------------------------------------------------------


class Brightness(nn.Module):
    """A gray of the mean of what it sees: every tile has another one."""

    def forward(self, lr):
        mean = lr.mean(dim=(1, 2, 3), keepdim=True)
        return mean.expand(len(lr), 3, 2 * lr.shape[2], 2 * lr.shape[3])


@settings(deadline=None, max_examples=40)
@given(height=st.integers(1, 120), width=st.integers(1, 120), tile=st.integers(8, 64))
def test_tiles_fade_into_each_other(height, width, tile, rows):
    ramp = np.add.outer(np.arange(height), np.arange(width)) * 255 / (height + width)
    pixels = np.repeat(ramp.astype(np.uint8)[..., None], 3, axis=2)
    found = streamed(upscaler(Brightness(), tile=tile), pixels, rows).astype(int)
    assert found.shape == (2 * height, 2 * width, 3)
    # Tiles differ by up to a hundred levels; over 64 output pixels that is a few at each.
    steps = [np.abs(np.diff(found, axis=axis)).max(initial=0) for axis in (0, 1)]
    assert max(steps) <= 8


def test_without_a_feather_there_is_a_seam(rows):
    pixels = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None], 120, axis=0).repeat(3, axis=2)
    found = streamed(upscaler(Brightness(), tile=32, overlap=0), pixels, rows).astype(int)
    assert np.abs(np.diff(found, axis=1)).max() >= 25


def test_attention_is_near_the_whole_image(rows):
    pixels = random(150, 130)
    network = Attentive()
    found = streamed(upscaler(network, tile=64), pixels, rows)
    assert np.abs(found - at_once(network, pixels)).max() < 4


def test_a_published_architecture_of_long_reach(rows):
    network = RRDBNet(scale=2, features=8, blocks=1, growth=4)
    pixels = random(60, 52)
    found = streamed(upscaler(network, tile=16), pixels, rows)
    assert np.abs(found - at_once(network, pixels)).max() <= 1


# Kinds of images -------------------------------------------------------------------------------


def test_gray_is_one_channel_of_the_networks_colours(rows, nearest):
    pixels = random(20, 30, 1)
    found = streamed(nearest(2), pixels, rows)
    assert np.array_equal(found, pixels.repeat(2, axis=0).repeat(2, axis=1))


def test_opaque_stays_opaque_whatever_the_network_does(rows):
    network = convolutions(3)  # random weights: alpha of 1 comes out as anything
    pixels = random(40, 30, 4)
    pixels[..., 3] = 255
    found = streamed(upscaler(network, tile=8), pixels, rows)
    assert found[..., 3].min() == 255
    assert np.array_equal(
        found[..., :3], streamed(upscaler(network, tile=8), pixels[..., :3], rows)
    )


@pytest.mark.heavy
@settings(deadline=None, max_examples=20)
@given(height=st.integers(1, 60), width=st.integers(1, 60), tile=st.integers(8, 32))
def test_tiles_with_alpha_equal_the_whole_image(height, width, tile, rows):
    network, pixels = convolutions(3, 3), random(height, width, 4)
    # Round holes: fully transparent places that are larger than a tile's margin.
    y, x = np.mgrid[:height, :width]
    pixels[..., 3][(y % 40 - 20) ** 2 + (x % 40 - 20) ** 2 < 150] = 0
    tiled = streamed(upscaler(network, tile=tile), pixels, rows).astype(int)
    whole = streamed(upscaler(network, tile=64), pixels, rows)
    assert np.abs(tiled - whole).max() <= 1


def test_several_at_once_are_each_as_alone(rows, noise):
    images = [noise(9, 8, 4, seed=seed) for seed in range(3)]
    images[1][..., 3] = 255
    made = upscaler(convolutions(3), tile=16)
    for image, found in zip(images, together(made, images, np.dtype(np.uint8)), strict=True):
        assert np.array_equal(found, streamed(made, image, rows))


# Out of memory ---------------------------------------------------------------------------------


def test_out_of_memory_halves_the_tile_in_the_middle(rows):
    class Filling(Limited):
        """Memory that runs out after the first tiles."""

        def forward(self, lr):
            if len(self.sizes) >= 3:
                self.most = 40 * 40
            return super().forward(lr)

    network = Filling(10**9)
    pixels = random(300, 100)
    made = upscaler(network, tile=64)
    made.__dict__["seams"] = Overlap(0, 0)
    found = streamed(made, pixels, rows)
    assert np.array_equal(found, pixels.repeat(2, axis=0).repeat(2, axis=1))
    assert max(network.sizes[:3])[0] > 32 >= max(network.sizes[4:])[0]


def test_out_of_memory_on_a_single_tile(rows):
    network = Limited(50 * 50)
    made = upscaler(network, tile=128)
    made.__dict__["radius"] = 0
    pixels = random(100, 90)
    found = streamed(made, pixels, rows)
    assert np.array_equal(found, pixels.repeat(2, axis=0).repeat(2, axis=1))


def test_out_of_memory_ends_at_the_smallest_tile(rows):
    made = upscaler(Limited(10), tile=64, overlap=0)
    made.__dict__["radius"] = 0
    with pytest.raises(UserError, match="100 x 90 pixels does not fit into memory"):
        streamed(made, random(100, 90), rows)


def test_other_errors_are_not_swallowed(rows):
    made = upscaler(Limited(0, RuntimeError("shapes differ")), tile=64)
    with pytest.raises(RuntimeError, match="shapes differ"):
        streamed(made, random(10, 10), rows)
