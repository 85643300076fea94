"""Checks of method parameters: one line that names the allowed range, before any work starts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import SpecError


def number(method: str, name: str, value: Scalar, low: float, high: float, *, above: bool = False) -> float:
    """``value`` as a float in ``low..high`` (``above``: low itself is not allowed). Raises `SpecError`."""
    interval = f"a number above {low:g} and at most {high:g}" if above else f"a number from {low:g} to {high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpecError(f"{method}: {name}={value} must be {interval}")
    if not math.isfinite(value) or value > high or value < low or (above and value == low):
        raise SpecError(f"{method}: {name}={value} must be {interval}")
    return float(value)


def whole(method: str, name: str, value: Scalar, low: int, high: int) -> int:
    """``value`` as an int in ``low..high``. Raises `SpecError`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise SpecError(f"{method}: {name}={value} must be a whole number from {low} to {high}")
    return value


def choice(method: str, name: str, value: Scalar, allowed: Sequence[str]) -> str:
    """``value`` if it is one of ``allowed``. Raises `SpecError`."""
    if not isinstance(value, str) or value not in allowed:
        raise SpecError(f"{method}: {name}={value} must be one of: {', '.join(allowed)}")
    return value
