"""What can be told of a weights file, whoever wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unmask.bench.core.cards import Scalar


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """A weights file that fits a known network, strictly."""

    path: str
    format: str
    """``safetensors``, ``torch zip`` or ``torch before 1.6``."""
    sha256: str
    size: int
    """Bytes."""
    wrapping: tuple[str, ...]
    """The names that the network was found under, outermost first."""
    beside: tuple[str, ...]
    """What else the file holds."""
    architecture: str
    title: str
    settings: Mapping[str, Scalar]
    """Read off the shapes."""
    parameters: int
    stored_as: tuple[str, ...]
    """Types of the weights in the file, e.g. ``float16``."""
    metadata: Mapping[str, str]
    """Of a safetensors file."""
    training_file: str
    """Name of the settings file or card beside it; '' = none."""
    training: Mapping[str, Any]
    """What that file says; unverified."""
    methods: tuple[str, ...]
    """Methods that take it as ``checkpoint=``."""
