import pytest
import torch

from wildsr.degradation.draw import draws_for, normal
from wildsr.error import UserError


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def test_each_sample_draws_from_its_own_generator():
    like = torch.zeros(1)
    together = normal((3, 2, 40), generators(5, 6, 7), like)
    alone = [torch.randn(2, 40, generator=generator) for generator in generators(5, 6, 7)]
    assert torch.equal(together, torch.stack(alone))


def test_without_generators_torchs_own_draws():
    torch.manual_seed(3)
    numbers = normal((2, 30), None, torch.zeros(1))
    torch.manual_seed(3)
    assert torch.equal(numbers, torch.randn(2, 30))


@pytest.mark.parametrize("some", [None, 0])
def test_numbers_have_float32_at_least(some):
    given = None if some is None else generators(1, 2)
    assert normal((2, 3), given, torch.zeros(1).bfloat16()).dtype == torch.float32
    assert normal((2, 3), given, torch.zeros(1).double()).dtype == torch.float64


def test_numbers_are_standard_normal():
    numbers = normal((4, 3, 100, 100), generators(1, 2, 3, 4), torch.zeros(1)).flatten(1)
    assert numbers.mean(1).abs().max() < 4 / 30000**0.5
    assert (numbers.var(1) - 1).abs().max() < 4 * (2 / 30000) ** 0.5
    assert (torch.corrcoef(numbers) - torch.eye(4)).abs().max() < 5 / 30000**0.5


def test_given_draws_are_taken():
    image = torch.zeros(2, 3, 4, 5)
    draws = torch.randn(2, 3, 4, 5)
    assert draws_for(image, draws, None) is draws
    expected = normal((2, 3, 4, 5), generators(1, 2), image)
    assert torch.equal(draws_for(image, None, generators(1, 2)), expected)


@pytest.mark.parametrize(
    ("draws", "given", "message"),
    [
        (None, generators(1), "`generators` must be 2 generators, .* but got 1"),
        (None, torch.Generator(), "`generators` must be 2 generators, .* but got Generator"),
        (None, [1, 2], "`generators` must hold generators of the CPU, but got 1"),
        (torch.zeros(2, 3, 4, 5), generators(1, 2), "`draws` or `generators` must be left out"),
        (torch.zeros(2, 1, 4, 5), None, r"`draws` must have the shape .* but got \(2, 1, 4, 5\)"),
    ],
)
def test_mistakes(draws, given, message):
    with pytest.raises(UserError, match=message):
        draws_for(torch.zeros(2, 3, 4, 5), draws, given)
