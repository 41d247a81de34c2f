import pytest
import torch
from torch import nn
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.degrader.residual import ResidualDegrader


def test_written_out():
    torch.manual_seed(0)
    degrade, image = ResidualDegrader(4, features=3, blocks=2), torch.rand(2, 3, 8, 12)
    state = degrade.state_dict()

    def convolved(name, x, stride=1):
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride, 1)

    def prelu(name, x):
        return F.prelu(x, state[f"{name}.weight"])

    x = prelu("block_input.1", convolved("block_input.0", image))
    for i in (0, 1):
        block = f"res_blocks.{i}"
        inner = prelu(f"{block}.prelu", convolved(f"{block}.conv1", x))
        x = x + convolved(f"{block}.conv2", inner)
    for i in (0, 2):
        x = prelu(f"down_sample.{i + 1}", convolved(f"down_sample.{i}", x, 2))
    x = 1 / (1 + torch.exp(-convolved("block_output", x)))
    torch.testing.assert_close(degrade(image), x)


@pytest.mark.parametrize(("scale", "strided"), [(1, 0), (2, 1), (3, 1), (4, 2), (8, 3)])
def test_it_shrinks_by_the_scale(scale, strided):
    degrade = ResidualDegrader(scale, features=2, blocks=1)
    lr = degrade(torch.rand(1, 3, 3 * scale, 2 * scale))
    assert lr.shape == (1, 3, 3, 2)
    assert 0 < lr.min() < lr.max() < 1
    strides = [m.stride[0] for m in degrade.modules() if isinstance(m, nn.Conv2d)]
    assert sum(stride > 1 for stride in strides) == strided


def test_the_size_of_dsgan():
    """Of the authors' generator: 18 convolutions of 3 x 3 and 9 slopes."""
    counted = sum(p.numel() for p in ResidualDegrader(1).parameters())
    assert counted == (27 * 64 + 64) + 16 * (9 * 64 * 64 + 64) + (9 * 64 * 3 + 3) + 9


def test_levels_survive_bfloat16():
    torch.manual_seed(0)
    degrade, image = ResidualDegrader(1, features=4, blocks=1), torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        lr = degrade(image)
    assert lr.dtype == torch.float32
    assert (lr - degrade(image)).abs().max() < 0.01
    assert lr.unique().numel() > 100


def test_mistakes():
    with pytest.raises(UserError, match="`scale` must be one of"):
        ResidualDegrader(5)
    with pytest.raises(UserError, match="`blocks` must be an integer of at least 1, but got 0"):
        ResidualDegrader(1, blocks=0)
    with pytest.raises(UserError, match=r"sides that are multiples of 4.*\(1, 3, 8, 6\)"):
        ResidualDegrader(4, features=2, blocks=1)(torch.rand(1, 3, 8, 6))
