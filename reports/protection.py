"""Which people a method protects least, where the difference between groups is more than chance makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from unmask.bench.core.headlines import HEADLINE_RISK
from unmask.bench.store.results import GapRow
from unmask.bench.store.view import Column
from unmask.reports.audit import NAMED, REGION, Audit, AuditLine
from unmask.reports.boards import Board
from unmask.reports.cells import Cell, estimate_cell
from unmask.reports.numbers import NOT_MEASURED, count, with_interval

SIGNIFICANT: Final = 0.05
NAMES: Final = {"gender": "gender", "age": "age", "skin": "skin tone", "race": "race"}


@dataclass(frozen=True, slots=True)
class GroupGap:
    """The groups of one attribute under one method."""

    line: AuditLine
    gap: GapRow
    worst: str
    """What share of the worst group is named first, with its interval."""
    best: str

    @property
    def by(self) -> str:
        return NAMES.get(self.gap.by, self.gap.by)

    @property
    def worst_group(self) -> str:
        """Named most."""
        return group_text(self.gap.worst_group)

    @property
    def best_group(self) -> str:
        return group_text(self.gap.best_group)

    @property
    def shown(self) -> bool:
        """Whether chance alone seldom makes a gap as large."""
        return self.gap.p is not None and self.gap.p < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Protection:
    gaps: tuple[GroupGap, ...]
    groups: tuple[tuple[AuditLine, tuple[tuple[str, Cell, Cell], ...]], ...]
    """Of each method every group: share named first, residual risk."""

    @property
    def shown(self) -> list[GroupGap]:
        """Those of which a difference is shown."""
        return [each for each in self.gaps if each.shown]

    @property
    def verdict(self) -> str:
        """What the tests of differences come to."""
        tests = count(len(self.gaps), "test")
        if not self.gaps:
            return "Not tested: too few people in each group."
        if not self.shown:
            return (
                f"No method is shown to protect one group less than another (of {tests} none has p below "
                f"{SIGNIFICANT:g}). That is no proof that all are protected alike: few people hide even large "
                "differences."
            )
        return (
            f"A difference is shown in {len(self.shown):,} of {tests}. Each is tested alone, at a p of "
            f"{SIGNIFICANT:g}: one in twenty would show a difference that is not there."
        )


def protection(audit: Audit) -> Protection | None:
    """``None`` where the people's groups are not known."""
    lines = [line for line in (*audit.ranked, *audit.apart) if line.named.state != "incomparable"]
    gaps = [each for line in lines for each in _gaps(audit.board, line)]
    groups = [(line, tuple(_groups(audit.board, line))) for line in lines]
    there = tuple(each for each in groups if each[1])
    return Protection(tuple(gaps), there) if there else None


def _gaps(board: Board, line: AuditLine) -> Iterator[GroupGap]:
    run, label, column = line.entrant.run, line.entrant.label, Column(NAMED, line.instrument, REGION)
    named = {row.group: row for row in run.groups(board.dataset, label, column)}
    for gap in run.gaps(board.dataset, label, column):
        texts = (with_interval(named.get(group), "share") for group in (gap.worst_group, gap.best_group))
        yield GroupGap(line, gap, *texts)


def _groups(board: Board, line: AuditLine) -> Iterator[tuple[str, Cell, Cell]]:
    run, label, instrument = line.entrant.run, line.entrant.label, line.instrument
    for row in run.groups(board.dataset, label, Column(NAMED, instrument, REGION)):
        risk = run.row(board.dataset, label, Column(HEADLINE_RISK, instrument, REGION), row.group)
        empty = Cell("unmeasured", NOT_MEASURED, NOT_MEASURED)
        yield group_text(row.group), estimate_cell(board, row), estimate_cell(board, risk) if risk else empty


def group_text(group: str) -> str:
    """``gender=female`` -> ``female``; what does not speak for itself keeps its attribute: ``skin tone dark``."""
    by, _, value = group.partition("=")
    return value if by in ("gender", "race") else f"{NAMES.get(by, by)} {value}"
