"""Drawings: what is best, where labels lie, bytes that stay the same."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.bench.store.results import HistogramRow
from unmask.reports.charts.histogram import Threshold, histogram
from unmask.reports.charts.labels import Rect, place_labels
from unmask.reports.charts.tradeoff import Axis, Point, Reading, pareto_front, tradeoff_plot

UP = Axis("privacy", True, (0.0, 100.0), 99.9)
DOWN = Axis("distance", False, None, None)


def point(name: str, x: float, y: float, control: bool = False) -> Point:
    return Point(name, Reading(x, x - 5, x + 5), Reading(y, y - 3, y + 3), control, False)


def test_pareto_front_follows_the_directions() -> None:
    points = [point("a", 10, 90), point("b", 50, 50), point("c", 40, 40), point("d", 90, 10)]
    assert [p.name for p in pareto_front(points, UP, UP)] == ["a", "b", "d"]
    assert [p.name for p in pareto_front(points, UP, DOWN)] == ["d"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_front_is_what_nothing_beats(values: list[tuple[int, int]]) -> None:
    points = [point(str(i), x, y) for i, (x, y) in enumerate(values)]
    front = {p.name for p in pareto_front(points, UP, UP)}
    for p in points:
        beaten = any(
            q.x.value >= p.x.value and q.y.value >= p.y.value and (q.x.value, q.y.value) != (p.x.value, p.y.value)
            for q in points
        )
        assert (p.name in front) == (not beaten)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(20, 480), st.integers(20, 280)), min_size=1, max_size=7, unique=True))
def test_labels_cover_nothing_where_there_is_room(spots: list[tuple[int, int]]) -> None:
    frame = Rect(0, 0, 500, 300)
    blocked = [Rect(x - 5, y - 5, x + 5, y + 5) for x, y in spots]
    placed = place_labels(spots, [(60.0, 12.0)] * len(spots), frame, blocked)
    for i, box in enumerate(placed):
        # Areas in square pixels; positions are sums of floats.
        assert box.outside(frame) < 1e-6
        assert all(box.overlap(other) < 1e-6 for other in placed[:i] + blocked)


def test_plot_is_stable_themed_and_inert() -> None:
    points = [point("none", 0, 100, control=True), point("$x$ </svg><script>", 70, 60), point("b", 80, 30)]
    first = tradeoff_plot(points, UP, UP, name="p1", title="T")
    assert first == tradeoff_plot(points, UP, UP, name="p1", title="T")
    assert "<script" not in first
    assert re.search(r"<text[^>]*>\$x\$ &lt;/svg&gt;", first)
    assert "var(--ink)" in first
    assert "var(--accent)" in first
    assert not re.search(r"http|xmlns|<\?xml|metadata|#0[0-9a-f]{5}|<style", first)
    ids = re.findall(r' id="([^"]+)"', first)
    assert len(ids) == len(set(ids))
    assert all(i.startswith("p1-") for i in ids)


def test_destroyed_faces_do_not_press_the_rest_flat() -> None:
    row = HistogramRow(
        dataset="d", method="m", metric="eer", instrument="r", edges=[0.0, 1.0, 1.9, 2.0], series={"own": [5, 5, 90]}
    )
    drawn = histogram(row, [], name="h", title="t")
    steps = re.findall(r"V([\d.]+)H", drawn)
    assert steps[0] == steps[1] == steps[2]
    assert "90% ↑" in drawn


def test_histogram_scales_each_series_and_marks_thresholds() -> None:
    row = HistogramRow(
        dataset="d",
        method="m",
        metric="eer",
        instrument="sface",
        edges=[0.0, 0.5, 1.0],
        series={"own": [1, 3], "others <b>": [0, 4000], "nobody": [0, 0]},
    )
    drawn = histogram(row, [Threshold(0.4, "1e-3"), Threshold(7.0, "far")], name="h", title="<t>")
    heights = re.findall(r'class="series s(\d)" d="([^"]+)"', drawn)
    assert [s for s, _ in heights] == ["0", "1", "2"]
    assert drawn.count('class="threshold"') == 1
    assert "others &lt;b&gt;: 4,000 pairs" in drawn
    assert "&lt;t&gt;" in drawn
