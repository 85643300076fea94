"""Curves of attacks: cumulative match characteristics, detection error trade-offs, and names by the size of a gallery.

Every curve has its own dashes and markers beside its place in the legend, so that drawings can be read without colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from unmask.bench.store.attack_rows import GalleryPoint
from unmask.reports.charts.svg import ACCENT, INK, MUTED, PAPER, RC, inline_svg

_DASHES: Final = ((), (6, 2), (1, 2), (6, 2, 1, 2), (10, 3))
_MARKERS: Final = ("o", "s", "^", "D", "v", "X", "P")
"""Neither number divides the other, so that the first 35 curves differ in one of both."""
_MARKS: Final = 6
"""Markers on a curve."""
_LEAST: Final = 1e-4
"""Rates below it are drawn there: a logarithm has no zero."""
_DECADES: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    x: Sequence[float]
    y: Sequence[float]
    control: bool = False


def cmc_plot(curves: Sequence[Curve], chance: Curve, *, name: str, title: str) -> Markup:
    """Share of searches (0..1) by rank (1, 2, ...); ``chance``: dotted. ``name``: distinct on its page."""
    with matplotlib.rc_context(RC):
        figure, axes = _frame("people looked at, the most alike first", "searches that name the right person, %")
        axes.plot(chance.x, [100 * v for v in chance.y], color=MUTED, linewidth=1.2, dashes=(1, 3), label=chance.name)
        for k, curve in enumerate(curves):
            _draw(axes, curve, [100 * v for v in curve.y], k)
        axes.set_ylim(-2, 102)
        _legend(axes)
    ends = "; ".join(
        f"{c.name}: {100 * c.y[0]:.1f} % at rank 1, {100 * c.y[-1]:.1f} % at rank {len(c.y)}" for c in curves
    )
    return inline_svg(figure, name, title, f"{ends}. Guessing: {100 * chance.y[0]:.2f} % at rank 1.")


def det_plot(curves: Sequence[Curve], *, name: str, title: str) -> Markup:
    """False non-match rate by false match rate, both 0..1, on logarithmic axes."""
    with matplotlib.rc_context(RC):
        figure, axes = _frame("false match rate, %", "false non-match rate, %")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(FixedLocator(_DECADES))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}"))
        axes.set_xlim(_LEAST, 1.1)
        axes.set_ylim(_LEAST, 1.4)
        guessing = [_LEAST, *(k / 100 for k in range(1, 100)), 0.999]
        missed = [1 - v for v in guessing]
        axes.plot(guessing, missed, color=MUTED, linewidth=1.2, dashes=(1, 3), label="guessing")
        for k, curve in enumerate(curves):
            points = Curve(curve.name, [max(v, _LEAST) for v in curve.x], [], curve.control)
            _draw(axes, points, [max(v, _LEAST) for v in curve.y], k)
        _legend(axes)
    each = "; ".join(f"{c.name}: {100 * missed_at(c.x, c.y, 0.01):.1f} %" for c in curves)
    words = f"False non-match rate at a false match rate of 1 %, higher is more private: {each}."
    return inline_svg(figure, name, title, words)


def missed_at(fmr: Sequence[float], fnmr: Sequence[float], most: float) -> float:
    """The lowest false non-match rate of those points whose false match rate is at most ``most``; 1 = there is none."""
    return min((missed for false, missed in zip(fmr, fnmr, strict=True) if false <= most), default=1.0)


def gallery_plot(rows: Sequence[GalleryPoint], *, name: str, title: str) -> Markup:
    """Share of searches that name the right person (0..1) by the people in the gallery, on a logarithmic axis.

    Measured sizes are points; where a model reaches, it is a dashed line in its band; guessing is dotted. Nothing is
    drawn where a row has neither. ``name``: distinct on its page.
    """
    measured = [(row.size, 100 * row.measured) for row in rows if row.measured is not None]
    model = [row for row in rows if row.modelled is not None]
    sizes = [row.size for row in rows if row.measured is not None or row.modelled is not None] or [1, 10]
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(5.4, 3.7), dpi=72, layout="constrained")
        axes = figure.add_subplot()
        _style(axes, "people in the gallery", "named first, %")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_ylim(-3, 103)
        axes.plot(sizes, [100 / size for size in sizes], color=MUTED, linewidth=1.2, dashes=(1, 3), label="guessing")
        if model:
            _band(axes, model)
        axes.plot(*zip(*measured, strict=True), "o", color=INK, markersize=5, label="measured") if measured else None
        axes.legend(frameon=False, fontsize=9.5, loc="lower left", bbox_to_anchor=(0, 1), ncol=2, borderpad=0)
    return inline_svg(figure, name, title, _describe(measured, model))


def _band(axes: Axes, model: Sequence[GalleryPoint]) -> None:
    x = [row.size for row in model]
    ends = [(row.low, row.high) for row in model]
    if all(low is not None and high is not None for low, high in ends):
        low, high = ([100 * (end or 0.0) for end in side] for side in zip(*ends, strict=True))
        axes.fill_between(x, low, high, facecolor=ACCENT, alpha=0.16, linewidth=0, label="95 % band of the model")
        for side in (low, high):
            axes.plot(x, side, color=ACCENT, linewidth=0.8, dashes=(2, 2))
    axes.plot(x, [100 * (row.modelled or 0.0) for row in model], color=ACCENT, dashes=(6, 2), label="model")


def _describe(measured: Sequence[tuple[int, float]], model: Sequence[GalleryPoint]) -> str:
    points = "; ".join(f"{share:.1f} % of {size:,} people" for size, share in measured)
    text = f"Measured: {points}." if points else "Not measured."
    if not model:
        return f"{text} No model."
    last = model[-1]
    return f"{text} The model ends at {last.size:,} people with {100 * (last.modelled or 0.0):.1f} %."


def _frame(across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9.0, 4.6), dpi=72, layout="constrained")
    axes = figure.add_subplot()
    _style(axes, across, up)
    return figure, axes


def _style(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(color=MUTED, alpha=0.18, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw(axes: Axes, curve: Curve, y: Sequence[float], number: int) -> None:
    (line,) = axes.plot(curve.x, y, linewidth=2.2 if curve.control else 1.6, label=curve.name)
    line.set_color(INK if curve.control else ACCENT)
    if curve.control:
        return
    step = max(len(y) // _MARKS, 1)
    # Neighbours have their markers at other places, so that these do not cover each other.
    line.set_markevery((number * step // _MARKS, step))
    line.set_marker(_MARKERS[number % len(_MARKERS)])
    line.set_markersize(6)
    line.set_markerfacecolor(PAPER)
    line.set_markeredgewidth(1.3)
    if dashes := _DASHES[number % len(_DASHES)]:
        line.set_dashes(dashes)


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=9.5, loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=3.4)
