"""How a number is written on a page, and where it lies on a small scale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

NOT_MEASURED: Final = "not measured"
MINUS: Final = "\N{MINUS SIGN}"
NBSP: Final = "\N{NO-BREAK SPACE}"
DASH: Final = "\N{EN DASH}"


def unit_mark(unit: str) -> str:
    """What stands behind a value: shares are written in per cent."""
    return "%" if unit == "share" else "" if unit in ("", "1", "index", "score", "distance") else unit


def decimals(value: float, unit: str) -> int:
    """Decimals that leave about three significant digits; shares are per cent with one."""
    if unit == "share":
        return 1
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2 if size > 1 else 3 if size >= 0.01 or size == 0 else 5


def format_number(value: float, unit: str, places: int | None = None) -> str:
    """``value`` without its unit.

    A share that is not quite 0 or 1 never reads as 0 or 100 %: "never failed" must not be an effect of rounding.
    """
    places = decimals(value, unit) if places is None else places
    if unit == "share":
        percent = value * 100
        step = 10**-places
        if 0 < percent < step / 2:
            return f"<{NBSP}{step:.{places}f}"
        if 100 - step / 2 < percent < 100:
            return f">{NBSP}{100 - step:.{places}f}"
        value = percent
    text = f"{value:,.{places}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def format_value(value: float | None, unit: str) -> str:
    """``98.3 %``, ``12.4 ms``, ``not measured``."""
    if value is None:
        return NOT_MEASURED
    mark = unit_mark(unit)
    return format_number(value, unit) + (f"{NBSP}{mark}" if mark else "")


def format_interval(low: float | None, high: float | None, value: float | None, unit: str, *, to: str = DASH) -> str:
    """``96.1–99.4``, with as many decimals as the value; empty where there is no interval."""
    if low is None or high is None or value is None:
        return ""
    places = decimals(value, unit)
    return f"{format_number(low, unit, places)}{to}{format_number(high, unit, places)}"


def format_p(p: float) -> str:
    """A p-value with its sign: ``= 0.032``, ``< 0.001``."""
    return f"<{NBSP}0.001" if p < 0.001 else f"={NBSP}{p:.3f}"


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 face``, ``1,204 faces``."""
    return f"{n:,}{NBSP}{one if n == 1 else many or one + 's'}"


def rank_range(best: int, worst: int) -> str:
    """``2`` or ``2–4``."""
    return f"{best}" if best == worst else f"{best}{DASH}{worst}"


@dataclass(frozen=True, slots=True)
class Scale:
    """The ends of a small drawn scale, in the metric's unit."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Where ``value`` lies: 0 = left end, 100 = right end; values outside are put on the end."""
        if self.high <= self.low:
            return 50.0
        return round(min(max((value - self.low) / (self.high - self.low), 0.0), 1.0) * 100, 2)


def scale_of(bounds: tuple[float | None, float | None], values: Iterable[float | None]) -> Scale:
    """A scale between the metric's bounds; an open end is put where the values end."""
    known = [v for v in values if v is not None]
    low, high = bounds
    low = low if low is not None else min(known, default=0.0)
    high = high if high is not None else max([low, *known])
    return Scale(low, high if high > low else low + 1.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """A value with its interval on a scale, in per cent of the scale's length."""

    value: float
    low: float | None
    high: float | None
    chance: float | None
    control: float | None

    @property
    def width(self) -> float:
        """Length of the interval; at least a hair, so that it stays visible."""
        if self.low is None or self.high is None:
            return 0.0
        return round(max(self.high - self.low, 0.6), 2)


def bar_of(
    scale: Scale,
    value: float | None,
    low: float | None,
    high: float | None,
    chance: float | None = None,
    control: float | None = None,
) -> Bar | None:
    """The bar of an estimate; ``None`` where it was not measured."""

    def place(x: float | None) -> float | None:
        return None if x is None else scale.at(x)

    if value is None:
        return None
    return Bar(scale.at(value), place(low), place(high), place(chance), place(control))
