"""Curves of one attack for each method: cumulative match characteristics, and detection error trade-offs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from unmask.reports.charts.svg import ACCENT, INK, MUTED, RC, inline_svg

_DASHES: Final = ((), (6, 2), (1, 2), (6, 2, 1, 2), (10, 3), (3, 3))
_LEAST: Final = 1e-4
"""Rates below it are drawn there: a logarithm has no zero."""


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    x: Sequence[float]
    y: Sequence[float]
    control: bool = False


def cmc_plot(curves: Sequence[Curve], chance: Curve, *, name: str, title: str) -> Markup:
    """Share of searches (0..1) by rank (1, 2, ...); ``chance``: dotted. ``name``: distinct on its page."""
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(8.2, 4.4), dpi=72, layout="constrained")
        axes = figure.add_subplot()
        _frame(axes, "people looked at, the most alike first", "searches that name the right person, %")
        axes.plot(chance.x, [100 * v for v in chance.y], color=MUTED, linewidth=1, dashes=(1, 3), label=chance.name)
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
        figure = Figure(figsize=(8.2, 4.4), dpi=72, layout="constrained")
        axes = figure.add_subplot()
        _frame(axes, "false match rate", "false non-match rate")
        axes.set_xscale("log")
        axes.set_yscale("log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(lambda value, _: "")
        axes.set_xlim(_LEAST, 1.1)
        axes.set_ylim(_LEAST, 1.4)
        axes.plot(
            [_LEAST, 0.5, 0.9, 0.999],
            [1 - _LEAST, 0.5, 0.1, 0.001],
            color=MUTED,
            linewidth=1,
            dashes=(1, 3),
            label="guessing",
        )
        for k, curve in enumerate(curves):
            points = Curve(curve.name, [max(v, _LEAST) for v in curve.x], [], curve.control)
            _draw(axes, points, [max(v, _LEAST) for v in curve.y], k)
        _legend(axes)
    return inline_svg(
        figure, name, title, f"One curve for each of: {', '.join(c.name for c in curves)}. Higher is more private."
    )


def _frame(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(color=MUTED, alpha=0.18, linewidth=0.6)
    axes.set_axisbelow(True)


def _draw(axes: Axes, curve: Curve, y: Sequence[float], number: int) -> None:
    colour, width = (INK, 2.2) if curve.control else (ACCENT, 1.6)
    faded = 1 - 0.12 * (number // len(_DASHES))
    (line,) = axes.plot(curve.x, y, color=colour, linewidth=width, alpha=faded, label=curve.name)
    if not curve.control and _DASHES[number % len(_DASHES)]:
        line.set_dashes(_DASHES[number % len(_DASHES)])


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.01, 0.5))
