"""The drawings of an audit, each with the same numbers as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from unmask.bench.store.results import AttackRow
from unmask.reports.audit import Audit, AuditLine, attack_name, share
from unmask.reports.charts.curves import Curve, cmc_plot, det_plot, gallery_plot, missed_at
from unmask.reports.numbers import DASH, format_interval, format_number

_RANKS: Final = (1, 2, 5, 10, 20, 50)
_FMRS: Final = (0.1, 0.01, 0.001)
_PICKED: Final = (
    "Each curve is of one training of the trustworthy attack that names most, picked on the very people that it is "
    "drawn for: how many are named stands in the first table."
)


@dataclass(frozen=True, slots=True)
class Drawing:
    title: str
    svg: Markup
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """What is drawn, in figures; the first text of each names the row."""


def curves(audit: Audit, name: str) -> list[Drawing]:
    """CMC and DET of all methods, by the strongest trustworthy attack on each. ``name``: keeps ids apart on a page."""
    best = [(line, line.best) for line in audit.lines if line.best is not None]
    return [*_cmc(audit, best, name), *_det(audit, best, name)]


def _cmc(audit: Audit, best: Sequence[tuple[AuditLine, AttackRow]], name: str) -> Iterator[Drawing]:
    drawn = [(line, row) for line, row in best if row.cmc]
    if not drawn:
        return
    people, ranks = audit.people, max(len(row.cmc) for _, row in drawn)
    chance = Curve("guessing", range(1, ranks + 1), [min(k / people, 1.0) for k in range(1, ranks + 1)])
    lines = [Curve(_legend(line), range(1, len(r.cmc) + 1), r.cmc, line.entrant.control) for line, r in drawn]
    title = f"Cumulative match characteristic on {audit.board.title}, strongest trustworthy attack on each method"
    shown = [k for k in _RANKS if k <= ranks]
    rows = [
        (_legend(line), *(share(row.cmc[k - 1]) if k <= len(row.cmc) else DASH for k in shown)) for line, row in drawn
    ]
    yield Drawing(
        "How soon the right person comes (CMC)",
        cmc_plot(lines, chance, name=f"{name}-cmc", title=title),
        f"Cumulative match characteristic: how often the right person is among the first so many. {_PICKED}",
        ("Method", *(f"Among the first {k}" for k in shown)),
        (*rows, ("guessing", *(share(min(k / people, 1.0)) for k in shown))),
    )


def _det(audit: Audit, best: Sequence[tuple[AuditLine, AttackRow]], name: str) -> Iterator[Drawing]:
    drawn = [(line, row) for line, row in best if row.fmr]
    if not drawn:
        return
    title = f"Detection error trade-off on {audit.board.title}, strongest trustworthy attack on each method"
    yield Drawing(
        "Which errors a verifier makes (DET)",
        det_plot(
            [Curve(_legend(line), row.fmr, row.fnmr, line.entrant.control) for line, row in drawn],
            name=f"{name}-det",
            title=title,
        ),
        "Detection error trade-off: the attacker says “one person” or “two”. Across: pairs of strangers that are taken "
        f"for one person; up: pairs of one person that are missed. Higher is more private. {_PICKED}",
        ("Method", *(f"Missed at a false match rate of {share(fmr)}" for fmr in _FMRS)),
        tuple((_legend(line), *(share(missed_at(row.fmr, row.fnmr, fmr)) for fmr in _FMRS)) for line, row in drawn),
    )


def _legend(line: AuditLine) -> str:
    return f"{line.entrant.name} (not ranked)" if line.apart else line.entrant.name


def galleries(line: AuditLine, name: str) -> Drawing | None:
    """Names by the size of the gallery, by the strongest trustworthy attack; ``None`` where that was not measured."""
    row = line.best
    if row is None or not any(each.measured is not None for each in row.galleries):
        return None
    title = f"Named first by the size of the gallery: {line.entrant.name}"
    rows = [
        (
            f"{each.size:,} people",
            share(each.measured),
            share(each.modelled),
            format_interval(each.low, each.high, each.modelled, "share") or DASH,
            share(1 / each.size),
        )
        for each in row.galleries
        if each.measured is not None or each.modelled is not None
    ]
    return Drawing(
        f"{line.entrant.name}, {attack_name(row)}",
        gallery_plot(row.galleries, name=name, title=title),
        _gallery_words(row),
        ("Gallery", "Measured", "Model", "Its 95 % band", "Guessing"),
        tuple(rows),
    )


def _gallery_words(row: AttackRow) -> str:
    """How far the drawing may be believed."""
    misfit = ""
    if row.gallery_misfit is not None:
        misfit = f"by up to {format_number(row.gallery_misfit, 'share')} points"
    last = max((each.size for each in row.galleries if each.modelled is not None), default=0)
    most = max(each.size for each in row.galleries if each.measured is not None)
    if not last:
        why = f"a model misses the measured points {misfit}" if misfit else "too few comparisons with strangers"
        return f"Measured up to {most:,} people; nothing is drawn beyond ({why})."
    differs = f" It misses measured points {misfit}, and the band is wider by that." if misfit else ""
    return (
        f"Points are measured, up to {most:,} people. The dashed line is a model, in its band.{differs} It ends at "
        f"{last:,} people: beyond, the scores of strangers do not support it, and nothing is drawn."
    )
