"""What an audit asks beside names: which released faces are of one person, and what can be read of somebody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from unmask.bench.store.attack_rows import AttackRow
from unmask.bench.store.view import WORST, Column
from unmask.reports.audit import REGION, Audit, AuditLine
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.columns import Head, headline_column, make_head
from unmask.reports.numbers import bar_of, count, ends_text

LINKED: Final = "release_auc"
_LINKS: Final = ("release_tar@1e-3", "release_ari")
_FURTHER: Final = (
    "attack_rank1_person",
    "attack_tar@1e-2",
    "attack_tar@1e-3",
    "attack_tar@1e-4",
    "attack_eer",
    "attack_fnir",
    "linkability",
    "linkability_crossed",
    "disclosure_expected",
)
_ONE_DRAW: Final = "+one-draw"
"""Ends the names of recognisers that compare releases with one draw for all photos of a person."""
_CHANNELS: Final = {WORST: "strongest recogniser", "photometric": "look of the crop", "geometry": "place and size"}
LEARNED: Final = "learned_"
ATTRIBUTES: Final = (
    ("inferred_gender_auc", f"{LEARNED}gender_auc"),
    ("inferred_age_group_auc", f"{LEARNED}age_group_auc"),
    ("inferred_skin_auc", f"{LEARNED}skin_auc"),
    (f"{LEARNED}race_auc",),
)
"""Metrics of one attribute: what estimators say, and what classifiers have learned of released faces."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The methods by one question; the first column orders them."""

    heads: tuple[Head, ...]
    chance: tuple[str, ...]
    """One text a column; '' = chance has no meaning."""
    controls: tuple[tuple[Entrant, tuple[Cell, ...]], ...]
    lines: tuple[tuple[Entrant, tuple[Cell, ...]], ...]
    """What tells least first."""


def linking(board: Board) -> Ranking | None:
    """The release's own pairs, by nobody who has a photo: by the strongest recogniser, and by each other channel."""
    columns = [column for name in (LINKED, *_LINKS) if (column := headline_column(board, name)) is not None]
    others = [c for c in board.columns if c.metric == LINKED and c.instrument not in (WORST, *board.recognisers)]
    once = [column for column in others if column.instrument.endswith(_ONE_DRAW)]
    several = [[column] for column in others if column not in (*columns, *once)]
    groups = [[column] for column in columns]
    groups[1:1] = [*([once] if once else []), *several]
    return _ranking(board, groups, [_channel(group[0].instrument) for group in groups])


def _channel(instrument: str) -> str:
    if instrument.endswith(_ONE_DRAW):
        return "strongest recogniser, where all photos of a person have one draw"
    return _CHANNELS.get(instrument, instrument)


def attributes(board: Board) -> Ranking | None:
    """What can be read of somebody: by the estimator or trained classifier that reads most, one column an attribute."""
    several = ([c for name in names for c in board.columns if c.metric == name] for names in ATTRIBUTES)
    there = [columns for columns in several if columns]
    return _ranking(board, there, [f"highest of {count(len(columns), 'reader')}" for columns in there])


def _ranking(board: Board, groups: Sequence[Sequence[Column]], subs: Sequence[str]) -> Ranking | None:
    """One column for each group: the highest of its columns, which is the attacker's best, method by method."""
    if not groups:
        return None
    rows = [(entrant, tuple(_highest(board, entrant, columns) for columns in groups)) for entrant in board.entrants]
    contestants = sorted(
        (row for row in rows if not row[0].control), key=lambda row: (row[1][0].sort is None, row[1][0].sort or 0.0)
    )
    heads = tuple(replace(make_head(board, columns[0]), sub=sub) for columns, sub in zip(groups, subs, strict=True))
    return Ranking(
        heads,
        tuple(ends_text(board.chance(head.column), head.card.unit) for head in heads),
        tuple(row for row in rows if row[0].control),
        tuple(contestants),
    )


def _highest(board: Board, entrant: Entrant, columns: Sequence[Column]) -> Cell:
    cells = [(entrant_cell(board, entrant, column), column) for column in columns]
    cell, column = max(cells, key=lambda each: -1.0 if each[0].sort is None else each[0].sort)
    row, control = entrant.run.row(board.dataset, entrant.label, column), entrant.run.control_row(board.dataset, column)
    if len(columns) == 1 or cell.state != "measured" or row is None:
        return cell
    learned = "a classifier trained on " if column.metric.startswith(LEARNED) else ""
    # All cells of a column are drawn on one scale.
    bar = bar_of(board.scale(columns[0]), row.value, row.low, row.high, row.chance, control.value if control else None)
    return replace(cell, by=f"{learned}{column.instrument.removesuffix(_ONE_DRAW)}", bar=bar)


@dataclass(frozen=True, slots=True)
class Further:
    """What else the trustworthy attack that names most reaches on each method."""

    heads: tuple[Head, ...]
    lines: tuple[tuple[AuditLine, tuple[Cell, ...], str], ...]
    """The last text: ZEBRA's worst case."""


def further(audit: Audit) -> Further | None:
    """Verification, open search, linkability and disclosure; ``None`` where no attack may be believed."""
    board, best = audit.board, [line for line in audit.lines if line.best is not None]
    columns = {name: [c for c in board.columns if c.metric == name] for name in _FURTHER}
    names = [name for name, several in columns.items() if several]
    lines = []
    for line in best:
        instrument = f"{line.best.attacker}/{line.best.channel}" if line.best else ""
        cells = tuple(entrant_cell(board, line.entrant, Column(name, instrument, REGION)) for name in names)
        lines.append((line, cells, _worst_disclosure(line.best)))
    heads = tuple(replace(make_head(board, columns[name][0]), sub="") for name in names)
    return Further(heads, tuple(lines)) if lines else None


def _worst_disclosure(row: AttackRow | None) -> str:
    """``2.31 (tag C), 4.97 at most``, in decades: a maximum, so it has its limit in place of an interval."""
    if row is None or row.disclosed is None:
        return ""
    tag = f" (tag {row.disclosed_tag})" if row.disclosed_tag else ""
    limit = "" if row.disclosed_limit is None else f"{row.disclosed_limit:.2f} at most"
    return ", ".join(part for part in (f"{row.disclosed:.2f}{tag}", limit) if part)
