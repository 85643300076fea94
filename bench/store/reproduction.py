"""``RUN/reproduction.json``: which published protocol a run follows, and what stands in for its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from unmask.bench.store.atomic import write_json
from unmask.bench.store.json_files import read_model
from unmask.bench.store.schemas import Strict

REPRODUCTION_SCHEMA: Final = "unmask.reproduction/1"
FILE: Final = "reproduction.json"


class Cell(Strict):
    """One age group of one gender."""

    age: str
    gender: str
    available: int | None
    """Photos of the split that belong to it; ``None`` = not recorded."""
    chosen: int


class Selection(Strict):
    """How the test photos were chosen."""

    source: str
    """The data set's SPEC."""
    photos: int
    """In it, before any choice."""
    estimator: str
    """Whose age and gender decide the cell."""
    per_cell: int
    seed: int
    cells: list[Cell]
    dropped: dict[str, int]
    """Reason -> photos that belong to no cell."""


class Reproduction(Strict):
    """A run that follows the thesis's protocol."""

    schema_: Literal["unmask.reproduction/1"] = Field(default=REPRODUCTION_SCHEMA, alias="schema")
    of: Literal["thesis"]
    dataset: str
    """Label in the plan."""
    roles: dict[str, str]
    """Part of the protocol -> the label of the method that plays it."""
    draws: dict[str, int] = Field(default_factory=dict)
    """Part -> how many draws with other seeds its results are the average of; others: one."""
    left_out: dict[str, str]
    """Parts without a method -> why."""
    selection: Selection


def write_reproduction(run: Path, value: Reproduction) -> None:
    write_json(run / FILE, value.model_dump(mode="json", by_alias=True))


def read_reproduction(run: Path) -> Reproduction | None:
    """``None`` where the run follows no protocol. Raises `StoreError` for another version's file."""
    path = run / FILE
    return read_model(Reproduction, path, "reproduce again") if path.is_file() else None
