"""What the pages about data, metrics, instruments, provenance and all numbers show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unmask.bench.core.cards import DatasetCard, InstrumentCard, MetricCard
from unmask.bench.store.results import EstimateRow, InputRow
from unmask.bench.store.view import ALL, WORST, Column, RunView
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.clips.inputs import ClipInputs, make_inputs
from unmask.reports.columns import FAMILY_TITLES, better_text, family_columns, instrument_text
from unmask.reports.numbers import ends_text, fmr_text, format_interval, format_number, format_value

STRANGERS = "stranger_match@1e-3"
STRANGERS_GROUP = "stranger_match_group@1e-3"

ROLE_TITLES = {
    "detector": "Face detectors: where a face is",
    "people": "Person detector: where people are",
    "tracker": "Trackers: who is who from frame to frame, people and faces",
    "recogniser": "Recognisers: the attackers",
    "attributes": "Age and gender",
    "skin": "Skin tone",
    "expression": "Expression",
    "pose": "Head pose and face shape",
    "features": "Features for set metrics",
    "pair": "Comparisons of two pictures",
}


@dataclass(frozen=True, slots=True)
class NumberLine:
    sub: str
    cells: tuple[Cell, ...]
    chance: str


@dataclass(frozen=True, slots=True)
class NumberGroup:
    card: MetricCard
    better: str
    lines: tuple[NumberLine, ...]


@dataclass(frozen=True, slots=True)
class NumberFamily:
    family: str
    title: str
    entrants: tuple[Entrant, ...]
    groups: tuple[NumberGroup, ...]


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    label: str
    card: DatasetCard
    board: Board
    inputs: InputRow | None
    strangers: StrangerTable | None
    clips: tuple[ClipInputs, ...]
    """Of clips: what went in, for each run."""


@dataclass(frozen=True, slots=True)
class StrangerLine:
    group: str
    cells: tuple[tuple[str, str], ...]
    """Rate and its interval, in the order of `StrangerTable.attacks`."""


@dataclass(frozen=True, slots=True)
class StrangerTable:
    """How often un-anonymized strangers of a data set count as one person."""

    attacks: tuple[str, ...]
    lines: tuple[StrangerLine, ...]


@dataclass(frozen=True, slots=True)
class InstrumentGroup:
    title: str
    cards: tuple[tuple[InstrumentCard, tuple[str, ...]], ...]
    """With the runs that a card is of, where not all use the same."""


@dataclass(frozen=True, slots=True)
class CalibrationView:
    tag: str
    dataset: str
    people: str
    faces: str
    points: tuple[tuple[str, str, str, str], ...]
    """Recogniser, rate, threshold, interval."""


@dataclass(frozen=True, slots=True)
class ProvenanceEntry:
    run: RunView
    settings: dict[str, Any]
    versions: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    provenance: dict[str, Any]


def number_groups(board: Board) -> list[tuple[str, list[NumberFamily]]]:
    """Every number on a board, metrics down, methods across: a title and the families for everybody; of clips then for
    each group of them."""
    groups = {ALL: "All clips" if board.clips else ""}
    for clips in board.clips:
        groups |= {f"group={name}": f"Clips of the group {name}" for name in clips.groups if name}
    return [(title, _families(board, group)) for group, title in groups.items()]


def _families(board: Board, group: str) -> list[NumberFamily]:
    entrants = tuple(board.entrants)
    families = []
    for family, title in FAMILY_TITLES.items():
        by_metric: dict[str, list[Column]] = {}
        for column in family_columns(board, family):
            by_metric.setdefault(column.metric, []).append(column)
        groups = tuple(_group(board, entrants, columns, group) for columns in by_metric.values())
        if groups:
            families.append(NumberFamily(family, title, entrants, groups))
    return families


def _group(board: Board, entrants: Sequence[Entrant], columns: Sequence[Column], group: str) -> NumberGroup:
    card = board.metric(columns[0])
    lines = []
    for column in columns:
        cells = tuple(entrant_cell(board, e, column, group) for e in entrants)
        lines.append(
            NumberLine(instrument_text(board, column), cells, ends_text(board.chance(column, group), card.unit))
        )
    return NumberGroup(card, better_text(card), tuple(lines))


@dataclass(frozen=True, slots=True)
class Forest:
    """One instrument's values of a metric, a line a method."""

    sub: str
    chance: str
    left: str
    right: str
    """The ends of the drawn scale."""
    lines: tuple[tuple[Entrant, Cell], ...]


def metric_cards(boards: Sequence[Board]) -> dict[str, MetricCard]:
    """Every metric of a report; the first run's card where versions differ (the pages say so)."""
    cards: dict[str, MetricCard] = {}
    for run in (run for board in boards for run in board.runs):
        cards = {**run.metrics, **cards}
    return cards


