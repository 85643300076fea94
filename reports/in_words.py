"""How many people attackers name, in words and numbers for everybody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from unmask.bench.store.attack_rows import AttackRow
from unmask.bench.store.results import EstimateRow
from unmask.reports.boards import Entrant
from unmask.reports.numbers import DASH, NBSP

_WHOLE: Final = 0.0995
"""Shares of people from which on they are written in whole numbers of a hundred."""


def sentence(
    entrant: Entrant,
    row: EstimateRow | None,
    control: EstimateRow | None,
    flags: Sequence[str],
    best: AttackRow | None,
    *,
    ignorant: bool,
) -> str:
    """What the strongest attack means for people, in numbers of a hundred. ``ignorant``: only an attacker who does not
    know the method could be asked."""
    if best is None:
        return "What an attacker would reach is not known: no attack on it may be believed."
    if row is None or row.value is None:
        return "What the strongest attack would reach is not measured: too few people are searched to choose it."
    if flags:
        return f"Not comparable with the other methods here: {'; '.join(flags)}."
    who = "An attacker who knows the method and has"
    if entrant.control:
        who = "Without anonymization an attacker who has"
    elif ignorant:
        who = "An attacker who does not know the method and has"
    ceiling = "" if entrant.control or control is None or control.value is None else of_100(control.value)
    guess = "" if row.chance is None else of_100(row.chance)
    return (
        f"{who} another photo of everybody names {of_100(row.value)} of 100 people out of {best.people:,}{_ends(row)}"
        f"{ceiling and f'; without anonymization {ceiling}'}{guess and f'; by guessing {guess}'}."
    )


def figure(row: EstimateRow | None) -> str:
    """``43 (95 % interval 34–55)``; '' = not measured."""
    return "" if row is None or row.value is None else f"{of_100(row.value)}{_ends(row)}"


def _ends(row: EstimateRow) -> str:
    if row.value is None or row.low is None or row.high is None:
        return ""
    places = 0 if row.value >= _WHOLE else None
    return f" (95{NBSP}% interval {of_100(row.low, places)}{DASH}{of_100(row.high, places)})"


def of_100(share: float, places: int | None = None) -> str:
    """``43``, ``0.25``, ``more than 99``: a share of people as so many of a hundred; never 100 unless it is all.

    ``places``: decimals; by default none from ten upwards, and below that two digits that count.
    """
    if places is not None:
        return f"{100 * share:.{places}f}"
    if 0.995 <= share < 1:
        return "more than 99"
    return f"{100 * share:.0f}" if share >= _WHOLE or share <= 0 else f"{100 * share:.2g}"
