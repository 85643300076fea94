"""An attacker for unmask: takes away what a method adds to everybody's readings. Written by ``unmask new attacker``.

Try it:   unmask check --kind attacker example_file.py:Example
Run it:   it needs a distribution of its own with these lines in pyproject.toml, and then --attacker example:

    [project.entry-points."unmask.attackers"]
    example = "mypackage.example_file:Example"
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from unmask import AttackerCard, Background, UnavailableError

FEWEST_PEOPLE = 10
Columns = Mapping[str, np.ndarray]


class Example:
    card: ClassVar[AttackerCard] = AttackerCard(
        name="example",
        version="1",  # raise it whenever what it learns or reads could change
        title="mean difference",
        knows="photos of the people, a recogniser, and pairs of photo and output of other people",
        how="Subtracts the mean difference of released and original readings, and scales to length 1.",  # CHANGE
        source="a template of unmask",
        limits="Undoes only what is the same for everybody.",
        audit="request",  # from which audit on it is tried: "quick", "full", or only where it is named
    )

    def fit(self, background: Background, *, seed: int) -> dict[str, Any]:
        # CHANGE: learn from people who are not tested; what is returned is stored: arrays of numbers by name.
        original, released = background.original["embedding"], background.released["embedding"]
        both = np.isfinite(original).all(axis=1) & np.isfinite(released).all(axis=1)
        people = len(set(background.identity[both].tolist()))
        if people < FEWEST_PEOPLE:
            raise UnavailableError(
                f"attacker 'example' needs at least {FEWEST_PEOPLE} background people; {people} given"
            )
        return {"shift": (released[both] - original[both]).mean(axis=0).astype(np.float32)}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> dict[str, Any]:
        # CHANGE: readings as it sees them: the same names and rows, of length 1; NaN where they were, nowhere else.
        if "shift" not in state:
            raise UnavailableError("attacker 'example' has learned nothing")
        shift = state["shift"] if released else np.zeros_like(state["shift"])
        return {name: _unit(rows - shift) for name, rows in readings.items()}


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)
