"""Whether a method holds more and more memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from unmask.bench.core.types import Sample
from unmask.bench.run.contracts.sessions import Session

GROWTH_MIB: Final = 0.5
"""MiB a call that memory may grow by; the photo that is handed over again and again has 1.4."""
WARM_UP: Final = 6
"""Calls before memory is looked at."""
CALLS: Final = 24
"""Calls in which memory is looked at."""
FEWEST_CALLS: Final = 8
"""Calls with which nothing can be said yet."""


def held_over_calls(session: Session, sample: Sample, seed: int, until: float) -> list[float]:
    """MiB that the method's process holds after each call with one photo, those of the warm-up left out. ``until``: the
    `time.monotonic` after which no further call begins."""
    held: list[float] = []
    for number in range(WARM_UP + CALLS):
        if time.monotonic() > until or session.attempt([sample], seed).failure:
            break
        if number >= WARM_UP:
            held.append(session.resident)
    return held


def grows(held: Sequence[float]) -> bool:
    """Whether memory grew in both halves of the calls: what a library keeps for itself comes to an end."""
    middle = len(held) // 2
    rates = ((held[middle] - held[0]) / middle, (held[-1] - held[middle]) / (len(held) - 1 - middle))
    return min(rates) > GROWTH_MIB
