"""All numbers of a data set: metrics down, contestants across, a table a group of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.bench.core.cards import MetricCard
from unmask.reports.columns import better_text
from unmask.reports.numbers import ends_text
from unmask.reports.runs import ALL, WORST, Column
from unmask.reports.video.cells import VideoCell, estimate
from unmask.reports.video.view import FAMILIES, FAMILY_TITLES, VideoView


@dataclass(frozen=True, slots=True)
class MetricLine:
    sub: str
    cells: tuple[VideoCell, ...]
    chance: str


@dataclass(frozen=True, slots=True)
class MetricGroup:
    card: MetricCard
    better: str
    lines: tuple[MetricLine, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    title: str
    labels: tuple[str, ...]
    groups: tuple[MetricGroup, ...]


def all_numbers(view: VideoView, dataset: str) -> list[tuple[str, list[Matrix]]]:
    """(group of clips in words, a table a family)."""
    found = []
    for group in view.groups(dataset):
        name = "All clips" if group == ALL else f"Clips of the group {group.partition('=')[2]}"
        tables = [_matrix(view, dataset, view.columns(dataset), family, group) for family in FAMILIES]
        found.append((name, [table for table in tables if table.groups]))
    return found


def details(view: VideoView, dataset: str) -> Matrix:
    """What the leaderboard tells by the worst recogniser, the default one or the first tracker: by each of them."""
    shown = [
        column
        for column in view.columns(dataset)
        if column.instrument in view.recognisers or column.instrument in view.trackers
    ]
    groups = tuple(
        group
        for family in FAMILIES
        for group in _matrix(view, dataset, [c for c in shown if c.instrument != WORST], family, ALL).groups
    )
    return Matrix("By each recogniser and each tracker", tuple(view.contestants), groups)


def _matrix(view: VideoView, dataset: str, columns: Sequence[Column], family: str, group: str) -> Matrix:
    by_metric: dict[str, list[Column]] = {}
    for column in columns:
        if view.metrics[column.metric].family == family:
            by_metric.setdefault(column.metric, []).append(column)
    return Matrix(
        FAMILY_TITLES[family],
        tuple(view.contestants),
        tuple(_group(view, dataset, metric, found, group) for metric, found in by_metric.items()),
    )


def _group(view: VideoView, dataset: str, metric: str, columns: Sequence[Column], group: str) -> MetricGroup:
    card = view.metrics[metric]
    lines = []
    for column in columns:
        rows = [view.row(dataset, label, column, group) for label in view.contestants]
        chance = sorted({row.chance for row in rows if row is not None and row.chance is not None})
        cells = tuple(estimate(view, dataset, label, column, group) for label in view.contestants)
        lines.append(MetricLine(column.instrument, cells, ends_text(chance, card.unit)))
    return MetricGroup(card, better_text(card), tuple(lines))
