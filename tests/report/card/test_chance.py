"""The margin of a comparison against the textbook's."""

import pytest
import torch
from scipy.stats import t as student

from wildsr.report.card.chance import compare
from wildsr.report.card.entry.entry import AGREES, DIFFERS, UNKNOWN, state_of, too_few


def mean(photos):
    return photos.mean(-2)


def test_the_margin_of_means_is_welchs():
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(20, 1, generator=generator, dtype=torch.float64)
    fake = 3 + 2 * torch.randn(12, 1, generator=generator, dtype=torch.float64)
    found = compare(real, fake, mean, seed=0)
    assert found.difference.item() == pytest.approx((fake.mean() - real.mean()).item())
    error = (real.var() / 20 + fake.var() / 12).sqrt().item()
    assert found.margin.item() == pytest.approx(student.ppf(0.995, 11) * error, rel=0.12)


def test_several_statistics_share_the_error():
    photos = torch.randn(10, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    one = compare(photos, photos, mean, seed=0)
    three = compare(photos.expand(-1, 3), photos.expand(-1, 3), mean, seed=0)
    factor = student.ppf(1 - 0.01 / 6, 9) / student.ppf(0.995, 9)
    assert (three.margin / one.margin).tolist() == pytest.approx([factor] * 3)


def test_one_photo_has_no_margin():
    photo = torch.ones(1, 1, dtype=torch.float64)
    assert compare(photo, photo, mean, seed=0).margin.isnan().all()


@pytest.mark.parametrize(
    ("difference", "margin", "state"),
    [
        (2.0, 1.5, DIFFERS),
        (-2.0, 1.5, DIFFERS),
        (2.0, 2.5, AGREES),  # could be chance
        (0.9, 0.1, AGREES),  # does not matter
        (2.0, 3.5, UNKNOWN),  # chance could hide one that matters
        (4.0, 3.5, DIFFERS),
        (float("nan"), 1.0, UNKNOWN),
        (1.0, float("nan"), UNKNOWN),
    ],
)
def test_states(difference, margin, state):
    assert state_of(difference, margin, tolerance=1.0) == state


def test_too_few_photos_are_counted():
    assert too_few([1] * 4, [1] * 9) == ""
    assert "(2 real, 9 generated; at least 4 of each)" in too_few([1] * 2, [1] * 9)
