"""What the benchmarks that hold claims print: cells of Markdown tables, and which claims hold."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class Estimate(Protocol):
    """A number with its interval, where it has them."""

    @property
    def value(self) -> float | None: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


def cell(given: Estimate | None) -> str:
    """``0.950 [0.930, 0.961]``."""
    if given is None or given.value is None:
        return "not measured"
    interval = "" if given.low is None or given.high is None else f" [{given.low:.3f}, {given.high:.3f}]"
    return f"{given.value:.3f}{interval}"


def print_claims(claims: Collection[tuple[str, bool | None]]) -> int:
    """Prints each claim with whether it holds, ``None`` = not measured; 0 if none fails, else 1."""
    print()
    for claim, holds in claims:
        print(f"- {'not measured' if holds is None else 'holds' if holds else 'DOES NOT HOLD'}: {claim}")
    return 1 if any(holds is False for _, holds in claims) else 0
