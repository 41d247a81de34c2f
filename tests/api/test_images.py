"""Arrays and tensors into the library's form and back."""

import numpy as np
import pytest
import torch
from PIL import Image

from wildsr.api.images import is_gray, tensor_of
from wildsr.error import UserError


def kinds():
    """An image of every kind that is taken, with its number of channels."""
    draw = np.random.default_rng(0)
    for shape in ((5, 7), (5, 7, 1), (5, 7, 3)):
        yield draw.integers(0, 256, shape).astype(np.uint8)
        yield draw.integers(0, 65536, shape).astype(np.uint16)
        for dtype in (np.float16, np.float32, np.float64):
            yield draw.random(shape).astype(dtype)
    for shape in ((1, 5, 7), (3, 5, 7), (2, 1, 5, 7), (2, 3, 5, 7)):
        yield torch.from_numpy(draw.integers(0, 256, shape).astype(np.uint8))
        for dtype in (torch.bfloat16, torch.float32, torch.float64):
            yield torch.from_numpy(draw.random(shape)).to(dtype)


@pytest.mark.parametrize("image", kinds(), ids=lambda i: f"{type(i).__name__}{i.shape}{i.dtype}")
def test_there_and_back(image):
    pixels, back = tensor_of(image, "image")
    batch = image.shape[0] if image.ndim == 4 else 1
    assert pixels.shape == (batch, 3, 5, 7)
    assert pixels.dtype == torch.float32
    assert 0 <= pixels.min() <= pixels.max() <= 1
    again = back(pixels)
    assert type(again) is type(image)
    assert again.shape == image.shape
    assert again.dtype == image.dtype
    close = np.allclose if isinstance(image, np.ndarray) else torch.allclose
    assert close(again, image, atol=1e-6)
    assert is_gray(image) == (1 in (image.shape[-1], image.shape[-3:][0]) or image.ndim == 2)


def test_the_first_row_of_an_array_is_the_first_row_of_the_tensor():
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 5] = 255, 0, 51
    assert torch.allclose(tensor_of(image, "image")[0][0, :, 0, 5], torch.tensor([1, 0, 0.2]))


def test_results_outside_are_clamped_and_rounded():
    _, back = tensor_of(np.zeros((1, 3), np.uint8), "image")
    made = torch.tensor([-0.2, 1.3, 127.6 / 255]).expand(1, 3, 1, 3)
    assert back(made).tolist() == [[0, 255, 128]]


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4, 5), np.uint8), r"got an array of uint8, shape \(4, 4, 5\)"),
        (np.zeros((3, 8, 8), np.float32), r"shape \(3, 8, 8\)"),
        (np.zeros((2, 8, 8, 3)), r"shape \(2, 8, 8, 3\)"),
        (np.zeros((0, 8, 3)), r"shape \(0, 8, 3\)"),
        (np.zeros((8, 8), np.int64), "an array of int64"),
        (np.zeros((8, 8), bool), "an array of bool"),
        (torch.zeros(8, 8, 3), r"a tensor of torch.float32, shape \(8, 8, 3\)"),
        (torch.zeros(8, 8), r"shape \(8, 8\)"),
        (torch.zeros(3, 8, 8, dtype=torch.int32), "torch.int32"),
        (np.full((4, 4, 3), 200.0), "values go from 200 to 200"),
        (np.full((4, 4, 3), np.nan), "values go from nan to nan"),
        (torch.full((3, 4, 4), torch.inf), "to inf"),
        (Image.new("RGB", (4, 4)), "numpy.asarray turns a Pillow image"),
        ([[0.5]], "got list"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_image(image, said):
    with pytest.raises(UserError, match=f"Argument `photo` must .*{said}"):
        tensor_of(image, "photo")
