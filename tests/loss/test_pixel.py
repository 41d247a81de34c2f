import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.loss.pixel import L1, L2, Charbonnier, Huber, NoiseMean

PREDICTION = torch.tensor([0.0, 1.0, 0.5, 0.25]).view(1, 1, 2, 2)
TARGET = torch.tensor([0.0, 0.0, 1.0, 0.5]).view(1, 1, 2, 2)  # differences 0, 1, 1/2, 1/4
LOSSES = [L1(), L2(), Charbonnier(), Huber()]


def test_numbers_by_hand():
    assert L1()(PREDICTION, TARGET).item() == 1.75 / 4
    assert L2()(prediction=PREDICTION, target=TARGET).item() == (1 + 0.25 + 0.0625) / 4
    # 3-4-5 triangles: differences 3 and 0 with eps 4.
    charbonnier = Charbonnier(eps=4)(torch.tensor([3.0, 0.0]), torch.zeros(2))
    assert charbonnier.item() == (5 + 4) / 2
    # 0, 1/2 (1 - 1/4), 1/2 (1/2)^2, 1/2 (1/4)^2
    assert Huber(delta=0.5)(PREDICTION, TARGET).item() == (0.375 + 0.125 + 0.03125) / 4
    assert NoiseMean()(noise=torch.tensor([1.0, -2.0])).item() == 2.5


@pytest.mark.parametrize(
    ("loss", "reference"),
    [
        (L1(), F.l1_loss),
        (L2(), F.mse_loss),
        (Charbonnier(1e-9), F.l1_loss),
        (Huber(1), F.huber_loss),
        (Huber(1), F.smooth_l1_loss),
    ],
)
def test_against_torch(loss, reference):
    a, b = torch.rand(2, 2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(a, b), reference(a, b))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.floats(1e-4, 1))
def test_equal_images_and_symmetry(seed, eps):
    a, b = torch.rand(2, 1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    for loss, least in ((L1(), 0), (L2(), 0), (Charbonnier(eps), eps), (Huber(eps), 0)):
        torch.testing.assert_close(loss(a, a), torch.tensor(float(least)), atol=1e-7, rtol=1e-5)
        assert loss(a, b) == loss(b, a) > loss(a, a)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients(loss):
    a, b = (torch.rand(1, 3, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(loss, (a, b))
    assert gradcheck(NoiseMean(), (a,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_is_raised_first(dtype):
    large, zero = torch.full((4,), 300, dtype=dtype), torch.zeros(4, dtype=dtype)
    assert L2()(large, zero).item() == 90_000  # infinite in float16, 90112 in bfloat16
    assert NoiseMean()(large).item() == 90_000
    assert L1()(large.double(), zero).dtype == torch.float64


@pytest.mark.parametrize("loss", LOSSES)
def test_two_shapes_are_refused(loss):
    with pytest.raises(UserError, match=r"\(1, 3, 4, 4\) and \(1, 1, 4, 4\)"):
        loss(torch.rand(1, 3, 4, 4), torch.rand(1, 1, 4, 4))


def test_eps_and_delta_are_positive():
    with pytest.raises(UserError, match=r"`eps` must be positive, but got 0"):
        Charbonnier(0)
    with pytest.raises(UserError, match=r"`delta` must be positive, but got -1"):
        Huber(-1)


def test_weight_map_by_hand():
    weight_map = torch.tensor([5.0, 1.0, 2.0, 0.0]).view(1, 1, 2, 2)
    assert L1()(PREDICTION, TARGET, weight_map).item() == (1 + 2 * 0.5) / 4
    assert L2()(PREDICTION, TARGET, weight_map=weight_map).item() == (1 + 2 * 0.25) / 4
    assert Huber(0.5)(PREDICTION, TARGET, weight_map).item() == (0.375 + 2 * 0.125) / 4
    three, zero = torch.tensor([3.0, 0.0]), torch.zeros(2)
    assert Charbonnier(eps=4)(three, zero, torch.tensor([2.0, 0.5])).item() == (10 + 2) / 2


@pytest.mark.parametrize("loss", LOSSES)
def test_weight_map(loss):
    a, b = torch.rand(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(loss(a, b, torch.full((2, 1, 4, 5), 2.0)), 2 * loss(a, b))
    assert loss(a, b, torch.zeros(2, 1, 4, 5)) == 0
    halves = torch.zeros(2, 3, 4, 5)
    halves[:, 1, :, :2] = 1  # a mean over all elements, also those that weigh nothing
    expected = loss(a[:, 1, :, :2], b[:, 1, :, :2]) * 2 / 15
    torch.testing.assert_close(loss(a, b, halves), expected)
    assert loss(a, b, halves.bfloat16()).dtype == torch.float32
    for shape in ((2, 2, 4, 5), (1, 1, 4, 5), (2, 1, 5, 4), (2, 4, 5), ()):
        with pytest.raises(UserError, match=r"`weight_map` must have the shape \(2, 3, 4, 5\)"):
            loss(a, b, torch.ones(shape))


@pytest.mark.parametrize("loss", LOSSES)
def test_weight_map_gradients(loss):
    a, b, c = torch.rand(
        3, 1, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    weight_map = c[:, :1].requires_grad_()
    assert gradcheck(loss, (a.requires_grad_(), b.requires_grad_(), weight_map))