def metric_on_boards(boards: Sequence[Board], metric: str) -> list[tuple[Board, tuple[Forest, ...]]]:
    by_board = [(board, tuple(_forest(board, c) for c in board.columns if c.metric == metric)) for board in boards]
    return [(board, forests) for board, forests in by_board if forests]


def _forest(board: Board, column: Column) -> Forest:
    unit = board.metric(column).unit
    scale = board.scale(column)
    left, right = (format_number(end, unit, 0 if unit == "share" else None) for end in (scale.low, scale.high))
    return Forest(
        instrument_text(board, column),
        ends_text(board.chance(column), unit),
        left,
        right,
        tuple((entrant, entrant_cell(board, entrant, column)) for entrant in board.entrants),
    )


def dataset_entries(boards: Sequence[Board]) -> list[DatasetEntry]:
    return [
        DatasetEntry(
            board.title,
            board.card,
            board,
            board.inputs,
            None if board.clips else stranger_table(board),
            tuple(make_inputs(clips) for clips in board.clips),
        )
        for board in boards
    ]


def stranger_table(board: Board) -> StrangerTable | None:
    """The control's `STRANGERS` rows: all faces, all against strangers of the same group, and each subgroup.

    ``None`` where the control was not measured so.
    """
    run = board.reference
    attacks = [c.instrument for c in board.columns if c.metric == STRANGERS and c.instrument != WORST]
    if not run.controls(board.dataset) or not attacks:
        return None
    control = run.controls(board.dataset)[0]
    columns = [Column(STRANGERS, name, "face") for name in attacks]
    groups = dict.fromkeys(row.group for column in columns for row in run.groups(board.dataset, control, column))
    kinds = [("everybody", STRANGERS, ALL), ("strangers of the same age group and gender", STRANGERS_GROUP, ALL)]
    kinds += [(group, STRANGERS, group) for group in groups]
    lines = []
    for title, metric, group in kinds:
        rows = [run.row(board.dataset, control, Column(metric, name, "face"), group) for name in attacks]
        if any(row is not None for row in rows):
            lines.append(StrangerLine(title, tuple(_rate(row) for row in rows)))
    return StrangerTable(tuple(attacks), tuple(lines))


def _rate(row: EstimateRow | None) -> tuple[str, str]:
    if row is None or row.value is None:
        return "not measured", ""
    return format_value(row.value, "share"), format_interval(row.low, row.high, row.value, "share")


def instrument_groups(runs: Sequence[RunView]) -> list[InstrumentGroup]:
    """Cards by role; a card that differs between runs appears once for each version."""
    groups: dict[str, list[tuple[InstrumentCard, list[str]]]] = {}
    for run in runs:
        for card in (*run.instruments.values(), *run.people_parts.values()):
            entries = groups.setdefault(card.role, [])
            same = next((tags for other, tags in entries if other == card), None)
            if same is None:
                entries.append((card, [run.tag] if run.tag else []))
            else:
                same.append(run.tag)
    everywhere = len(runs)
    return [
        InstrumentGroup(
            ROLE_TITLES[role],
            tuple((card, tuple(tags) if len(tags) < everywhere else ()) for card, tags in groups[role]),
        )
        for role in ROLE_TITLES
        if role in groups
    ]


def calibration_view(card: Mapping[str, Any], tag: str = "") -> CalibrationView:
    """A calibration card in words; ``tag`` = the run it is of, where there are several."""
    points = [
        (
            name,
            fmr_text(p["fmr"]),
            "not measured" if p["threshold"] is None else f"{p['threshold']:.3f}",
            format_interval(p.get("low"), p.get("high"), p["threshold"], "distance"),
        )
        for name, rows in card.get("points", {}).items()
        for p in rows
    ]
    people, faces = (f"{card[key]:,}" if key in card else "" for key in ("people", "faces"))
    return CalibrationView(tag, str(card.get("dataset", "")), people, faces, tuple(points))


def provenance_entry(run: RunView) -> ProvenanceEntry:
    versions: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("data set", label, card.revision, (card.fingerprint,)) for label, card in run.datasets.items()
    ]
    for label, method in run.methods.items():
        versions.append(
            ("method", label, method.version, (*method.weights.values(), *(f.sha256 for f in method.files)))
        )
    for name, instrument in (*run.people_parts.items(), *run.instruments.items()):
        versions.append(("instrument", name, instrument.version, tuple(f.sha256 for f in instrument.files)))
    for name, metric in run.metrics.items():
        versions.append(("metric", name, metric.version, ()))
    return ProvenanceEntry(
        run,
        run.plan.settings.model_dump(mode="json"),
        tuple((kind, name, version, tuple(h for h in hashes if h)) for kind, name, version, hashes in versions),
        dict(run.folder.provenance),
    )
