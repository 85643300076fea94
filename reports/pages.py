"""What the pages about data, metrics, instruments, provenance and all numbers show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unmask.bench.core.cards import ROLE_TITLES, InstrumentCard, MetricCard
from unmask.bench.store.results import EstimateRow
from unmask.bench.store.view import ALL, WORST, Column, RunView
from unmask.reports.boards import Board
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.columns import FAMILY_TITLES, instrument_text
from unmask.reports.numbers import ends_text, format_number

STRANGERS: Final = "stranger_match@1e-3"
STRANGERS_GROUP: Final = "stranger_match_group@1e-3"


@dataclass(frozen=True, slots=True)
class MetricLine:
    """A metric by one instrument, for every row of a board."""

    sub: str
    """What measured, over what."""
    chance: str
    scale: tuple[str, str]
    """The ends of the drawn scale."""
    cells: tuple[Cell, ...]
    """In the order of `Board.entrants`."""


def metric_lines(board: Board, metric: str, group: str = ALL) -> list[MetricLine]:
    """A line for each column of the metric; none where the board has none."""
    lines = []
    for column in (column for column in board.columns if column.metric == metric):
        unit, scale = board.metric(column).unit, board.scale(column)
        low, high = (format_number(end, unit, 0 if unit == "share" else None) for end in (scale.low, scale.high))
        cells = tuple(entrant_cell(board, entrant, column, group) for entrant in board.entrants)
        chance = ends_text(board.chance(column, group), unit)
        lines.append(MetricLine(instrument_text(board, column), chance, (low, high), cells))
    return lines


def group_titles(board: Board) -> dict[str, str]:
    """Group -> its title on the page of all numbers: everybody, and of clips each group of them."""
    titles = {ALL: "All clips" if board.clips else ""}
    for clips in board.clips:
        titles |= {f"group={name}": f"Clips of the group {name}" for name in clips.groups if name}
    return titles


def metric_cards(boards: Sequence[Board]) -> dict[str, MetricCard]:
    """Every metric of a report; the first run's card where versions differ (the pages say so)."""
    cards: dict[str, MetricCard] = {}
    for run in (run for board in boards for run in board.runs):
        cards = {**run.metrics, **cards}
    return cards


def metric_families(board: Board) -> list[tuple[str, str, list[MetricCard]]]:
    """Family, title and the metrics that a board has columns of."""
    cards = list({column.metric: board.metric(column) for column in board.columns}.values())
    families = ((family, title, [c for c in cards if c.family == family]) for family, title in FAMILY_TITLES.items())
    return [family for family in families if family[2]]


def stranger_rates(board: Board) -> tuple[list[str], list[tuple[str, list[EstimateRow | None]]]] | None:
    """How often un-anonymized strangers count as one person: the recognisers, and a line for all faces, one against
    strangers of the same group, and one for each subgroup. ``None`` where the control was not measured so."""
    run, dataset = board.reference, board.dataset
    attacks = [c.instrument for c in board.columns if c.metric == STRANGERS and c.instrument != WORST]
    if board.clips or not run.controls(dataset) or not attacks:
        return None
    control = run.controls(dataset)[0]
    columns = [Column(STRANGERS, name, "face") for name in attacks]
    groups = dict.fromkeys(row.group for column in columns for row in run.groups(dataset, control, column))
    kinds = [("everybody", STRANGERS, ALL), ("strangers of the same age group and gender", STRANGERS_GROUP, ALL)]
    lines = []
    for title, metric, group in (*kinds, *((group, STRANGERS, group) for group in groups)):
        rows = [run.row(dataset, control, Column(metric, name, "face"), group) for name in attacks]
        if any(row is not None for row in rows):
            lines.append((title, rows))
    return attacks, lines


def instrument_groups(runs: Sequence[RunView]) -> list[tuple[str, list[tuple[InstrumentCard, list[str]]]]]:
    """Title of a role -> its cards, each with the runs that it is of where not all use the same; a card that differs
    between runs appears once for each version."""
    groups: dict[str, list[tuple[InstrumentCard, list[str]]]] = {role: [] for role in ROLE_TITLES}
    for run in runs:
        for card in (*run.instruments.values(), *run.people_parts.values()):
            tags = next((tags for other, tags in groups[card.role] if other == card), None)
            if tags is None:
                groups[card.role].append((card, [run.tag]))
            else:
                tags.append(run.tag)
    return [
        (ROLE_TITLES[role], [(card, tags if len(tags) < len(runs) else []) for card, tags in cards])
        for role, cards in groups.items()
        if cards
    ]


def versions(run: RunView) -> list[tuple[str, str, str, list[str]]]:
    """Kind, name, version and hashes of everything that decides a run's numbers."""
    parts: list[tuple[str, str, str, Sequence[str]]] = []
    parts += [("data set", label, card.revision, [card.fingerprint]) for label, card in run.datasets.items()]
    for label, method in run.methods.items():
        parts.append(("method", label, method.version, [*method.weights.values(), *(f.sha256 for f in method.files)]))
    for name, instrument in (*run.people_parts.items(), *run.instruments.items()):
        parts.append(("instrument", name, instrument.version, [f.sha256 for f in instrument.files]))
    parts += [("metric", name, metric.version, []) for name, metric in run.metrics.items()]
    return [(kind, name, version, [each for each in hashes if each]) for kind, name, version, hashes in parts]
