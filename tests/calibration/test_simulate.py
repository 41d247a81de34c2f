"""Windows that are blurred and sampled in their spectrum are those of the plain way."""

import numpy as np
import pytest
import torch

from wildsr.calibration.simulate import BORDER, TOGETHER, SharpWindows, simulated
from wildsr.degradation.blur import blur_and_sample
from wildsr.degradation.coding import JPEGCoding
from wildsr.network.degrader.physics import PARAMETERS, PRIOR, kernels
from wildsr.pixels import in_unit


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_sampling_in_the_spectrum_changes_nothing(scale):
    random = np.random.default_rng(0)
    side = (32 + 2 * BORDER) * scale  # of a window, so that it is the whole photo
    photo = random.integers(0, 256, (side, side, 3), np.uint8)
    windows = SharpWindows([photo], 3, scale, 32, random)
    cameras = PRIOR.repeat(3, 1)
    cameras[:, 1], cameras[:, 2] = 0.4, torch.tensor([0.2, 0.0, -0.5])
    cameras[:, PARAMETERS.index("bicubic")] = torch.tensor([0.0, 0.5, 1.0])
    shown = windows.blurred(torch.tensor([2, 0, 1]), cameras)
    sharp = in_unit(torch.from_numpy(photo).permute(2, 0, 1)[None])
    taps = kernels(cameras, scale)
    plain = torch.cat([blur_and_sample(sharp, kernel[None], scale) for kernel in taps])
    assert shown.shape == (3, 3, 32, 32)
    assert torch.allclose(shown, plain[..., BORDER:-BORDER, BORDER:-BORDER], atol=2e-6)


def test_threads_share_the_work_and_change_nothing():
    random = np.random.default_rng(0)
    photos = [random.integers(0, 256, (200, 200, 3), np.uint8) for _ in range(2)]
    windows = SharpWindows(photos, 4, 2, 32, random)
    index = torch.arange(2 * TOGETHER + 1) % 4
    codings = [None if i % 3 else JPEGCoding.libjpeg(60) for i in range(len(index))]
    threads, shown = torch.get_num_threads(), []
    workers = set()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            draws = np.random.default_rng(1)
            shown.append(simulated(windows, index, PRIOR.repeat(len(index), 1), codings, draws))
            workers.add(torch.get_num_threads())
    finally:
        torch.set_num_threads(threads)
    assert workers == {1, 3}, "the caller's threads are not given back"
    assert torch.equal(*shown)
    assert len(shown[0]) == len(index)
