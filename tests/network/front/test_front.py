import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional as F

from wildsr.error import UserError
from wildsr.network.front.diffaugment import DiffAugment
from wildsr.network.front.front import Chain, Details, Gray, Haar, HighPass, Noise, Raw
from wildsr.network.window import Window

FRONTS = {
    "raw": Raw(),
    "details": Details(),
    "gray": Gray(),
    "average": HighPass(),
    "gaussian": HighPass("gaussian", 3),
    "haar": Haar(),
    "haar_all": Haar(["ll", "lh", "hl", "hh"]),
    "noise": Noise(0.1),
    "diffaugment": DiffAugment(),
    "chain": Chain({"augment": DiffAugment(), "gray": Gray(), "haar": Haar()}),
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", FRONTS)
def test_gradients_of_both_orders(name):
    def passed(image):
        torch.manual_seed(0)  # the same draws
        return FRONTS[name](image)

    image = torch.rand(1, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(passed, (image,))
    assert gradgradcheck(lambda x: passed(x).square(), (image,), fast_mode=True)


@pytest.mark.parametrize("name", FRONTS)
@settings(deadline=None, max_examples=10)
@given(st.integers(1, 9), st.integers(1, 9))
def test_any_size_and_the_channels_it_states(name, height, width):
    passed = FRONTS[name](torch.rand(2, 3, height, width))
    halved = "haar" in name or name == "chain"
    size = (-(-height // 2), -(-width // 2)) if halved else (height, width)
    assert passed.shape == (2, FRONTS[name].channels(3), *size)
    assert passed.isfinite().all()


def test_channels():
    counts = {name: front.channels(3) for name, front in FRONTS.items()}
    assert counts == dict.fromkeys(FRONTS, 3) | {
        "gray": 1,
        "details": 6,
        "haar": 9,
        "haar_all": 12,
        "chain": 3,
    }


@pytest.mark.parametrize("name", FRONTS)
def test_no_weights_no_keys(name):
    assert not list(FRONTS[name].parameters())
    assert not FRONTS[name].state_dict()


def test_gray_by_hand():
    image = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1)
    assert Gray()(image).item() == pytest.approx(0.299 + 0.587 / 2 + 0.114 / 4)
    assert Gray()(torch.ones(1, 3, 2, 2)).sum().item() == pytest.approx(4)
    assert Raw()(image) is image


def test_high_pass_by_hand():
    image = torch.zeros(1, 1, 7, 7)
    image[..., 3, 3] = 1
    box = HighPass()(image)
    expected = -F.pad(torch.full((5, 5), 1 / 25), [1] * 4)
    expected[3, 3] += 1
    torch.testing.assert_close(box[0, 0], expected)

    taps = torch.exp(-torch.tensor([1.0, 0, 1]) / (2 * 0.8**2))
    kernel = torch.outer(taps, taps) / taps.sum() ** 2
    gaussian = HighPass("gaussian", 3, 0.8)(image)
    torch.testing.assert_close((image - gaussian)[0, 0, 2:5, 2:5], kernel)
    torch.testing.assert_close(
        HighPass("gaussian", 9)(image), HighPass("gaussian", 9, sigma=1.5)(image)
    )


def test_high_pass_repeats_the_border():
    image = torch.rand(2, 3, 6, 8)
    for size in (3, 5):
        padded = F.pad(image, [size // 2] * 4, mode="replicate")
        expected = image - F.avg_pool2d(padded, size, 1)
        torch.testing.assert_close(HighPass("average", size)(image), expected)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(["average", "gaussian"]), st.sampled_from([1, 3, 5, 9]), st.floats(0, 1))
def test_high_pass_of_a_constant_is_0_everywhere(kind, size, level):
    passed = HighPass(kind, size)(torch.full((1, 3, 6, 3), level))
    torch.testing.assert_close(passed, torch.zeros(1, 3, 6, 3), atol=1e-6, rtol=0)


def test_haar_by_hand():
    block = torch.tensor([[8.0, 4.0], [2.0, 1.0]]).view(1, 1, 2, 2)
    bands = Haar(["ll", "lh", "hl", "hh"])(block).flatten().tolist()
    assert bands == [7.5, 4.5, 2.5, 1.5]
    assert Haar("hh")(block).item() == 1.5
    rows = torch.tensor([1.0, 0.0]).view(1, 1, 2, 1).expand(1, 1, 2, 6)  # horizontal stripes
    assert Haar()(rows).abs().amax((0, 2, 3)).tolist() == [1, 0, 0]  # lh alone
    assert Haar()(rows.mT).abs().amax((0, 2, 3)).tolist() == [0, 1, 0]


def test_haar_is_orthonormal_and_ordered_by_band():
    image = torch.rand(2, 3, 6, 8, dtype=torch.float64)
    bands = Haar(("ll", "lh", "hl", "hh"))(image)
    assert bands.square().sum().item() == pytest.approx(image.square().sum().item())
    for band, name in enumerate(("ll", "lh", "hl", "hh")):
        assert torch.equal(bands[:, 3 * band : 3 * band + 3], Haar([name])(image))
    assert torch.equal(Haar()(image), bands[:, 3:])
    signs = torch.tensor([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]) / 2
    blocks = F.unfold(image[:, :1], 2, stride=2)  # (B, 4, places)
    expected = (signs.double() @ blocks).view(2, 4, 3, 4)
    torch.testing.assert_close(bands[:, 0::3], expected)


def test_haar_repeats_the_border_of_odd_sizes():
    image = torch.rand(1, 3, 5, 7)
    padded = F.pad(image, (0, 1, 0, 1), mode="replicate")
    assert torch.equal(Haar()(image), Haar()(padded))


def test_details_survive_autocast():
    image = 0.9 + 0.01 * torch.rand(1, 3, 8, 8)
    for front in (HighPass(), HighPass("gaussian"), Haar(), Gray()):
        expected = front(image)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            torch.testing.assert_close(front(image), expected)
            assert front(image.bfloat16()).isfinite().all()


def test_noise_in_training_only():
    front, image = Noise(0.1), torch.rand(4, 3, 64, 64)
    noise = front(image) - image
    assert noise.mean().item() == pytest.approx(0, abs=0.003)
    assert noise.std().item() == pytest.approx(0.1, rel=0.02)
    one, two = noise[0].flatten(), noise[1].flatten()
    assert abs(torch.corrcoef(torch.stack([one, two]))[0, 1]) < 0.03
    assert not torch.equal(front(image), front(image))
    assert torch.equal(front.eval()(image), image)


def seen_by_three(front):
    """The side of what three pixels of its output see together."""
    window = front.window(Window())
    return 2 * window.jump + window.side


def test_chain_keeps_the_order_and_passes_over_none():
    image = torch.rand(1, 3, 8, 8)
    fronts = {"high": HighPass(), "off": None, "haar": Haar()}
    expected = Haar()(HighPass()(image))
    assert torch.equal(Chain(fronts)(image), expected)
    backwards = Chain(dict(reversed(fronts.items())))
    assert not torch.allclose(backwards(image), expected)
    assert [seen_by_three(chain) for chain in (Chain(fronts), backwards)] == [10, 14]
    assert torch.equal(Chain(Haar())(image), Haar()(image))
    assert Chain()(image) is image


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HighPass("box"), r"`kind` must be one of \['average', 'gaussian'\], .*'box'"),
        (lambda: HighPass(size=4), "`size` must be odd, but got 4"),
        (lambda: HighPass(size=0), "`size` must be an integer of at least 1"),
        (lambda: HighPass(sigma=1.0), "`sigma` must be null for `kind` 'average'"),
        (lambda: HighPass("gaussian", sigma=0), "`sigma` .* got 0 for 'gaussian'"),
        (lambda: Haar(["lh", "h"]), r"`bands` must be one of \['hh', .*got 'h'"),
        (lambda: Haar([]), "`bands` must be one of .*got None"),
        (lambda: Noise(-0.1), "`std` must not be negative, but got -0.1"),
        (lambda: Chain(nn.ReLU()), "`front` must be made of front-ends .* got ReLU"),
        (lambda: Chain({"a": Raw(), "b": "haar"}), "front-ends .* got str"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_details_stand_beside_the_image():
    image = torch.rand(2, 3, 9, 8)
    front = Details(gain=5.0)
    seen = front(image)
    assert seen.shape == (2, front.channels(3), 9, 8)
    torch.testing.assert_close(seen[:, :3], image - 0.5)
    average = torch.nn.functional.avg_pool2d(image, 3, 1)
    torch.testing.assert_close(seen[:, 3:, 1:-1, 1:-1], 5 * (image[..., 1:-1, 1:-1] - average))
    assert front.window(Window()).side == 3
    flat = front(torch.full((1, 3, 5, 5), 0.5))
    torch.testing.assert_close(flat, torch.zeros(1, 6, 5, 5), atol=1e-6, rtol=0)
