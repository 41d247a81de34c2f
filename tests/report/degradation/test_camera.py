"""Moments of kernels by hand, and what the figure shows."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from wildsr.error import UserError
from wildsr.report.degradation.camera import camera_figure, kernel_statistics


def dots(*places, size=5):
    """Equal weights at these (row, column)."""
    kernel = torch.zeros(size, size)
    for row, column in places:
        kernel[row, column] = 1 / len(places)
    return kernel


def state(kernel, level, summary="a camera"):
    brightness = torch.linspace(0, 1, 5)
    return {
        "kernel": kernel,
        "brightness": brightness,
        "noise_std": (level + brightness) / 255,
        "summary": summary,
    }


@pytest.fixture
def figures(monkeypatch):
    """The figures that are saved, in order."""
    seen = []
    save = Figure.savefig

    def noting(figure, *arguments, **named):
        seen.append(figure)
        save(figure, *arguments, **named)

    monkeypatch.setattr(Figure, "savefig", noting)
    return seen


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        # centre x, centre y, major, minor, angle
        ([(2, 2)], (0, 0, 0, 0, 0)),
        ([(1, 4)], (2, -1, 0, 0, 0)),
        ([(2, 1), (2, 3)], (0, 0, 1, 0, 0)),
        ([(0, 2), (4, 2)], (0, 0, 2, 0, 90)),
        ([(1, 1), (3, 3)], (0, 0, math.sqrt(2), 0, 45)),
        ([(3, 1), (1, 3)], (0, 0, math.sqrt(2), 0, 135)),
        # +-2 along x and +-1 along y, half of the weight each: variances 2 and 1/2
        ([(2, 0), (2, 4), (1, 2), (3, 2)], (0, 0, math.sqrt(2), math.sqrt(0.5), 0)),
        ([(1, 2), (3, 2), (2, 1), (2, 3)], (0, 0, math.sqrt(0.5), math.sqrt(0.5), 0)),
    ],
)
def test_statistics_by_hand(places, expected):
    keys = ["centre_x", "centre_y", "sigma_major", "sigma_minor", "angle_degrees"]
    statistics = kernel_statistics(dots(*places))
    assert list(statistics) == keys
    assert list(statistics.values()) == pytest.approx(expected, abs=1e-6)


def test_an_even_kernel_has_its_middle_between_pixels():
    assert kernel_statistics(torch.full((4, 4), 1 / 16))["centre_x"] == pytest.approx(0)
    assert kernel_statistics(dots((1, 2), size=4))["centre_x"] == pytest.approx(0.5)


@settings(deadline=None, max_examples=20)
@given(
    major=st.floats(2, 3),
    minor=st.floats(1, 1.8),
    angle=st.floats(0, 179),
    total=st.floats(0.1, 10),
)
def test_statistics_of_a_gaussian(major, minor, angle, total):
    offset = torch.arange(-20.0, 21.0).double()
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, across = (x * cos + y * sin) / major, (y * cos - x * sin) / minor
    gaussian = torch.exp(-(along**2 + across**2) / 2)
    found = kernel_statistics(total * gaussian / gaussian.sum())
    assert found["sigma_major"] == pytest.approx(major, abs=1e-3)
    assert found["sigma_minor"] == pytest.approx(minor, abs=1e-3)
    difference = abs(found["angle_degrees"] - angle) % 180
    assert min(difference, 180 - difference) < 0.1


@pytest.mark.parametrize(
    "kernel", [torch.zeros(3, 3), torch.full((3, 3), math.nan), torch.rand(1, 3, 3)]
)
def test_mistakes(kernel):
    with pytest.raises(UserError, match="`kernel`"):
        kernel_statistics(kernel)


def test_figure_shows_the_three_cameras_alike(figures, tmp_path):
    learned = state(dots((3, 2), (3, 4), size=7).requires_grad_(), 2)
    true, start = state(dots((2, 2)), 3), state(dots((1, 2), (3, 2)), 1)
    camera_figure(learned, true, tmp_path / "new" / "camera.png", start)
    with Image.open(tmp_path / "new" / "camera.png") as picture:
        assert picture.format == "PNG"
        assert len(np.unique(np.asarray(picture))) > 50
    (figure,) = figures
    kernels, noise = figure.axes[:3], figure.axes[3]
    assert [panel.get_title() for panel in kernels] == [
        "Kernel, start\n1.00 x 0.00 px, 90°",
        "Kernel, learned\n1.00 x 0.00 px, 0°",
        "Kernel, true\n0.00 px",
    ]
    assert {panel.images[0].norm.vmax for panel in kernels} == {1.0}
    assert {panel.get_xlim() for panel in kernels} == {(-3.5, 3.5)}
    shown = np.asarray(kernels[1].images[0].get_array())
    np.testing.assert_array_equal(shown, learned["kernel"].detach().numpy())
    lines = {line.get_label(): line.get_ydata() for line in noise.lines}
    assert {name: list(np.round(levels[[0, -1]], 4)) for name, levels in lines.items()} == {
        "start": [1, 2],
        "learned": [2, 3],
        "true": [3, 4],
    }


def test_figure_of_an_unknown_camera(figures, tmp_path):
    long = "blur and noise " * 40
    camera_figure(state(dots((2, 2)), 2, summary=long), None, tmp_path / "camera.png")
    (figure,) = figures
    assert [line.get_label() for line in figure.axes[1].lines] == ["learned"]
    said = figure.get_supxlabel()
    assert said.split() == f"learned: {long}".split()
    # All of the text is inside the picture, below the plots.
    FigureCanvasAgg(figure).draw()
    label = figure._supxlabel.get_window_extent()
    assert label.x0 >= 0
    assert label.x1 <= figure.bbox.x1
    assert label.y1 < figure.axes[1].get_tightbbox().y0
