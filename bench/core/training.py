"""What `unmask train` asks of the methods: which instruments a training looks through, and to run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """All that the command line gives to a training beside its settings."""

    data: tuple[Path, ...]
    """.npz shards of faces, or folders of them."""
    held_out: tuple[Path, ...]
    """The same, never learned from; empty = the settings' share of ``data``."""
    out: Path
    """Where everything goes; a training that lies there is gone on with."""
    device: str = "cpu"
    threads: int | None = None
    """That share the arithmetic on a CPU; None = as many as torch likes."""
    files: Mapping[str, Mapping[str, Path]] = field(default_factory=dict)
    """Instrument -> key -> file, for every name in `TrainingJob.instruments`."""


class TrainingJob(Protocol):
    """One network's training with its settings read and checked."""

    @property
    def name(self) -> str:
        """Of the settings."""

    @property
    def instruments(self) -> tuple[str, ...]:
        """Registered instruments that the losses look through."""

    def run(self, inputs: TrainingInputs, report: Callable[[str], None]) -> Path:
        """Trains to the end, or goes on where a killed training stopped; the file of the trained network."""
