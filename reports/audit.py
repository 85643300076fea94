"""What attackers reach who know the method: the page of the privacy audit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from unmask.bench.core.cards import AttackerCard
from unmask.bench.store.attack_rows import AttackRow, lacking, strongest_name
from unmask.bench.store.view import Column, RunView
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.charts.curves import Curve, cmc_plot, det_plot
from unmask.reports.numbers import format_value

METRICS: Final = ("residual_risk", "attack_rank1", "attack_rank5")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack on one method, as a table prints it."""

    row: AttackRow
    text: str
    detail: str = ""
    """Why there is no number."""

    @property
    def believed(self) -> bool:
        return not self.row.problem and not self.row.doubts and self.row.named is not None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """One method against all attackers."""

    entrant: Entrant
    risk: Cell
    named: Cell
    named_5: Cell
    best: AttackRow | None
    """The trustworthy attack that names most."""
    attempts: tuple[Attempt, ...]
    lacking: str
    """What attackers lack that they have of other methods, so that it is ranked apart; '' = nothing."""

    @property
    def strongest(self) -> str:
        """The best attack's name; '' = there is none."""
        return f"{self.best.attacker} by {self.best.channel}" if self.best else ""

    @property
    def sentence(self) -> str:
        """What it means for people."""
        return _sentence(self.best) if self.best else "no attack may be believed: not measured"


@dataclass(frozen=True, slots=True)
class Audit:
    """A data set's part of the page."""

    board: Board
    lines: tuple[AuditLine, ...]
    people: int
    searches: int
    plots: tuple[tuple[str, Markup], ...]
    """Caption, drawing."""


def audits(boards: Sequence[Board]) -> list[Audit]:
    """The boards on which attackers were asked."""
    return [audit for number, board in enumerate(boards) if (audit := _audit(board, f"a{number}")) is not None]


def attackers(runs: Sequence[RunView]) -> list[AttackerCard]:
    """Everybody who was asked in any run."""
    return list({planned.label: planned.card for run in runs for planned in run.plan.attackers}.values())


def share(value: float | None) -> str:
    """``43.2 %``; a dash where it was not measured."""
    return "–" if value is None else format_value(value, "share")


def _audit(board: Board, name: str) -> Audit | None:
    lines = [line for entrant in board.entrants if (line := _line(board, entrant)) is not None]
    if not lines:
        return None
    rows = [attempt.row for line in lines for attempt in line.attempts]
    lines.sort(key=lambda line: (line.entrant.control, line.lacking, line.risk.sort is None, line.risk.sort or 0.0))
    return Audit(
        board,
        tuple(lines),
        max((row.people for row in rows), default=0),
        max((row.searches for row in rows), default=0),
        tuple(_plots(board, lines, name)),
    )


def _line(board: Board, entrant: Entrant) -> AuditLine | None:
    rows = [row for row in entrant.run.estimates.attacks if (row.dataset, row.method) == (board.dataset, entrant.label)]
    if not rows:
        return None
    attempts = tuple(map(_attempt, rows))
    strongest = strongest_name(entrant.run.plan, entrant.label)
    risk, named, named_5 = (entrant_cell(board, entrant, Column(name, strongest, "face")) for name in METRICS)
    return AuditLine(
        entrant,
        risk,
        named,
        named_5,
        _strongest(attempts),
        attempts,
        lacking(strongest),
    )


def _strongest(attempts: Sequence[Attempt]) -> AttackRow | None:
    return max((each.row for each in attempts if each.believed), key=lambda row: row.named or 0.0, default=None)


def _attempt(row: AttackRow) -> Attempt:
    if row.problem:
        return Attempt(row, "not possible", row.problem)
    if row.doubts:
        return Attempt(row, "not trustworthy", "; ".join(row.doubts))
    text = format_value(row.named, "share")
    return Attempt(row, f"≥ {text}" if row.lower_bound else text)


def _sentence(row: AttackRow) -> str:
    """What the strongest attack means, in whole numbers."""
    if row.named is None:
        return ""
    ceiling = "" if row.ceiling is None else f"; without anonymization {100 * row.ceiling:.0f}"
    guess = f"; by guessing {100 / row.people:.2g}" if row.people else ""
    return (
        f"This attacker names {100 * row.named:.0f} of 100 people, each by one other photo, out of {row.people:,}"
        f"{ceiling}{guess}"
    )


def _plots(board: Board, lines: Sequence[AuditLine], name: str) -> Iterator[tuple[str, Markup]]:
    best = [(line, line.best) for line in lines if line.best is not None]
    if not best:
        return
    people, ranks = best[0][1].people, len(best[0][1].cmc)
    chance = Curve("guessing", range(1, ranks + 1), [min(k / people, 1.0) for k in range(1, ranks + 1)])
    cmc = [Curve(line.entrant.name, range(1, len(r.cmc) + 1), r.cmc, line.entrant.control) for line, r in best]
    title = f"Cumulative match characteristic on {board.title}, strongest trustworthy attack on each method"
    yield (
        "How often the right person is among the first ones (CMC)",
        cmc_plot(cmc, chance, name=f"{name}-cmc", title=title),
    )
    det = [Curve(line.entrant.name, r.fmr, r.fnmr, line.entrant.control) for line, r in best if r.fmr]
    title = f"Detection error trade-off on {board.title}, strongest trustworthy attack on each method"
    if det:
        yield "Which errors a verifier makes (DET)", det_plot(det, name=f"{name}-det", title=title)
