"""The leaderboard of one data set: pinned control and chance, then the contestants."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from unmask.bench.core.headlines import HEADLINE_PRIVACY
from unmask.bench.store.results import EstimateRow
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.columns import FAMILIES, FAMILY_TITLES, OUTCOMES, Head, headline_column, headline_heads
from unmask.reports.numbers import DASH, NOT_MEASURED, format_number, format_value
from unmask.reports.runs import Column

USELESS_SHARE: Final = 0.5
"""A method that destroys at least this share of the faces does not count as keeping them usable."""


@dataclass(frozen=True, slots=True)
class OutcomePart:
    """One piece of the stacked bar."""

    name: str
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How a method's faces ended."""

    parts: tuple[OutcomePart, ...]
    """All four outcomes in fixed order; empty = not measured."""
    counts: str

    @property
    def text(self) -> str:
        """``98 % anonymized, 2 % missed``; outcomes that no face had are left out."""
        return ", ".join(p.text for p in self.parts if p.share > 0) or NOT_MEASURED

    def share(self, name: str) -> float:
        return next((p.share for p in self.parts if p.name == name), 0.0)


@dataclass(frozen=True, slots=True)
class Line:
    """A method's row."""

    entrant: Entrant
    about: str
    """What the reader must know before looking at the numbers."""
    outcomes: Outcomes
    cells: tuple[Cell, ...]
    findings: tuple[str, ...] = ()
    """What must be known before the numbers are trusted, one sentence each."""

    @property
    def destroys(self) -> bool:
        return self.outcomes.share("destroyed") >= USELESS_SHARE


@dataclass(frozen=True, slots=True)
class FamilySpan:
    """A family over its neighbouring columns."""

    family: str
    title: str
    columns: int


@dataclass(frozen=True, slots=True)
class Leaderboard:
    board: Board
    heads: tuple[Head, ...]
    spans: tuple[FamilySpan, ...]
    """Without the outcome column."""
    controls: tuple[Line, ...]
    chance: tuple[str, ...]
    """One text a column; empty where chance has no meaning."""
    contestants: tuple[Line, ...]

    @property
    def lines(self) -> tuple[Line, ...]:
        """All rows, the control first."""
        return (*self.controls, *self.contestants)

    @property
    def unmeasured(self) -> list[Head]:
        """Columns in which no method has a number."""
        return [h for i, h in enumerate(self.heads) if all(row.cells[i].state == "unmeasured" for row in self.lines)]


def make_leaderboard(board: Board) -> Leaderboard:
    """Contestants that keep faces come first, each group by de-identification rate, best first."""
    heads = tuple(headline_heads(board))
    lines = [_line(board, entrant, heads) for entrant in board.entrants]
    privacy = next((i for i, head in enumerate(heads) if head.card.name == HEADLINE_PRIVACY), None)

    def order(line: Line) -> tuple[bool, float]:
        value = None if privacy is None else line.cells[privacy].sort
        return line.destroys, -1.0 * (value if value is not None else -1.0)

    families = [head.card.family for head in heads]
    return Leaderboard(
        board,
        heads,
        tuple(FamilySpan(f, FAMILY_TITLES[f], families.count(f)) for f in FAMILIES if f in families),
        tuple(line for line in lines if line.entrant.control),
        tuple(_chance(board, head) for head in heads),
        tuple(sorted((line for line in lines if not line.entrant.control), key=order)),
    )


def outcomes_of(board: Board, entrant: Entrant) -> Outcomes:
    rows = [(name, _outcome_row(board, entrant, name)) for name in OUTCOMES]
    measured = [(name, row) for name, row in rows if row is not None and row.value is not None]
    parts = tuple(
        OutcomePart(name, row.value or 0.0, f"{_whole(row.value or 0.0)} {'errors' if name == 'error' else name}")
        for name, row in measured
    )
    faces = measured[0][1].n if measured else 0
    return Outcomes(parts, f"of {faces:,} faces" if measured else "")


def _outcome_row(board: Board, entrant: Entrant, name: str) -> EstimateRow | None:
    column = headline_column(board, f"outcome_{name}")
    return None if column is None else entrant.run.row(board.dataset, entrant.method, column)


def _whole(share: float) -> str:
    return format_number(share, "share", 0) + "\N{NO-BREAK SPACE}%"


def _line(board: Board, entrant: Entrant, heads: tuple[Head, ...]) -> Line:
    outcomes = outcomes_of(board, entrant)
    if entrant.control:
        about = "control: the photos as they are"
    elif outcomes.share("destroyed") >= USELESS_SHARE:
        about = "destroys faces: of no use"
    elif outcomes.share("error") >= USELESS_SHARE:
        about = "fails on most faces"
    else:
        about = ""
    failed = entrant.run.failure_text(board.dataset, entrant.method)
    findings = [finding.text for finding in entrant.run.findings(board.dataset, entrant.method)]
    return Line(
        entrant,
        about,
        outcomes,
        tuple(entrant_cell(board, entrant, head.column) for head in heads),
        (*([failed] if failed else []), *findings),
    )


def _chance(board: Board, head: Head) -> str:
    values = chance_values(board, head.column)
    if not values:
        return ""
    ends = [format_value(v, head.card.unit) for v in dict.fromkeys((values[0], values[-1]))]
    return DASH.join(dict.fromkeys(ends))


def chance_values(board: Board, column: Column) -> list[float]:
    """What guessing would score, ascending; several values where it depends on the method."""
    rows = [entrant.run.row(board.dataset, entrant.method, column) for entrant in board.entrants]
    return sorted({row.chance for row in rows if row is not None and row.chance is not None})
