import io

import numpy as np
import pytest
import torch
from PIL import Image

from wildsr.degradation.coding import JPEGCoding, WebPCoding, coded, coded_each, quantiser
from wildsr.degradation.jpeg.codec import libjpeg


@pytest.fixture
def image():
    return torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [25, 90])
def test_a_quality_of_libjpeg_is_written_as_pillow_writes_it(image, quality, subsampling):
    # 48x64 holds whole units: nothing is mirrored
    image = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(1))
    ours = coded(image, JPEGCoding.libjpeg(quality, subsampling), (0, 0))
    assert torch.equal(ours, libjpeg(image, quality, subsampling))


def test_the_grid_lies_where_the_phase_says(image):
    coding = JPEGCoding.libjpeg(30)
    wide = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(2))
    whole = coded(wide, coding, (0, 0))
    again = coded(whole[..., 5:, 11:], coding, (5, 11))[..., 16:32, 16:32]
    # Coding again on the same grid changes next to nothing, on another one a lot.
    same = (again - whole[..., 21:37, 27:43]).abs().mean()
    other = coded(whole[..., 5:, 11:], coding, (0, 0))[..., 16:32, 16:32]
    assert same < 0.2 * (other - whole[..., 21:37, 27:43]).abs().mean()


def test_without_a_coding_it_is_rounded_to_8_bits(image):
    found = coded(image * 1.2, None, (3, 4))
    assert torch.equal(found, (image * 1.2).clamp(0, 1).mul(255).round().div(255))


def test_each_image_has_a_coding_of_its_own(image):
    both = image.repeat(2, 1, 1, 1)
    found = coded_each(both, [None, JPEGCoding.libjpeg(20)], [(0, 0), (0, 0)])
    assert (found[0] - image[0]).abs().max() < 0.003
    assert (found[1] - image[0]).abs().mean() > 0.02


def test_tables_other_than_libjpegs_are_used():
    flat = JPEGCoding((40,) * 64, (40,) * 64, "4:4:4")
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    gray = image.mean(1, keepdim=True).repeat(1, 3, 1, 1)
    levels = 255 * coded(gray, flat, (0, 0))[0, 0].double().numpy() - 128
    block = levels[:8, :8]
    n = np.arange(8)
    cosines = np.cos((2 * n + 1) * n[:, None] * np.pi / 16) / 2
    cosines[0] /= np.sqrt(2)
    inner = (cosines @ block @ cosines.T) / 40
    assert np.abs(inner - inner.round()).max() < 0.05


def test_coarseness_grows_as_quality_falls():
    steps = [JPEGCoding.libjpeg(q).coarseness for q in (100, 90, 75, 50, 20)]
    assert steps[0] == 0
    assert steps == sorted(steps)


@pytest.mark.parametrize("channels", [1, 3])
def test_webp_is_what_pillow_writes(channels):
    image = torch.rand(1, channels, 48, 64, generator=torch.Generator().manual_seed(4))
    levels = image.mul(255).round().byte()[0].permute(1, 2, 0).numpy()
    file = io.BytesIO()
    picture = Image.fromarray(levels[..., 0] if channels == 1 else levels)
    picture.save(file, "WEBP", quality=40, method=2)
    read = np.asarray(Image.open(file).convert(picture.mode)).reshape(levels.shape)
    ours = coded(image, WebPCoding(40), (0, 0))[0].permute(1, 2, 0)
    assert torch.equal(ours.mul(255).round().byte(), torch.from_numpy(read.copy()))


def test_webp_begins_its_blocks_where_the_phase_says():
    image = torch.rand(1, 3, 33, 50, generator=torch.Generator().manual_seed(5))
    found = [coded(image, WebPCoding(30), phase) for phase in ((0, 0), (5, 11))]
    assert found[0].shape == found[1].shape == image.shape
    assert not torch.equal(*found)


def test_the_quality_of_webp_decides_how_coarse_it_is():
    smooth = torch.linspace(0, 1, 64).repeat(64, 1)[None, None].repeat(1, 3, 1, 1)
    image = smooth + 0.1 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(6))
    errors = [
        float((coded(image, WebPCoding(q), (0, 0)) - image).abs().mean()) for q in (10, 50, 95)
    ]
    assert errors == sorted(errors, reverse=True)
    steps = [WebPCoding(q).coarseness for q in (10, 50, 95)]
    assert steps == sorted(steps, reverse=True)
    assert (quantiser(0), quantiser(100)) == (127, 0)
