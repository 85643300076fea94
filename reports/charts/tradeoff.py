"""Privacy against usefulness: every method a point with its intervals, the control, chance, and the Pareto front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unmask.reports.charts.labels import Rect, place_labels
from unmask.reports.charts.svg import ACCENT, INK, MUTED, PAPER, RC, inline_svg


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with its interval, already in the unit of its axis."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Point:
    name: str
    x: Reading
    y: Reading
    control: bool
    destroys: bool
    """Drawn hollow: most of its faces are gone."""


@dataclass(frozen=True, slots=True)
class Axis:
    title: str
    higher_is_better: bool
    limits: tuple[float, float] | None
    """``None`` = from the points."""
    chance: float | None


def pareto_front(points: Sequence[Point], x: Axis, y: Axis) -> list[Point]:
    """The points that no other point beats on one axis without losing on the other, from left to right."""

    def goodness(p: Point) -> tuple[float, float]:
        return (
            p.x.value if x.higher_is_better else -p.x.value,
            p.y.value if y.higher_is_better else -p.y.value,
        )

    def beaten(p: Point) -> bool:
        a, b = goodness(p)
        return any((c >= a and d >= b) and (c > a or d > b) for c, d in map(goodness, points))

    return sorted((p for p in points if not beaten(p)), key=lambda p: (p.x.value, p.y.value, p.name))


def tradeoff_plot(points: Sequence[Point], x: Axis, y: Axis, *, name: str, title: str) -> Markup:
    """An inline SVG. ``name``: letters, digits and ``-``, distinct on its page."""
    contestants = [p for p in points if not p.control]
    front = pareto_front(contestants, x, y)
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(8.2, 5.2), dpi=72, layout="constrained")
        axes = figure.add_subplot()
        _frame(axes, x, y)
        _reference_lines(axes, x, y, points)
        if len(front) > 1:
            _draw_front(axes, front, x)
        for point in points:
            _draw_point(axes, point)
        _write_labels(figure, axes, points)
    return inline_svg(figure, name, title, _describe(points, front, x, y))


def _frame(axes: Axes, x: Axis, y: Axis) -> None:
    axes.set_xlabel(x.title)
    axes.set_ylabel(y.title)
    axes.grid(color=MUTED, alpha=0.18, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.08)
    if x.limits:
        axes.set_xlim(*_padded(x.limits))
    if y.limits:
        axes.set_ylim(*_padded(y.limits))


def _padded(limits: tuple[float, float]) -> tuple[float, float]:
    pad = (limits[1] - limits[0]) * 0.04
    return limits[0] - pad, limits[1] + pad


def _reference_lines(axes: Axes, x: Axis, y: Axis, points: Sequence[Point]) -> None:
    """Dotted lines at chance, dashed lines at the control, named outside the frame where no point can be."""
    control = next((p for p in points if p.control), None)
    for axis, horizontal in ((x, False), (y, True)):
        lines = [] if axis.chance is None else [(axis.chance, "chance", (0, (1, 3)))]
        if control is not None:
            lines.append(((control.y if horizontal else control.x).value, "control", (0, (6, 3))))
        for value, _, dashes in lines:
            draw = axes.axhline if horizontal else axes.axvline
            draw(value, color=MUTED, linewidth=1.0, linestyle=dashes, zorder=1)
        for value, text in _merged([(v, t) for v, t, _ in lines], axis):
            _name_line(axes, value, text, horizontal)


def _merged(names: Sequence[tuple[float, str]], axis: Axis) -> list[tuple[float, str]]:
    """Names that would stand on one another become one."""
    if len(names) == 2 and axis.limits and abs(names[0][0] - names[1][0]) < 0.1 * (axis.limits[1] - axis.limits[0]):
        return [(names[1][0], " / ".join(text for _, text in names))]
    return list(names)


def _name_line(axes: Axes, value: float, text: str, horizontal: bool) -> None:
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": 9, "color": MUTED, "annotation_clip": False}
    if horizontal:
        axes.annotate(text, (1, value), xycoords=("axes fraction", "data"), xytext=(4, 0), va="center", **style)
    else:
        axes.annotate(
            text, (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 4), ha="center", va="bottom", **style
        )


def _draw_front(axes: Axes, front: Sequence[Point], x: Axis) -> None:
    xs, ys = [p.x.value for p in front], [p.y.value for p in front]
    # Between two methods only the worse of both is reached for certain: a staircase, not a slope.
    corners = [(xs[0], ys[0])]
    for (x0, y0), (x1, y1) in zip(zip(xs, ys, strict=True), zip(xs[1:], ys[1:], strict=True), strict=False):
        corners += [(x0, y1) if x.higher_is_better else (x1, y0), (x1, y1)]
    axes.plot([c[0] for c in corners], [c[1] for c in corners], color=ACCENT, linewidth=6, alpha=0.2, zorder=2)


def _draw_point(axes: Axes, point: Point) -> None:
    colour = MUTED if point.control else ACCENT
    for reading, across in ((point.x, True), (point.y, False)):
        if reading.low is not None and reading.high is not None:
            ends, level = [reading.low, reading.high], [point.y.value if across else point.x.value] * 2
            axes.plot(*((ends, level) if across else (level, ends)), color=colour, linewidth=1.2, zorder=3)
    axes.plot(
        [point.x.value],
        [point.y.value],
        marker="D" if point.control else "o",
        markersize=7 if point.control else 8,
        color=colour,
        markerfacecolor=PAPER if point.destroys else colour,
        markeredgewidth=1.6,
        linestyle="none",
        zorder=4,
        clip_on=False,
    )


def _write_labels(figure: Figure, axes: Axes, points: Sequence[Point]) -> None:
    draw: Callable[[], None] = FigureCanvasAgg(figure).draw
    draw()  # settles the layout, so that places in pixels are known
    figure.set_layout_engine("none")
    to_pixels = axes.transData.transform
    obstacles = [rect for line in axes.lines for rect in _segments(line.get_transform().transform(line.get_xydata()))]
    spots = []
    for point in points:
        px, py = (float(v) for v in to_pixels((point.x.value, point.y.value)))
        spots.append((px, py))
        obstacles.append(Rect(px - 6, py - 6, px + 6, py + 6))
    names = [shorten(p.name) for p in points]
    sizes = [_text_size(figure, name) for name in names]
    b = axes.get_window_extent()
    boxes = place_labels(spots, sizes, Rect(b.x0 + 2, b.y0 + 2, b.x1 - 2, b.y1 - 2), obstacles)
    back = axes.transData.inverted().transform
    for name, box, (px, py), point in zip(names, boxes, spots, points, strict=True):
        x, y = back((box.left, (box.bottom + box.top) / 2))
        axes.text(x, y, name, fontsize=11, va="center_baseline", ha="left", color=INK, zorder=6)
        near = (min(max(px, box.left), box.right), min(max(py, box.bottom), box.top))
        if (near[0] - px) ** 2 + (near[1] - py) ** 2 > 16**2:
            end = back(near)
            axes.plot([point.x.value, end[0]], [point.y.value, end[1]], color=MUTED, linewidth=0.7, zorder=2)


def _segments(path: Any) -> list[Rect]:
    """The pieces of a drawn line, all of which run along an axis, as thin boxes."""
    return [
        Rect(min(a[0], b[0]) - 1, min(a[1], b[1]) - 1, max(a[0], b[0]) + 1, max(a[1], b[1]) + 1)
        for a, b in zip(path[:-1].tolist(), path[1:].tolist(), strict=True)
    ]


def _text_size(figure: Figure, text: str) -> tuple[float, float]:
    probe = figure.text(0, 0, text, fontsize=11)
    box = probe.get_window_extent()
    probe.remove()
    return float(box.width), float(box.height)


def shorten(name: str, limit: int = 30) -> str:
    """Long labels would push each other off the plot."""
    return name if len(name) <= limit else name[: limit - 1] + "…"


def _describe(points: Sequence[Point], front: Sequence[Point], x: Axis, y: Axis) -> str:
    each = "; ".join(f"{p.name}: {p.x.value:.1f}, {p.y.value:.1f}" for p in points)
    best = ", ".join(p.name for p in front) or "none"
    return f"Horizontal: {x.title}. Vertical: {y.title}. Points (horizontal, vertical): {each}. Pareto front: {best}."
