"""Cameras of folders whose photos are of another kind than their files say."""

import numpy as np
import pytest
import torch
from support.coded import clean

from wildsr.calibration.doubt import GRAY
from wildsr.calibration.measure import measured
from wildsr.degradation.blur import blur_and_sample
from wildsr.forensics.coding import UNREAD, Coding
from wildsr.network.degrader.physics import HIGHEST, PRIOR, kernels
from wildsr.pixels import floats_of

SCALE = 2
HR = [clean(name, 500) for name in ("astronaut", "coffee", "chelsea")]


@pytest.mark.heavy
def test_gray_photos_in_files_of_colour_have_the_noise_that_they_show():
    """Beside coloured sharp photos their camera had next to no noise."""
    torch.manual_seed(0)
    kernel, photos = kernels(PRIOR[None], SCALE), []
    for photo in HR:
        for top in (0, 8, 30, 50):
            part = photo[top : top + 300, top : top + 300]
            even = part[: len(part) // 2 * 2, : part.shape[1] // 2 * 2]
            gray = floats_of(np.ascontiguousarray(even))
            lr = blur_and_sample(gray.mean(1, keepdim=True), kernel, SCALE)
            lr = (lr + torch.randn_like(lr) * 5 / 255).clamp(0, 1)
            pixels = lr.mul(255).round().byte()[0].permute(1, 2, 0).numpy()
            photos.append(pixels.repeat(3, 2))
    found = measured([str(n) for n in range(12)], photos, [Coding(UNREAD)] * 12, HR, SCALE, 0)
    assert found.calibration is not None
    (group,) = found.calibration.groups
    assert float(group.solution.camera[3].exp()) == pytest.approx(5, rel=0.15)
    assert bool((group.cameras[:, GRAY] == HIGHEST[GRAY]).all()), "the same in all channels"
