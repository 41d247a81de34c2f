import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wildsr.error import UserError
from wildsr.network.critic.patch import PatchCritic
from wildsr.network.front.front import Details, Haar, HighPass
from wildsr.network.window import Window, spread

FRONTS = {
    "none": lambda: None,
    "haar": Haar,
    "high_pass": HighPass,
    "details": Details,
    "two": lambda: {"high": HighPass(size=3), "haar": Haar()},
}


def seen_by(critic, size):
    """(h, w, H, W): which pixels each logit depends on, found by its gradient."""
    for parameter in critic.parameters():  # positive, so that nothing cancels or is cut off
        nn.init.uniform_(parameter, 0.1, 1)
    image = torch.rand(1, 3, *size, dtype=torch.float64, requires_grad=True)
    logits = critic(image)[0, 0]
    found = [
        torch.autograd.grad(logit, image, retain_graph=True)[0][0].abs().sum(0) > 0
        for logit in logits.flatten()
    ]
    return torch.stack(found).view(*logits.shape, *size)


def test_a_window_through_layers_by_hand():
    window = Window().after(4, 2, 1).after(4, 2, 1).after(4, 1, 1)
    assert window == Window(side=4 + 3 * 2 + 3 * 4, jump=4, before=1 + 2 + 4)
    assert Window().after(2, 2, 0) == Window(2, 2, 0)


def test_two_places_by_hand():
    """Place 0 sees the pixels -1 to 1, place 1 those from 1 to 3, and nobody the last."""
    scores = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    found = spread(scores, Window(side=3, jump=2, before=1), (2, 5))
    expected = torch.tensor([0, 0.5, 1, 1, 1]).expand(2, 5)
    assert torch.equal(found[0, 0], expected)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize(
    ("kernel", "stride", "first_stride", "last_kernel"),
    [(3, 1, 1, None), (5, 1, 1, 1), (4, 2, 1, 4), (3, 2, 2, 1)],
)
def test_the_mean_over_the_places_that_depend_on_a_pixel(
    kernel, stride, first_stride, last_kernel, front
):
    torch.manual_seed(0)
    critic = PatchCritic(
        2, 3, kernel, stride, "none", 3, first_stride, FRONTS[front](), last_kernel
    ).double()
    size = (13, 10)
    seen = seen_by(critic, size).double()
    scores = torch.rand(1, 1, *seen.shape[:2], dtype=torch.float64)
    assert seen.sum((0, 1)).min() > 0
    expected = torch.einsum("ij,ijyx->yx", scores[0, 0], seen) / seen.sum((0, 1))
    torch.testing.assert_close(spread(scores, critic.window, size)[0, 0], expected)


@settings(deadline=None, max_examples=30)
@given(
    window=st.builds(Window, st.integers(1, 9), st.integers(1, 5), st.integers(0, 6)),
    places=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_means_stay_within_the_scores_and_constants_are_constant(window, places, size):
    scores = torch.rand(2, 1, *places)
    found = spread(scores, window, size)
    assert found.shape == (2, 1, *size)
    assert found.min() >= scores.min() - 1e-6
    assert found.max() <= scores.max() + 1e-6
    torch.testing.assert_close(
        spread(torch.full_like(scores, 0.3), window, size).mean().item(), 0.3
    )


def test_precision_and_mistakes():
    scores, window = torch.rand(1, 1, 3, 3), Window(5, 2, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(spread(scores, window, (6, 6)), spread(scores, window, (6, 6)).float())
    exact = spread(scores, window, (6, 6))
    assert torch.equal(
        spread(scores.bfloat16(), window, (6, 6)), spread(scores.bfloat16().float(), window, (6, 6))
    )
    assert exact.dtype == torch.float32
    with pytest.raises(UserError, match="must have sides of at least 1"):
        spread(scores[..., :0], window, (6, 6))
