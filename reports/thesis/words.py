"""Numbers with their intervals, and answers, as the thesis's page writes them."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.reports.numbers import NBSP, NOT_MEASURED, format_interval, format_number, format_value, unit_mark
from unmask.reports.thesis.decisions import Answer, Range, Verdict

ANSWERS: dict[Answer, str] = {"yes": "yes", "no": "no", "open": "undecided", "unmeasured": NOT_MEASURED}
CLASSES: dict[Verdict, str] = {
    "supported": "better",
    "not supported": "worse",
    "undecided": "tie",
    "not measured": "none",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One of our numbers, ready to print."""

    text: str
    interval: str = ""
    n: str = ""

    @property
    def measured(self) -> bool:
        return self.text != NOT_MEASURED


def show(number: Range, unit: str) -> Shown:
    """``89.0 %``, ``86.9–91.0``, ``n = 1,012``."""
    if number.value is None:
        return Shown(NOT_MEASURED)
    n = "" if number.n is None else f"n{NBSP}={NBSP}{number.n:,}"
    return Shown(format_value(number.value, unit), format_interval(number.low, number.high, number.value, unit), n)


def show_difference(number: Range, unit: str) -> Shown:
    """With its sign; shares in percentage points."""
    if number.value is None:
        return Shown(NOT_MEASURED)
    mark = "points" if unit == "share" else unit_mark(unit)
    sign = "+" if number.value > 0 else ""
    text = f"{sign}{format_number(number.value, unit, exact=False)}{NBSP}{mark}".strip()
    return Shown(text, format_interval(number.low, number.high, number.value, unit))


def one_line(shown: Shown) -> str:
    """``+9.4 points (6.1–12.8)``."""
    return f"{shown.text} ({shown.interval})" if shown.interval else shown.text
