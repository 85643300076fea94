"""Calls of a plug-in whose exceptions become verdicts; and what is the same."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from unmask.bench.core.errors import reason_of
from unmask.bench.run.contracts.verdicts import Ledger

T = TypeVar("T")


def tried(ledger: Ledger, rule: str, what: str, call: Callable[[], T]) -> T | None:
    """What ``call`` returns; ``None`` where it raises, which breaks ``rule``, or ``inputs`` where it wrote to what is
    read-only."""
    try:
        return call()
    except BaseException as error:
        reason = reason_of(error)
        ledger.break_("inputs" if "read-only" in reason else rule, f"{what}: {reason}")
        return None


def check_texts(ledger: Ledger, card: Any, *names: str) -> None:
    """Whether these fields of a card say anything."""
    empty = [name for name in names if not str(getattr(card, name, "")).strip()]
    if empty:
        ledger.break_("card", f"its card has no {', no '.join(empty)}")


def is_same(a: Any, b: Any) -> bool:
    """Equal through mappings, sequences, dataclasses and arrays; NaN equals NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if dataclasses.is_dataclass(a) and type(a) is type(b):
        return all(
            is_same(getattr(a, field.name), getattr(b, field.name))
            for field in dataclasses.fields(a)
            if field.name != "derived" and not callable(getattr(a, field.name))
        )
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return list(a) == list(b) and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, Sequence) and not isinstance(a, str) and isinstance(b, Sequence):
        return len(a) == len(b) and all(is_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b) or (isinstance(a, float) and isinstance(b, float) and a != a and b != b)


def copied(value: T) -> T:
    return copy.deepcopy(value)
