"""The control: hands the input back. Whatever a recogniser can do, it does here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import Image, Sample


class Unchanged:
    """Every image as it came, as a copy."""

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="none",
            version="1",
            description="Returns the input unchanged. The control that every method is compared with.",
            licence="MIT",
            source="unmask",
            limits="Protects nobody: every face counts as missed.",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Nothing to load."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image]:
        """Copies of the inputs."""
        return [sample.image.copy() for sample in batch]
