"""Impressionism against equations 1 to 4 of its paper, with pools that are filled at random."""

import pytest
import torch
from support.step_by_hand import adam, descend, draw_again, l1, move_average
from torch.nn import functional as F

from wildsr.config import make as build


@pytest.fixture
def filled(monkeypatch):
    """Networks come with pools as after a harvest: 4 of 5 noises, 2 of 3 kernels."""
    make = build.make_networks

    def networks(config):
        made = make(config)
        pools, generator = made["degrade"], torch.Generator().manual_seed(5)
        pools.noise.random_(0, 256, generator=generator)
        pools.kernel_pool.uniform_(0, 2e-3, generator=generator)
        pools.filled.copy_(torch.tensor([4, min(2, pools.kernels)]))
        return made

    monkeypatch.setattr("wildsr.training.build.make_networks", networks)


def mosaic(patches, chosen):
    """Tiles of 3 x 3, each less its channels' means, cut to 8 x 8: (B, 3, 8, 8)."""
    noise = torch.zeros(len(chosen), 3, 9, 9, dtype=torch.float64)
    for sample, rows in enumerate(chosen.tolist()):
        for row, columns in enumerate(rows):
            for column, index in enumerate(columns):
                patch = patches[index].double() / 255
                for channel in range(3):
                    tile = patch[channel] - patch[channel].sum() / 9
                    place = slice(3 * row, 3 * row + 3), slice(3 * column, 3 * column + 3)
                    noise[(sample, channel, *place)] = tile
    return noise[..., :8, :8]


def rounded(image):
    return (image.clamp(0, 1) * 255).round() / 255


@pytest.mark.parametrize("kernels", [0, 3])
def test_impressionism(compare, of, filled, kernels):
    def reference(networks, batches, averages):
        pools, upscale = networks["degrade"], networks["upscale"]
        optimizer = adam(upscale, 5e-4, (0.9, 0.99))
        for iteration, batch in enumerate(batches):
            hr = batch["hr"]
            draw_again(iteration)
            kernel = torch.randint(2 if kernels else 1, (len(hr),))
            noise = mosaic(pools.noise, torch.randint(4, (len(hr), 3, 3)))
            if kernels:
                padded = F.pad(hr, [18] * 4, mode="reflect")
                small = torch.stack(
                    [
                        F.conv2d(x[:, None], pools.kernel_pool[k][None, None].double(), stride=4)[
                            :, 0
                        ]
                        for x, k in zip(padded, kernel, strict=True)
                    ]
                )
            else:
                small = F.interpolate(hr, scale_factor=0.25, mode="bicubic", antialias=True)
            lr = rounded(small + noise)
            descend(optimizer, l1(upscale(lr), hr))
            move_average(averages["upscale"], upscale, iteration)

    overrides = [o for o in of("impressionism") if not o.startswith("degradation.")]
    pools = ["degradation.noises=5", "degradation.patch=3", f"degradation.kernels={kernels}"]
    compare([*overrides, *pools], reference)
