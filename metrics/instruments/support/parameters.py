"""Parameters of person detectors and trackers, checked before any work."""

from __future__ import annotations

import math

from unmask.bench.core.errors import SpecError


def real(name: str, key: str, value: float, low: float, high: float) -> float:
    """``value`` of the parameter ``key`` of instrument ``name``. Raises `SpecError` unless it is from low to high."""
    if not _is_number(value) or not low <= value <= high:
        raise SpecError(f"{name}: {key}={value} must be from {low} to {high}")
    return float(value)


def whole(name: str, key: str, value: float, low: int, high: int) -> int:
    """Like `real`, for whole numbers."""
    if not is_whole(value) or not low <= value <= high:
        raise SpecError(f"{name}: {key}={value} must be a whole number from {low} to {high}")
    return int(value)


def share(name: str, key: str, value: float) -> float:
    """Like `real`, for numbers above 0 and below 1."""
    if not _is_number(value) or not 0 < value < 1:
        raise SpecError(f"{name}: {key}={value} must be above 0 and below 1")
    return float(value)


def is_whole(value: float) -> bool:
    """Whether ``value`` is a whole number, e.g. 416 or 416.0."""
    return _is_number(value) and value == int(value)


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and math.isfinite(value)
