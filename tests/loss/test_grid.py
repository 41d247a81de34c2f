"""The loss on the pattern of an upscaler's own grid."""

import pytest
import torch

from wildsr.error import UserError
from wildsr.loss.grid import Grid, grid_pattern


def photo(seed=0, size=64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, size, size, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("period", "size"), [(2, 64), (3, 62), (4, 64), (8, 67)])
def test_it_is_the_amplitude_of_a_pattern_of_its_period(period, size):
    truth = photo(size=size)
    pattern = torch.randn(period, period, generator=torch.Generator().manual_seed(1)).double()
    pattern -= pattern.mean()
    cells = -(-size // period)
    made = truth + 0.01 * pattern.repeat(cells, cells)[:size, :size]
    expected = 0.01 * pattern.square().mean().sqrt()
    assert Grid(period)(made, truth).item() == pytest.approx(expected.item(), abs=1.5e-4)
    torch.testing.assert_close(
        grid_pattern(made, truth, period), (0.01 * pattern).expand(2, 3, 1, period, period)
    )


def test_in_windows_it_sees_a_pattern_that_comes_and_goes():
    truth = photo()
    grid = torch.zeros(4, 4, dtype=torch.float64)
    grid[0, 0], grid[2, 2] = 0.1, -0.1
    made = truth + grid.repeat(16, 16)
    made[..., 32:] = truth[..., 32:] - grid.repeat(16, 8)
    assert Grid(4)(made, truth) < 1e-6
    assert Grid(4, cells=4)(made, truth).item() == pytest.approx(0.1 * (2 / 16) ** 0.5, rel=0.01)
    assert grid_pattern(made, truth, 4, 4).shape == (2, 3, 16, 4, 4)
    # the left upper window, cell by cell
    cells = (made - truth)[0, 0, :16, :16].reshape(4, 4, 4, 4).mean(dim=(0, 2))
    torch.testing.assert_close(grid_pattern(made, truth, 4, 4)[0, 0, 0], cells - cells.mean())


def test_a_change_of_brightness_or_detail_is_hardly_a_grid():
    truth = photo()
    assert Grid(4)(truth, truth).item() == 0
    assert Grid(4)(truth + 0.1, truth).item() < 1e-4
    noise = 0.05 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(2))
    assert Grid(4)(truth + noise, truth).item() < 0.05 / 10  # 256 cells average out


def test_its_gradient_takes_the_grid_away():
    truth = photo()
    grid = torch.zeros(4, 4, dtype=torch.float64)
    grid[0, 0] = 0.02
    made = (truth + grid.repeat(16, 16)).requires_grad_()
    before = Grid(4)(made, truth)
    (gradient,) = torch.autograd.grad(before, made)
    assert Grid(4)((made - 100 * gradient).detach(), truth) < before / 2


@pytest.mark.parametrize("period", [0, 2.0, "4"])
def test_a_period_that_is_none_is_refused(period):
    with pytest.raises(UserError, match="`period`"):
        Grid(period)


def test_images_smaller_than_a_cell_are_refused():
    with pytest.raises(UserError, match="sides of at least 8"):
        Grid(8)(photo(size=7), photo(size=7))
