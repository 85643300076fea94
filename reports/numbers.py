"""How a number is written on a page, and where it lies on a small scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

NOT_MEASURED: Final = "not measured"
MINUS: Final = "\N{MINUS SIGN}"
NBSP: Final = "\N{NO-BREAK SPACE}"
DASH: Final = "\N{EN DASH}"


_MARKS: Final = {
    "share": "%", "%": "%", "years": "years", "years squared": "years²", "dB": "dB", "ms": "ms", "MiB": "MiB",
    "degrees": "°", "eye distances": "eye distances", "kbit/s": "kbit/s",
}  # fmt: skip


def unit_mark(unit: str) -> str:
    """What stands behind a value: shares are written in per cent. Empty where a unit only says what 0 or 1 mean."""
    return _MARKS.get(unit, "")


def decimals(value: float, unit: str) -> int:
    """Decimals that leave about three significant digits; shares are per cent with one."""
    if unit == "share":
        return 1
    size = abs(value)
    return 0 if size >= 100 else 1 if size >= 10 else 2 if size > 1 else 3 if size >= 0.01 or size == 0 else 4


def format_number(value: float, unit: str, places: int | None = None, *, exact: bool = True) -> str:
    """``value`` without its unit.

    With ``exact``, a share that is not quite 0 or 1 never reads as 0 or 100 %: "never failed" must not be mere
    rounding.
    """
    places = decimals(value, unit) if places is None else places
    if unit == "share":
        percent = value * 100
        step = 10**-places
        if exact and 0 < percent < step / 2:
            return f"<{NBSP}{step:.{places}f}"
        if exact and 100 - step / 2 < percent < 100:
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


def format_interval(low: float | None, high: float | None, value: float | None, unit: str) -> str:
    """``96.1–99.4``, with as many decimals as the value; empty where there is no interval."""
    if low is None or high is None or value is None:
        return ""
    places = decimals(value, unit)
    between = DASH if low >= 0 else " to "
    return format_number(low, unit, places, exact=False) + between + format_number(high, unit, places, exact=False)


class Number(Protocol):
    """A number that may have an interval: a row of estimates, or what was worked out of rows."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def interval_text(number: Number, unit: str) -> str:
    """`format_interval` of a number's own interval."""
    return format_interval(number.low, number.high, number.value, unit)


def with_interval(number: Number | None, unit: str) -> str:
    """``89.0 % (86.9–91.0)``."""
    interval = interval_text(number, unit) if number is not None else ""
    return format_value(number.value if number is not None else None, unit) + (f" ({interval})" if interval else "")


def change_text(value: float | None, unit: str) -> str:
    """A difference with its sign, shares in percentage points: ``+9.4 points``."""
    if value is None:
        return NOT_MEASURED
    sign, mark = "+" if value > 0 else "", "points" if unit == "share" else unit_mark(unit)
    return f"{sign}{format_number(value, unit, exact=False)}{NBSP}{mark}".strip()


def change_with_interval(number: Number, unit: str) -> str:
    """``+9.4 points (6.1–12.8)``."""
    interval = interval_text(number, unit)
    return change_text(number.value, unit) + (f" ({interval})" if interval else "")


def whole_text(value: int | None) -> str:
    """``1,204``, with a true minus."""
    return NOT_MEASURED if value is None else f"{value:,}".replace("-", MINUS)


def ends_text(values: Sequence[float], unit: str) -> str:
    """The first and the last of ascending values, as one text; once where they read alike, '' where there are none."""
    return DASH.join(dict.fromkeys(format_value(value, unit) for value in (*values[:1], *values[-1:])))


def fmr_text(fmr: float) -> str:
    """``1e-3``, as in the metrics' names."""
    return f"{fmr:.0e}".replace("e-0", "e-")


def format_p(p: float) -> str:
    """A p-value with its sign: ``= 0.032``, ``< 0.001``."""
    return f"<{NBSP}0.001" if p < 0.001 else f"={NBSP}{p:.3f}"


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 face``, ``1,204 faces``."""
    return f"{n:,}{NBSP}{one if n == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)


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


def scale_of(unit: str, values: Iterable[float | None]) -> Scale:
    """0 to 1 for shares, else from 0 to where the values end: a scale that leaves 0 out makes small gaps look large."""
    numbers = [v for v in values if v is not None]
    low, high = (0.0, 1.0) if unit == "share" else (min([0.0, *numbers]), max([0.0, *numbers]))
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
