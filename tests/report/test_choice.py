"""The Pareto front against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from wildsr.report.choice import undominated

POINTS = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=8)


def test_by_hand():
    assert undominated([(1, 4), (2, 2), (3, 3), (4, 1), (2, 2)]) == [True, True, False, True, True]


@given(POINTS)
def test_a_point_is_kept_unless_another_beats_it(points):
    def beats(a, b):
        return all(x <= y for x, y in zip(a, b, strict=True)) and a != b

    assert undominated(points) == [not any(beats(a, b) for a in points) for b in points]
    assert any(undominated(points))


@given(POINTS)
def test_each_metrics_best_is_on_the_front(points):
    kept = undominated(points)
    for axis in range(3):
        least = min(point[axis] for point in points)
        assert any(keep and p[axis] == least for keep, p in zip(kept, points, strict=True))
