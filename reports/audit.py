"""What attackers reach who know the method: each method against all of them, one ranking a question, and sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from unmask.bench.core.headlines import HEADLINE_RISK
from unmask.bench.store.attack_rows import AttackRow, few_people, lacking
from unmask.bench.store.view import WORST, Column
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.numbers import DASH, NBSP, bar_of, format_number, format_value, rank_range

NAMED: Final = "attack_rank1"
NAMED_5: Final = "attack_rank5"
REGION: Final = "face"
IGNORANT: Final = "ignorant"
"""The attacker who does not know the method."""
_WHOLE: Final = 0.0995
"""Shares of people from which on they are written in whole numbers of a hundred."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack on one method, as a table prints it."""

    row: AttackRow
    text: str
    reason: str = ""
    """Why there is no number."""

    @property
    def believed(self) -> bool:
        return not self.row.problem and not self.row.doubts and self.row.named is not None

    @property
    def fewer(self) -> tuple[str, str]:
        """What it reached with a quarter and half of the people; of a doubted attack that is no number either."""
        quarter, half = (share(self.row.shares.get(part) if self.believed else None) for part in ("0.25", "0.5"))
        return quarter, half

    @property
    def trainings(self) -> str:
        """``mean 37.3 %``; the best of them is the attack's."""
        if not self.believed or not self.row.trainings:
            return DASH
        return f"mean {share(sum(self.row.trainings) / len(self.row.trainings))}"

    @property
    def spread(self) -> str:
        """``35.7–39.3, of 3``; '' where there are no several trainings."""
        if not self.believed or not self.row.trainings:
            return ""
        low, high = (format_number(end(self.row.trainings), "share", exact=False) for end in (min, max))
        return f"{low}{DASH}{high}, of {len(self.row.trainings)}"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One method against all attackers."""

    entrant: Entrant
    instrument: str
    """The name of the strongest attack: `WORST`, or another one where some attackers could not be tried."""
    risk: Cell
    named: Cell
    named_5: Cell
    rank: str
    """Range of ranks by names; '' = not ranked."""
    best: AttackRow | None
    """The trustworthy attack that names most."""
    attempts: tuple[Attempt, ...]
    outside: tuple[Attempt, ...]
    """Attacks on what lies outside the face: they explain, and are not ranked."""
    apart: str
    """Why it is not ranked among the others; '' = it is."""
    sentence: str
    """What it means for people."""
    note: str = ""
    """What must be known before the number is trusted."""

    @property
    def strongest(self) -> str:
        """The best attack's name; '' = there is none."""
        return attack_name(self.best) if self.best else ""

    @property
    def people(self) -> int:
        """In the gallery; 0 = nobody was searched."""
        return max((each.row.people for each in self.attempts), default=0)

    @property
    def few(self) -> int:
        """How many were searched, where that allows few claims; else 0."""
        return few_people(each.row for each in self.attempts)


@dataclass(frozen=True, slots=True)
class Audit:
    """The methods on one data set."""

    board: Board
    controls: tuple[AuditLine, ...]
    ranked: tuple[AuditLine, ...]
    """The least residual risk first."""
    apart: tuple[AuditLine, ...]
    """Methods that cannot be ranked among the others."""

    @property
    def lines(self) -> tuple[AuditLine, ...]:
        return (*self.controls, *self.ranked, *self.apart)

    @property
    def people(self) -> int:
        return max(line.people for line in self.lines)

    @property
    def searches(self) -> int:
        return max((each.row.searches for line in self.lines for each in line.attempts), default=0)

    @property
    def few(self) -> int:
        """How many were searched, where that allows few claims; else 0."""
        return few_people(each.row for line in self.lines for each in line.attempts)

    @property
    def chance(self) -> str:
        """What guessing names."""
        if not self.people:
            return ""
        first, five = share(1 / self.people), share(min(5 / self.people, 1.0))
        return f"Guessing names {first} first, and {five} among the first five."

    @property
    def outside(self) -> bool:
        return any(line.outside for line in self.lines)


def audits(boards: Sequence[Board]) -> list[Audit]:
    """The boards on which attackers were asked."""
    return [audit for board in boards if (audit := audit_of(board)) is not None]


def audit_of(board: Board) -> Audit | None:
    """``None`` where no attackers were asked."""
    lines = [line for entrant in board.entrants if (line := audit_line(board, entrant)) is not None]
    if not lines:
        return None
    others = sorted(
        (line for line in lines if not line.entrant.control),
        key=lambda line: (line.risk.sort is None, line.risk.sort or 0.0),
    )
    return Audit(
        board,
        tuple(line for line in lines if line.entrant.control),
        tuple(line for line in others if not line.apart),
        tuple(line for line in others if line.apart),
    )


