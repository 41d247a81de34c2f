"""The plot of the strengths can be read."""

from itertools import combinations

from matplotlib.figure import Figure

from wildsr.report.strength import draw_strengths

ALONG = {  # of the demo
    "bicubic": (23.971, 0.418),
    "0": (25.784, 0.366),
    "0.25": (25.769, 0.350),
    "0.5": (25.717, 0.324),
    "0.75": (25.629, 0.297),
    "1": (25.507, 0.274),
}


def test_no_label_hides_another_or_leaves_the_picture(tmp_path, monkeypatch):
    drawn, save = [], Figure.savefig

    def remember(figure, *args, **kwargs):
        drawn.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", remember)
    along = {name: {"psnr": psnr, "st_lpips": far} for name, (psnr, far) in ALONG.items()}
    draw_strengths(along, 1.0, tmp_path / "strength.png")
    (figure,) = drawn
    labels = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(labels) == len(ALONG)
    assert not any(one.overlaps(other) for one, other in combinations(labels, 2))
    for label in labels:
        assert label.x0 >= 0
        assert label.x1 <= figure.bbox.x1
