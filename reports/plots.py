"""The trade-off plots of a leaderboard: privacy against what is left of a face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from unmask.bench.core.headlines import HEADLINE_UTILITY
from unmask.reports.charts.tradeoff import Axis, Point, Reading, tradeoff_plot
from unmask.reports.columns import Head
from unmask.reports.leaderboard import Leaderboard, Line
from unmask.reports.numbers import unit_mark

VERTICALS: Final = (HEADLINE_UTILITY, "lpips_alex")


@dataclass(frozen=True, slots=True)
class Plot:
    """An inline drawing with its words."""

    svg: Markup
    horizontal: Head
    vertical: Head
    left_out: tuple[str, ...]
    """Methods without both numbers, or not ranked among the others."""


def tradeoff_plots(table: Leaderboard, name: str) -> list[Plot]:
    """One plot for each of `VERTICALS`, against the first privacy number of the leaderboard that was measured."""
    by_name = {head.card.name: i for i, head in enumerate(table.heads)}
    measured = [any(line.cells[i].state == "measured" for line in table.lines) for i in range(len(table.heads))]
    families = [h.card.family if shown else "" for h, shown in zip(table.heads, measured, strict=True)]
    privacy = next((i for i, family in enumerate(families) if family in ("audit", "privacy")), None)
    if privacy is None:
        return []
    plots = [_plot(table, privacy, by_name[up], f"{name}-{up}") for up in VERTICALS if up in by_name]
    return [plot for plot in plots if plot is not None]


def _plot(table: Leaderboard, across: int, up: int, name: str) -> Plot | None:
    points, left_out = [], []
    apart = table.apart if table.heads[across].card.family == "audit" else ()
    for line in table.lines:
        x, y = _reading(table, line, across), _reading(table, line, up)
        if x is None or y is None or line in apart:
            left_out.append(line.entrant.name)
        else:
            points.append(Point(line.entrant.name, x, y, line.entrant.control, line.destroys))
    if not points:
        return None
    heads = table.heads[across], table.heads[up]
    svg = tradeoff_plot(
        points,
        _axis(table, heads[0]),
        _axis(table, heads[1]),
        name=name.replace("_", "-").replace("@", "-"),
        title=f"{heads[1].title} against {heads[0].title} on {table.board.title}",
    )
    return Plot(svg, heads[0], heads[1], tuple(left_out))


def _reading(table: Leaderboard, line: Line, i: int) -> Reading | None:
    head, cell = table.heads[i], line.cells[i]
    row = line.entrant.run.row(table.board.dataset, line.entrant.label, head.column)
    if cell.state != "measured" or row is None or row.value is None:
        return None
    factor = _factor(head)
    low, high = (None if end is None else end * factor for end in (row.low, row.high))
    return Reading(row.value * factor, low, high)


def _axis(table: Leaderboard, head: Head) -> Axis:
    chance = table.board.chance(head.column)
    factor = _factor(head)
    mark = unit_mark(head.card.unit)
    return Axis(
        f"{head.title}{mark and f', {mark}'} ({head.sub})",
        head.card.direction != "lower",
        (0.0, 100.0) if head.card.unit == "share" else None,
        chance[0] * factor if len(chance) == 1 else None,
    )


def _factor(head: Head) -> float:
    return 100.0 if head.card.unit == "share" else 1.0
