"""What `unmask train` and `unmask data pack` ask of the methods: which instruments they need, and to run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from unmask.bench.core.errors import UsageError

Files = Mapping[str, Mapping[str, Path]]
"""Instrument -> key -> file."""


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """All that the command line gives to a training beside its settings."""

    data: tuple[Path, ...]
    """.npz shards of faces or parts of a pack, or folders of them."""
    held_out: tuple[Path, ...]
    """The same, never learned from; empty = the settings' share of ``data``."""
    out: Path
    """Where everything goes; a training that is there is resumed."""
    device: str = "cpu"
    threads: int | None = None
    """Of the arithmetic on a CPU; None = one for each core."""
    files: Files = field(default_factory=dict)
    """For every name in `TrainingJob.instruments`."""
    stop_at: float | None = None
    """Seconds since 1970 at which the training saves its state and stops; None = at its end."""
    compiles: bool | None = None
    """Whether torch compiles the steps; None = on a GPU only."""


class TrainingJob(Protocol):
    """One network's training with its settings read and checked."""

    @property
    def name(self) -> str:
        """Of the settings."""

    @property
    def instruments(self) -> tuple[str, ...]:
        """Registered instruments whose networks take part in the losses."""

    def run(self, inputs: TrainingInputs, report: Callable[[str], None]) -> Path | None:
        """Trains, from where a stopped training is if there is one; the file of the trained network.

        None where ``inputs.stop_at`` came before the end.
        """


class FacePacker(Protocol):
    """What packs training faces for another machine."""

    @property
    def instruments(self) -> tuple[str, ...]:
        """Registered instruments whose weights go into a pack."""

    def pack(self, source: Path, out: Path, files: Files, report: Callable[[str], None]) -> None:
        """Packs the built set ``source`` into the folder ``out``."""


def stop_time(text: str, now: datetime) -> float:
    """``+90s``, ``+9m``, ``+2h`` (from ``now``), ``17:30`` (the next) or ``2026-01-31T17:30`` -> seconds since 1970.

    Raises UsageError for anything else, and for a time that is past.
    """
    match = re.fullmatch(r"\+(\d+(?:\.\d+)?)([smh])", text)
    try:
        if match is not None:
            moment = now + timedelta(seconds=float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]])
        elif re.fullmatch(r"\d\d?:\d\d(:\d\d)?", text):
            clock = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M").time()
            moment = datetime.combine(now.date(), clock, now.tzinfo)
            moment += timedelta(days=moment <= now)
        else:
            moment = datetime.fromisoformat(text)
        seconds = moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--stop-at {text}: write +9m, 17:30 or 2026-01-31T17:30") from error
    if seconds < now.timestamp():
        raise UsageError(f"--stop-at {text} is past")
    return seconds
