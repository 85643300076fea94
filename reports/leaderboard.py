"""The leaderboard of one data set: pinned control and chance, then the contestants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from unmask.bench.core.headlines import HEADLINE_EXPOSURE, HEADLINE_PRIVACY, HEADLINE_RISK
from unmask.bench.store.planned import LOSSLESS
from unmask.bench.store.results import Problem
from unmask.bench.store.view import CONTROL, WORST, RunView
from unmask.reports.audit import Audit, audit_of, strongest_cell
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.columns import OUTCOMES, Head, headline_column, headline_heads, span_title
from unmask.reports.numbers import NBSP, NOT_MEASURED, count, ends_text, format_number

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
    """How a method's faces ended; of clips, averaged over the frames of each face track."""

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
class Leaderboard:
    board: Board
    heads: tuple[Head, ...]
    spans: list[tuple[str, str, int]]
    """Name, title and number of columns of each group of neighbours; without the outcome column."""
    controls: tuple[Line, ...]
    chance: tuple[str, ...]
    """One text a column; empty where chance has no meaning."""
    contestants: tuple[Line, ...]
    apart: tuple[Line, ...]
    """Methods that attackers who know them could not be asked about, where others were."""
    audit: Audit | None
    """What attackers reach who know the methods; ``None`` = they were not asked."""
    left_out: tuple[str, ...]
    """Of clips: why whole groups of columns are not there, a sentence each."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """All rows, the control first."""
        return (*self.controls, *self.contestants, *self.apart)

    @property
    def order(self) -> str:
        """By what the contestants are ordered, as the end of a sentence."""
        names = {head.card.name for head in self.heads}
        if HEADLINE_EXPOSURE in names:
            return "the fewest face tracks exposed come first"
        if HEADLINE_RISK in names:
            return "the least residual risk comes first"
        return "the higher de-identification rate comes first"

    @property
    def unmeasured(self) -> list[Head]:
        """Columns in which no method has a number."""
        return [h for i, h in enumerate(self.heads) if all(row.cells[i].state == "unmeasured" for row in self.lines)]


def make_leaderboard(board: Board) -> Leaderboard:
    """Contestants that keep faces come first, each group by the headline of privacy, best first: the residual risk
    where attackers were asked who know the methods."""
    heads = tuple(headline_heads(board))
    audit = audit_of(board)
    apart = {each.entrant.name: each.apart for each in audit.apart} if audit is not None else {}
    lines = [_line(board, entrant, heads) for entrant in board.entrants]
    names = [head.card.name for head in heads]
    leading = (HEADLINE_EXPOSURE, HEADLINE_RISK, HEADLINE_PRIVACY)
    lead = next((names.index(name) for name in leading if name in names), None)

    def order(line: Line) -> tuple[bool, bool, float]:
        value = None if lead is None else line.cells[lead].sort
        higher = lead is not None and heads[lead].card.direction == "higher"
        return line.destroys, value is None, (-value if higher else value) if value is not None else 0.0

    others = sorted((line for line in lines if not line.entrant.control), key=order)
    spans = groupby(heads, key=lambda head: head.span)
    return Leaderboard(
        board,
        heads,
        [(name, span_title(name), len(list(each))) for name, each in spans],
        tuple(line for line in lines if line.entrant.control),
        tuple(ends_text(board.chance(head.column), head.card.unit) for head in heads),
        tuple(line for line in others if line.entrant.name not in apart),
        tuple(_set_apart(line, heads, apart[line.entrant.name]) for line in others if line.entrant.name in apart),
        audit,
        tuple(_left_out(board, {head.span for head in heads})),
    )


def _set_apart(line: Line, heads: Sequence[Head], reason: str) -> Line:
    """Without its place among those whom informed attackers were asked about."""
    cells = (
        replace(cell, rank="", lead="") if head.card.family == "audit" else cell
        for cell, head in zip(line.cells, heads, strict=True)
    )
    return replace(line, about=f"{line.about}; {reason}" if line.about else reason, cells=tuple(cells))


def _left_out(board: Board, spans: set[str]) -> Iterator[str]:
    if not board.clips:
        return
    clips = board.clips[0]
    if not clips.usable:
        yield "No clip could be used, so nothing was measured."
        return
    if "truth" not in spans:
        yield "Not measured against the truth: these clips come without an annotation of people."
    if "original" not in spans:
        yield "Not measured against the original's tracks: nobody was followed in any original."
    if not any(row.face_tracks for row in clips.usable):
        yield "No face was found in these clips, so privacy over time and consistency have no answer."


def outcomes_of(board: Board, entrant: Entrant) -> Outcomes:
    parts, counts = [], ""
    for name in OUTCOMES:
        columns = (headline_column(board, f"{prefix}_{name}") for prefix in ("outcome", "frames"))
        column = next((column for column in columns if column is not None), None)
        row = None if column is None else entrant.run.row(board.dataset, entrant.label, column)
        if row is not None and row.value is not None:
            share = f"{format_number(row.value, 'share', 0)}{NBSP}%"
            parts.append(OutcomePart(name, row.value, f"{share} {'errors' if name == 'error' else name}"))
            counts = counts or f"of {row.n:,} {'face tracks' if row.region is None else 'faces'}"
    return Outcomes(tuple(parts), counts)


def _line(board: Board, entrant: Entrant, heads: tuple[Head, ...]) -> Line:
    outcomes = outcomes_of(board, entrant)
    if entrant.control:
        about = f"control: the {'clips' if board.clips else 'photos'} as they are"
        if entrant.run.releases[entrant.label].variant != LOSSLESS:
            about = "control: only re-encoded"
    elif outcomes.share("destroyed") >= USELESS_SHARE:
        about = "destroys faces: of no use"
    elif outcomes.share("error") >= USELESS_SHARE:
        about = "fails on most faces"
    else:
        about = ""
    failure = failure_text(board, entrant)
    findings = [finding.text for finding in entrant.run.findings(board.dataset, entrant.label)]
    return Line(
        entrant,
        about,
        outcomes,
        tuple(headline_cell(board, entrant, head) for head in heads),
        (*([failure] if failure else []), *findings),
    )


def headline_cell(board: Board, entrant: Entrant, head: Head) -> Cell:
    """Of an audit, by the strongest attack that could be tried."""
    if head.column.instrument == WORST and head.card.family == "audit":
        return strongest_cell(board, entrant, head.card.name)
    return entrant_cell(board, entrant, head.column)


def failures_of(board: Board, entrant: Entrant) -> list[Problem]:
    """The photos or clips of which a method gave nothing usable, or not in every frame."""
    if board.clips:
        return list(board.clips_of(entrant.run).failures(entrant.label))
    return entrant.run.failures(board.dataset, entrant.label)


def failure_text(board: Board, entrant: Entrant) -> str:
    """``6 of 6 images failed: float32 array, uint8 wanted``, with the commonest reason; '' where none failed."""
    problems, inputs = failures_of(board, entrant), entrant.run.inputs(board.dataset)
    if not problems:
        return ""
    commonest, times = Counter(problem.reason for problem in problems).most_common(1)[0]
    how = ":" if times == len(problems) else ", mostly:"
    if board.clips:
        usable = len(board.clips_of(entrant.run).usable)
        return f"{len(problems):,} of {usable:,} clips failed, wholly or in part{how} {commonest}"
    images = f" of {inputs.images - inputs.unreadable:,}" if inputs else ""
    return f"{len(problems):,}{images} images failed{how} {commonest}"


def summary(runs: Sequence[RunView], tables: Sequence[Leaderboard]) -> str:
    """What was measured, in a few sentences for somebody who builds none of this."""
    boards = [table.board for table in tables]
    methods = len({m for run in runs for m, card in run.methods.items() if card.name != CONTROL})
    sizes = "; ".join(f"{board.size} ({board.title})" for board in boards)
    attackers = {name for board in boards for name in board.recognisers}
    first = f"{count(methods, 'way', 'ways')} of hiding faces {'was' if methods == 1 else 'were'} tried on {sizes}"
    sentences = [f"{first}."]
    if attackers:
        many = count(len(attackers), "face recognition program")
        sentences = [f"{first}, and {many} then tried to find the same people again."]
    measured = {head.card.name for table in tables for head in table.heads if head not in table.unmeasured}
    worst = "it" if len(attackers) == 1 else "even the most successful of them"
    if HEADLINE_RISK in measured:
        sentences.append(
            "The headline is the residual risk: how far the strongest attacker who knows the method comes from "
            "guessing (0) to naming everybody who could be named without anonymization (1). What the faces are still "
            f"good for stands beside it, and each number with its 95{NBSP}% interval."
        )
    elif HEADLINE_PRIVACY in measured:
        sentences.append(
            f"The headline is the share of faces that {worst} could no longer match to their own original, at a "
            "setting that confuses 1 in 1,000 pairs of strangers; what the faces are still good for stands beside it, "
            f"and each number with its 95{NBSP}% interval."
        )
    else:
        sentences.append(f"The tables say what became of the faces, each number with its 95{NBSP}% interval.")
    if any(board.clips for board in boards):
        sentences.append(
            "Of clips two things are asked: can people still be followed from frame to frame, and are there moments in "
            "which a program still recognises a person? One such frame is enough."
        )
    return " ".join(sentences)
