import pytest
import torch
from hydra.utils import instantiate

from wildsr.config.compose import configure
from wildsr.network.upscaler.edsr import EDSR


@pytest.mark.parametrize(("scale", "expected"), [(2, 40_729_603), (3, 43_680_003), (4, 43_089_923)])
def test_published_parameter_counts(scale, expected):
    config = configure("train", ["network/upscaler=edsr_large", f"scale={scale}"])
    with torch.device("meta"):  # 172 MB otherwise
        network = instantiate(config.network.upscaler)
    assert isinstance(network, EDSR)
    assert sum(p.numel() for p in network.parameters()) == expected
    assert {block.residual_scale for block in network.body[:-1]} == {0.1}
