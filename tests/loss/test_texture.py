import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck

from wildsr.error import UserError
from wildsr.loss.texture import Texture, absolute, frobenius, gram, windows
from wildsr.network.trunk.encoder import load_encoder


def compare(loss, prediction, target):
    return loss(prediction=loss.encoder(prediction), target=loss.encoder(target))


def test_gram_by_hand():
    features = torch.tensor([[1.0, 2.0], [3.0, -1.0]]).view(1, 2, 1, 2)  # C = 2, H W = 2
    expected = torch.tensor([[[1 + 4, 3 - 2], [3 - 2, 9 + 1]]]) / 4
    assert torch.equal(gram(features), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert gram(features / 3).dtype == torch.float32
        torch.testing.assert_close(gram(features / 3), expected / 9)
    large = torch.full((1, 1, 1, 1), 300, dtype=torch.float16)
    assert gram(large).item() == 90_000  # infinite in float16


def test_distances_by_hand():
    difference = torch.tensor([[[1.0, -2], [-2, 0]], [[0, 0], [0, 3]]])
    assert frobenius(difference).item() == ((1 + 4 + 4) + 9) / 2
    assert absolute(difference).item() == (1 + 2 + 2 + 3) / 8


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000))
def test_gram_forgets_positions(seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(1, 3, 4, 5, generator=generator)
    shuffled = features.flatten(2)[..., torch.randperm(20, generator=generator)].view(1, 3, 4, 5)
    torch.testing.assert_close(gram(shuffled), gram(features))


def test_windows_by_hand():
    image = torch.arange(30.0).view(1, 1, 5, 6)
    squares = windows(image, 2)
    assert squares.shape == (1, 6, 1, 2, 2)
    assert squares[0, 0, 0].tolist() == [[0, 1], [6, 7]]
    assert squares[0, 4, 0].tolist() == [[14, 15], [20, 21]]  # second row, second column
    assert torch.equal(windows(image, 5)[0, 0, 0], image[0, 0, :, :5])


@pytest.mark.parametrize("kind", ["frobenius", "l1"])
def test_layers_add_up(kind, on_disk):
    a, b = torch.rand(2, 2, 3, 8, 8)
    encoder = load_encoder("vgg19")
    expected = 0
    for layer, weight in (("relu1_1", 0.3), ("conv2_1", 2)):
        for x, y in zip(encoder(a)[layer], encoder(b)[layer], strict=True):
            f, g = x.flatten(1), y.flatten(1)
            difference = (f @ f.T - g @ g.T) / f.numel()
            measure = {"frobenius": difference.norm() ** 2, "l1": difference.abs().mean()}
            expected += weight * measure[kind] / 2  # the mean of two images
    loss = Texture({"relu1_1": 0.3, "conv2_1": 2}, kind=kind)
    torch.testing.assert_close(compare(loss, a, b), expected, rtol=1e-4, atol=0)


def test_patches(on_disk):
    a, b = torch.rand(2, 1, 3, 12, 8)
    whole, patched = Texture({"conv2_1": 1}), Texture({"conv2_1": 1}, patch=4)
    fa, fb = (patched.encoder(x)["conv2_1"] for x in (a, b))
    squares = [
        frobenius(gram(fa[..., i : i + 2, j : j + 2]) - gram(fb[..., i : i + 2, j : j + 2]))
        for i in (0, 2, 4)
        for j in (0, 2)
    ]
    torch.testing.assert_close(compare(patched, a, b), torch.stack(squares).mean())
    one = Texture({"conv2_1": 1}, patch=8)  # the lower four rows fill no square
    assert compare(one, a, b) != compare(whole, a, b)
    torch.testing.assert_close(
        compare(one, *(x[..., :8, :] for x in (a, b))),
        compare(whole, *(x[..., :8, :] for x in (a, b))),
    )


@pytest.mark.parametrize("patch", [None, 4])
def test_zero_for_equal_images_and_only_the_prediction_learns(patch, on_disk):
    loss = Texture({"relu1_1": 1, "relu3_1": 1}, patch=patch)
    a, b = (x.requires_grad_() for x in torch.rand(2, 1, 3, 8, 8))
    assert compare(loss, a, a) == 0
    compare(loss, a, b).backward()
    assert a.grad.abs().sum() > 0
    assert b.grad is None
    assert loss.state_dict() == {}


def test_swapped_patches_differ_only_in_place(on_disk):
    """Texture of the whole image does not see what patches see."""
    image = torch.rand(1, 3, 8, 32)
    moved = image.roll(16, 3)
    whole, patched = Texture({"conv1_1": 1}), Texture({"conv1_1": 1}, patch=8)
    assert compare(whole, image, moved) < 0.05 * compare(patched, image, moved)


@pytest.mark.parametrize(("kind", "patch"), [("frobenius", None), ("l1", 2)])
def test_gradient(kind, patch, on_disk):
    loss = Texture({"conv1_1": 1, "relu2_1": 0.5}, kind=kind, patch=patch)
    a, b = torch.rand(2, 1, 3, 4, 4, dtype=torch.float64)
    assert gradcheck(lambda x: compare(loss, x, b), (a.requires_grad_(),), fast_mode=True)


def test_gray(on_disk):
    loss = Texture({"conv2_1": 1})
    a, b = torch.rand(2, 1, 1, 8, 8)
    colour = compare(loss, a.expand(1, 3, 8, 8), b.expand(1, 3, 8, 8))
    assert torch.equal(compare(loss, a, b), colour)


def test_mistakes_are_named(on_disk):
    with pytest.raises(UserError, match=r"Did you mean 'relu4_1'"):
        Texture({"relu41": 1})
    with pytest.raises(UserError, match=r"`kind` must be one of \['frobenius', 'l1'\]"):
        Texture({"relu4_1": 1}, kind="l2")
    Texture({"relu1_1": 1, "relu4_1": 1}, patch=24)
    for patch in (12, 0, -8, 8.0):
        with pytest.raises(UserError, match=rf"multiple of 8, .* 'relu4_1', but got {patch}\."):
            Texture({"relu4_1": 1}, patch=patch)
    loss = Texture({"relu2_1": 1}, patch=16)
    with pytest.raises(UserError, match=r"at least 16 pixels, the patch"):
        compare(loss, *torch.rand(2, 1, 3, 16, 15))
    with pytest.raises(UserError, match=r"'relu2_1' of vgg19 needs .* at least 2 pixels"):
        compare(Texture({"relu2_1": 1}), *torch.rand(2, 1, 3, 8, 1))
    with pytest.raises(UserError, match=r"same shape"):
        compare(loss, torch.rand(1, 3, 16, 16), torch.rand(2, 3, 16, 16))
