"""Impulses and stripes: as many and as strong as they are said to be."""

import pytest
import torch

from wildsr.degradation.defects import SOUND, Defects, draw_defects, spoiled


def made(defects, channels=3, seed=0):
    torch.manual_seed(seed)
    image = torch.full((4, channels, 96, 80), 0.5, dtype=torch.float64)
    return spoiled(image, defects, draw_defects(image)) - image


def test_a_sound_sensor_changes_nothing():
    assert not SOUND
    assert str(SOUND) == ""
    assert not made(SOUND).any()


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("together", [0.0, 0.5, 1.0])
def test_the_share_of_impulses_and_of_those_of_all_channels(channels, together):
    defects = Defects(0.1, together, (0.0, 0.25, 1.0))
    hit = made(defects, channels) != 0
    assert float(hit.float().mean()) == pytest.approx(0.1, abs=0.012)
    if channels > 1:
        share = float(hit.all(1).sum() * channels / hit.sum())
        assert share == pytest.approx(together, abs=0.06)


def test_impulses_take_each_value_alike():
    change = made(Defects(0.3, 0.5, (0.0, 0.25, 0.75, 1.0)))
    values = (change[change != 0] + 0.5).tolist()
    shares = [sum(v == value for v in values) / len(values) for value in (0.0, 0.25, 0.75, 1.0)]
    assert shares == pytest.approx([0.25] * 4, abs=0.03)


@pytest.mark.parametrize(("rows", "columns"), [(0.02, 0.0), (0.0, 0.03), (0.02, 0.03)])
def test_stripes_are_of_rows_and_of_columns(rows, columns):
    change = made(Defects(rows=rows, columns=columns))
    assert torch.equal(change[:, 0], change[:, 2])
    assert float(change.mean(3).std()) == pytest.approx(rows, rel=0.15, abs=0.005)
    assert float(change.mean(2).std()) == pytest.approx(columns, rel=0.15, abs=0.005)


def test_hit_values_have_no_gradient():
    image = torch.full((1, 3, 32, 32), 0.4, requires_grad=True)
    out = spoiled(image, Defects(0.2, 1.0), draw_defects(image))
    (gradient,) = torch.autograd.grad(out.sum(), image)
    assert torch.equal(gradient == 0, (out != 0.4).detach())


def test_it_says_what_it_has():
    said = str(Defects(0.02, 1.0, (0.0, 1.0), 4 / 255, 2 / 255))
    assert said == (
        "2.0% of the values are impulses, each row is 4.0/255 lighter or darker, "
        "each column is 2.0/255 lighter or darker"
    )
