import math

import numpy as np
import pytest
import torch

from wildsr.calibration.doubt import doubt, doubtful, without_texture
from wildsr.calibration.fit import Solution
from wildsr.calibration.simulate import SharpWindows
from wildsr.calibration.statistics import NAMES
from wildsr.degradation.coding import JPEGCoding
from wildsr.network.degrader.physics import PARAMETERS, PRIOR, noise_levels

WIDTH, STRETCH, CORRELATION = 0, [1, 2], 5


@pytest.fixture(scope="module")
def sharp():
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (4, 24, 24, 3), dtype=np.uint8)
    photos = [np.kron(photo, np.ones((8, 8, 1), np.uint8)) for photo in blocks]
    return SharpWindows(photos, 4, 2, 48, random)


def test_a_camera_that_explains_is_believed_and_one_that_does_not_is_not():
    assert doubt(0.3) == doubt(1.0) == 0
    assert 0 < doubt(1.75) < 1
    assert doubt(2.0) == doubt(4.0) == 1


def test_widths_reach_from_the_expected_one_to_that_of_the_edges(sharp):
    edges = PRIOR.clone()
    edges[WIDTH], edges[1], edges[3], edges[CORRELATION] = math.log(0.6), 0.4, math.log(0.3), 0.9
    cameras = doubtful(edges, sharp, 9)
    assert cameras[0, WIDTH] == pytest.approx(float(PRIOR[WIDTH]))
    assert cameras[-1, WIDTH] == pytest.approx(math.log(0.6))
    assert bool((cameras[:, STRETCH] == 0).all())
    assert bool((cameras[:, CORRELATION] <= 0.25).all())


def test_the_wider_apart_the_ends_the_more_noise_stands_for_what_is_not_explained(sharp):
    def noise(width):
        edges = PRIOR.clone()
        edges[WIDTH], edges[3] = math.log(width), math.log(0.3)
        read, shot = noise_levels(doubtful(edges, sharp, 2)[0])
        return math.hypot(read, shot / math.sqrt(2))

    assert 0.29 < noise(0.38) < 0.35  # what was measured, for there is nothing else
    assert noise(0.38) < noise(0.5) < noise(0.8)


def test_never_wider_than_the_edges_where_these_are_narrower_than_expected(sharp):
    edges = PRIOR.clone()
    edges[WIDTH] = math.log(0.25)
    assert torch.allclose(doubtful(edges, sharp, 3)[:, WIDTH], edges[WIDTH])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("texture", {}),
        ("white", {"correlation": 0.2}),
        ("of each channel", {"gray": 0.6}),
        ("denoised", {"denoise": 0.5}),
        ("JPEG", {}),
        ("gray photos", {}),
    ],
)
def test_coarse_noise_that_all_channels_share_is_taken_for_texture(name, change):
    camera = PRIOR.clone()
    known = {"noise": math.log(8.0), "correlation": 0.7, "gray": 0.95} | change
    for parameter, value in known.items():
        camera[PARAMETERS.index(parameter)] = value
    found = Solution(camera, torch.zeros_like(camera), torch.zeros(len(NAMES)), 1.0)
    photos = torch.full((5, len(NAMES)), -10.0 if name == "gray photos" else 8.0)
    codings = [None] * 4 + [JPEGCoding.libjpeg(90) if name == "JPEG" else None]
    left = without_texture(found, photos, codings).camera
    if name == "texture":
        assert float(left[3].exp()) == pytest.approx(8 * math.sqrt(0.05), rel=1e-4)
        assert float(left[6]) == 0
        assert found.camera[6] == pytest.approx(0.95), "what was found is not changed"
    else:
        assert torch.equal(left, camera)
