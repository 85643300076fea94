"""A board: one data set with every run's methods that were measured on exactly the same faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from unmask.bench.core.cards import DatasetCard, MetricCard
from unmask.bench.store.results import InputRow
from unmask.reports.comparable import data_difference, metric_difference
from unmask.reports.numbers import Scale, count, scale_of
from unmask.reports.runs import WORST, Column, RunView

SMALL_PEOPLE = 100
"""With fewer people than this, intervals are too wide to tell most methods apart, and the page says so."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A method of a run, as a row."""

    run: RunView
    method: str

    @property
    def control(self) -> bool:
        return self.method in self.run.controls

    @property
    def name(self) -> str:
        """Unique among the rows of a page."""
        return f"{self.method} ({self.run.tag})" if self.run.tag else self.method


@dataclass(frozen=True)
class Board:
    """Built by `make_boards`."""

    dataset: str
    title: str
    """Distinct among the boards of a report."""
    runs: tuple[RunView, ...]
    """The first is the one that the others are held against."""
    apart: tuple[str, ...] = ()
    """Why other runs with a data set of this name have a board of their own."""
    _scales: dict[Column, Scale] = field(default_factory=dict, repr=False)
    _reasons: dict[tuple[str, Column], str] = field(default_factory=dict, repr=False)

    @property
    def reference(self) -> RunView:
        return self.runs[0]

    @property
    def card(self) -> DatasetCard:
        return self.reference.datasets[self.dataset]

    @property
    def entrants(self) -> list[Entrant]:
        return [Entrant(run, method) for run in self.runs for method in run.methods]

    @cached_property
    def columns(self) -> list[Column]:
        """Everything that any of the runs measured, the reference's order first."""
        return list(dict.fromkeys(c for run in self.runs for c in run.columns(self.dataset)))

    def metric(self, column: Column) -> MetricCard:
        return next(run.metrics[column.metric] for run in self.runs if column.metric in run.metrics)

    def reason_against(self, run: RunView, column: Column) -> str:
        """Why a run's number may not stand in this board; empty = it may."""
        if (run.tag, column) not in self._reasons:
            home = next(r for r in self.runs if column in r.columns(self.dataset))
            same = run is home or column not in run.columns(self.dataset)
            self._reasons[run.tag, column] = "" if same else metric_difference(home, run, column)
        return self._reasons[run.tag, column]

    def scale(self, column: Column) -> Scale:
        """One scale for a column's bars, so that rows can be compared by eye."""
        if column not in self._scales:
            rows = [
                row
                for run in self.runs
                if not self.reason_against(run, column)
                for method in run.methods
                if (row := run.row(self.dataset, method, column)) is not None
            ]
            values = [v for r in rows for v in (r.value, r.low, r.high, r.chance)]
            self._scales[column] = scale_of(self.metric(column).unit, values)
        return self._scales[column]

    @property
    def inputs(self) -> InputRow | None:
        return self.reference.inputs(self.dataset)

    @cached_property
    def size(self) -> str:
        """``60 faces of 45 people``, in words."""
        row = self.inputs
        people, unnamed = self.reference.people(self.dataset)
        faces = count(row.faces if row else 0, "face")
        if not people:
            return f"{faces}; who they are is not labelled"
        who = count(people, "person", "people")
        if not unnamed:
            return f"{faces} of {who}"
        return f"{faces}: {max((row.faces if row else 0) - unnamed, 0):,} of {who}, {unnamed:,} unnamed"

    @cached_property
    def small(self) -> bool:
        people, unnamed = self.reference.people(self.dataset)
        return people + unnamed < SMALL_PEOPLE

    @property
    def recognisers(self) -> list[str]:
        """The attackers behind the ``worst`` numbers."""
        asked = {c.instrument for c in self.columns if self.metric(c).family == "privacy"} - {WORST}
        return [c.name for c in self.reference.instruments.values() if c.role == "recogniser" and c.name in asked]


def make_boards(runs: Sequence[RunView]) -> list[Board]:
    """One board for each data set; runs whose faces differ get one of their own, with the reason."""
    boards: list[Board] = []
    for dataset in dict.fromkeys(label for run in runs for label in run.datasets):
        groups: list[list[RunView]] = []
        for run in (r for r in runs if dataset in r.datasets):
            home = next((g for g in groups if not data_difference(g[0], run, dataset)), None)
            if home is None:
                groups.append([run])
            else:
                home.append(run)
        for group in groups:
            apart = tuple(
                f"{' and '.join(r.tag for r in other)}: {data_difference(group[0], other[0], dataset)}"
                for other in groups
                if other is not group
            )
            title = f"{dataset} ({', '.join(r.tag for r in group)})" if len(groups) > 1 else dataset
            boards.append(Board(dataset, title, tuple(group), apart))
    return boards