def audit_line(board: Board, entrant: Entrant) -> AuditLine | None:
    """``None`` where no attackers were asked about a method."""
    rows = [row for row in entrant.run.estimates.attacks if (row.dataset, row.method) == (board.dataset, entrant.label)]
    if not rows:
        return None
    attempts = tuple(_attempt(row) for row in rows if not row.explains)
    strongest = strongest_column(board, entrant, NAMED)
    risk, named, named_5 = (strongest_cell(board, entrant, name) for name in (HEADLINE_RISK, NAMED, NAMED_5))
    apart = _apart(entrant, attempts, strongest)
    rank = None if apart else board.rank(entrant, strongest)
    believed = [each.row for each in attempts if each.believed]
    best = max(believed, key=lambda row: row.named or 0.0, default=None)
    tried = [each.row for each in attempts if not each.row.problem]
    note = ""
    if best is not None and not apart and not entrant.control and all(row.attacker == IGNORANT for row in believed):
        note = "no attack that knows the method may be believed: what it would reach is not known"
    return AuditLine(
        entrant,
        strongest.instrument,
        risk,
        named,
        named_5,
        rank_range(rank.best, rank.worst) if rank else "",
        best,
        attempts,
        tuple(_attempt(row) for row in rows if row.explains),
        apart,
        _sentence(board, entrant, named, best, ignorant=all(row.attacker == IGNORANT for row in tried)),
        note,
    )


def _attempt(row: AttackRow) -> Attempt:
    if row.problem:
        return Attempt(row, "not possible", row.problem)
    if row.doubts:
        return Attempt(row, "not trustworthy", " ".join(row.doubts))
    text = format_value(row.named, "share")
    return Attempt(row, f"≥{NBSP}{text}" if row.lower_bound else text)


def strongest_column(board: Board, entrant: Entrant, metric: str) -> Column:
    """The column of the strongest attack on a method. Of one on which some attackers could not be tried it has a name
    of its own, which begins with `WORST`."""
    usual, run = Column(metric, WORST, REGION), entrant.run
    others = (c for c in run.columns(board.dataset) if c.metric == metric and c.instrument.startswith(f"{WORST}-"))
    columns = (usual, *others)
    return next((c for c in columns if run.row(board.dataset, entrant.label, c) is not None), usual)


def strongest_cell(board: Board, entrant: Entrant, metric: str) -> Cell:
    """Drawn on the scale of the methods on which all attackers were tried."""
    column, usual = strongest_column(board, entrant, metric), Column(metric, WORST, REGION)
    cell, row = entrant_cell(board, entrant, column), entrant.run.row(board.dataset, entrant.label, column)
    if column == usual or row is None or cell.state != "measured":
        return cell
    control = entrant.run.control_row(board.dataset, usual)
    ceiling = control.value if control else None
    return replace(cell, bar=bar_of(board.scale(usual), row.value, row.low, row.high, row.chance, ceiling))


def _apart(entrant: Entrant, attempts: Sequence[Attempt], strongest: Column) -> str:
    if entrant.control:
        return ""
    if strongest.instrument != WORST:
        if text := lacking(strongest.instrument):
            return text
        problems = [each.row.problem for each in attempts if each.row.problem]
        return next(iter(problems), "some attackers could not be tried")
    if all(each.row.problem for each in attempts if each.row.attacker != IGNORANT):
        if entrant.label not in entrant.run.plan.again:
            return "the method cannot be run, so that informed attacks were not possible"
        return "no attacker who knows the method could be tried"
    if not any(each.believed for each in attempts):
        return "no attack on it may be believed: its risk is not known"
    return ""


def _sentence(board: Board, entrant: Entrant, named: Cell, best: AttackRow | None, *, ignorant: bool) -> str:
    """What the strongest attack means for people, in numbers of a hundred. ``ignorant``: only an attacker who does not
    know the method could be asked."""
    row = entrant.run.row(board.dataset, entrant.label, strongest_column(board, entrant, NAMED))
    if best is None:
        return "What an attacker would reach is not known: no attack on it may be believed."
    if row is None or row.value is None:
        return "What the strongest attack would reach is not measured: too few people are searched to choose it."
    if named.state != "measured":
        return f"Not comparable with the other methods here: {'; '.join(named.flags)}."
    who = "An attacker who knows the method and has"
    if entrant.control:
        who = "Without anonymization an attacker who has"
    elif ignorant:
        who = "An attacker who does not know the method and has"
    ends = ""
    if row.low is not None and row.high is not None:
        places = 0 if row.value >= _WHOLE else None
        ends = f" (95{NBSP}% interval {of_100(row.low, places)}{DASH}{of_100(row.high, places)})"
    control = entrant.run.control_row(board.dataset, Column(NAMED, WORST, REGION))
    ceiling = "" if entrant.control or control is None or control.value is None else of_100(control.value)
    guess = "" if row.chance is None else of_100(row.chance)
    return (
        f"{who} another photo of everybody names {of_100(row.value)} of 100 people out of {best.people:,}{ends}"
        f"{ceiling and f'; without anonymization {ceiling}'}{guess and f'; by guessing {guess}'}."
    )


def of_100(share: float, places: int | None = None) -> str:
    """``43``, ``0.25``, ``more than 99``: a share of people as so many of a hundred; never 100 unless it is all.

    ``places``: decimals; by default none from ten upwards, and below that two digits that count.
    """
    if places is not None:
        return f"{100 * share:.{places}f}"
    if 0.995 <= share < 1:
        return "more than 99"
    return f"{100 * share:.0f}" if share >= _WHOLE or share <= 0 else f"{100 * share:.2g}"


def attack_name(row: AttackRow) -> str:
    """``semi-informed by sface``."""
    return f"{row.attacker} by {row.channel}"


def share(value: float | None) -> str:
    """``43.2 %``; a dash where it was not measured."""
    return DASH if value is None else format_value(value, "share")
