import pytest
import torch
from torch.autograd import gradcheck

from wildsr.error import UserError
from wildsr.loss.kernel import KernelBoundaries, KernelCentre, KernelSparsity, KernelSum

LOSSES = [KernelSum(), KernelBoundaries(), KernelSparsity(), KernelCentre()]


def lone(row, column, value=1.0, side=13):
    kernel = torch.zeros(1, side, side)
    kernel[0, row, column] = value
    return kernel


def test_sum_by_hand():
    assert KernelSum()(lone(3, 4, 1.5)).item() == pytest.approx(0.5)
    assert KernelSum()(lone(3, 4)).item() == 0
    both = torch.cat([lone(0, 0, 0.5), lone(6, 6, 3.0)])
    assert KernelSum()(both).item() == pytest.approx((0.5 + 2) / 2), "one for each kernel"


def test_boundaries_by_hand():
    assert KernelBoundaries()(lone(6, 6)).item() == 0
    assert KernelBoundaries()(lone(2, 10)).item() == 0, "two taps from the border"
    assert KernelBoundaries()(lone(1, 6)).item() > 0
    # 6 taps down and right: 1 - exp(-(36 + 36) / (2 * 169)) = 0.19187, of 169 taps
    corner = KernelBoundaries()(lone(0, 12)).item()
    assert corner == pytest.approx(30 * 0.19187 / 169, rel=1e-4)
    assert KernelBoundaries()(lone(0, 12, -2.0)).item() == pytest.approx(2 * corner)
    assert KernelBoundaries(15)(lone(0, 12)).item() == pytest.approx(corner / 2)


@pytest.mark.parametrize("side", [3, 7])
def test_small_kernels_have_no_free_middle(side):
    kernel = torch.zeros(1, side, side)
    kernel[0, 1, 0] = 1
    assert KernelBoundaries()(kernel).item() > 0


def test_sparsity_by_hand():
    # one tap of 1, or 32 of 1/32: 32^0.8 = 16 times as much
    spread = torch.zeros(1, 13, 13)
    spread.flatten()[:32] = 1 / 32
    one = KernelSparsity()(lone(6, 6)).item()
    assert one == pytest.approx(1 / 169)
    assert KernelSparsity()(spread).item() == pytest.approx(16 * one)
    kernel = lone(6, 6).requires_grad_()
    KernelSparsity()(kernel).backward()
    assert kernel.grad.isfinite().all()
    assert kernel.grad[0, 6, 6].item() == pytest.approx(0.2 / 169)


def test_centre_by_hand():
    # between taps 6 and 7 both ways is where the kernel of a halving belongs
    middle = (lone(6, 6) + lone(6, 7) + lone(7, 6) + lone(7, 7)) / 4
    assert KernelCentre()(middle).item() == 0
    assert KernelCentre()(lone(6, 6)).item() == pytest.approx((0.25 + 0.25) / 2)
    assert KernelCentre()(lone(6, 9)).item() == pytest.approx((0.25 + 2.5**2) / 2)
    assert KernelCentre()(7 * lone(6, 9)).item() == pytest.approx((0.25 + 2.5**2) / 2), "of any sum"
    assert KernelCentre(0.0)(lone(6, 6)).item() == 0


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_derivative(loss):
    torch.manual_seed(0)
    kernel = torch.rand(2, 5, 5, dtype=torch.float64).add_(0.1).requires_grad_()
    assert gradcheck(loss, (kernel,))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_shapes_are_checked(loss):
    with pytest.raises(UserError, match=r"`kernel` must be \(B, k, k\), but got \(5, 5\)"):
        loss(torch.rand(5, 5))
    with pytest.raises(UserError, match=r"got \(1, 5, 4\)"):
        loss(torch.rand(1, 5, 4))


def test_mistakes_are_named():
    with pytest.raises(UserError, match="`weight` must be above 0, but got 0"):
        KernelBoundaries(0)
    with pytest.raises(UserError, match="`power` must be above 0"):
        KernelSparsity(-0.2)
