"""A board: one data set with all that was measured on exactly the same faces, by however many runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from unmask.bench.core.cards import DatasetCard, MethodCard, MetricCard
from unmask.bench.store.attack_rows import few_people
from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.comparable import data_difference, metric_difference
from unmask.bench.store.results import InputRow, RankRow
from unmask.bench.store.view import ALL, WORST, Column, RunView
from unmask.reports.numbers import NBSP, Scale, count, scale_of

SMALL_PEOPLE = 100
SMALL_CLIPS = 20
"""With fewer people or clips than this, intervals are too wide to tell most methods apart, and the page says so."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A row: of photos a method of a run, of clips a release."""

    run: RunView
    label: str

    @property
    def control(self) -> bool:
        return self.run.is_control(self.label)

    @property
    def card(self) -> MethodCard:
        return self.run.card(self.label)

    @property
    def name(self) -> str:
        """Unique among the rows of a page."""
        return f"{self.label} ({self.run.tag})" if self.run.tag else self.label


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

    @cached_property
    def clips(self) -> tuple[ClipSet, ...]:
        """The data set in each of the runs; empty where it holds photos."""
        return tuple(ClipSet(run, self.dataset) for run in self.runs if run.has_clips(self.dataset))

    def clips_of(self, run: RunView) -> ClipSet:
        return next(clips for clips in self.clips if clips.run is run)

    @cached_property
    def entrants(self) -> list[Entrant]:
        return [Entrant(run, label) for run in self.runs for label in run.labels(self.dataset)]

    @cached_property
    def columns(self) -> list[Column]:
        """Everything that any of the runs measured, the reference's order first."""
        return list(dict.fromkeys(c for run in self.runs for c in run.columns(self.dataset)))

    def metric(self, column: Column) -> MetricCard:
        return next(run.metrics[column.metric] for run in self.runs if column.metric in run.metrics)

    def reason_against(self, run: RunView, column: Column) -> str:
        """Why a run's number may not stand in this board; empty = it may."""
        if (run.tag, column) not in self._reasons:
            home = next((r for r in self.runs if column in r.columns(self.dataset)), run)
            same = run is home or column not in run.columns(self.dataset)
            self._reasons[run.tag, column] = "" if same else metric_difference(home, run, column)
        return self._reasons[run.tag, column]

    def scale(self, column: Column) -> Scale:
        """One scale for a column's bars, so that rows can be compared by eye."""
        if column not in self._scales:
            rows = [
                row
                for e in self.entrants
                if not self.reason_against(e.run, column)
                and (row := e.run.row(self.dataset, e.label, column)) is not None
            ]
            values = [v for r in rows for v in (r.value, r.low, r.high, r.chance)]
            self._scales[column] = scale_of(self.metric(column).unit, values)
        return self._scales[column]

    def chance(self, column: Column, group: str = ALL) -> list[float]:
        """What guessing would score, ascending; several values where it depends on the method."""
        rows = (e.run.row(self.dataset, e.label, column, group) for e in self.entrants)
        return sorted({row.chance for row in rows if row is not None and row.chance is not None})

    def rank(self, entrant: Entrant, column: Column) -> RankRow | None:
        """``None`` for the control, and for everybody where several runs share the board: their methods were not tested
        against each other."""
        alone = len(self.runs) == 1 and not entrant.control
        return entrant.run.rank(self.dataset, entrant.label, column) if alone else None

    @property
    def inputs(self) -> InputRow | None:
        """Of photos."""
        return self.reference.inputs(self.dataset)

    @cached_property
    def size(self) -> str:
        """``60 faces of 45 people``, ``12 of 13 clips, 1,800 frames, 1 min 12 s``."""
        if self.clips:
            return clips_size(self.clips[0])
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
    def few(self) -> int:
        """How many people attackers who know the methods search, where that allows few claims; else 0."""
        return few_people(row for run in self.runs for row in run.estimates.attacks if row.dataset == self.dataset)

    @cached_property
    def small(self) -> bool:
        if self.clips:
            return len(self.clips[0].usable) < SMALL_CLIPS
        people, unnamed = self.reference.people(self.dataset)
        return people + unnamed < SMALL_PEOPLE

    @property
    def recognisers(self) -> list[str]:
        """The attackers behind the ``worst`` numbers."""
        names = {c.instrument for c in self.columns if self.metric(c).family in ("privacy", "exposure")}
        return [name for name in self.reference.recognisers if name in names - {WORST}]


def clips_size(clips: ClipSet) -> str:
    """``12 of 13 clips, 1,800 frames, 1 min 12 s``."""
    every, usable = count(len(clips.every), "clip"), clips.usable
    number = every if len(usable) == len(clips.every) else f"{len(usable):,} of {every}"
    return f"{number}, {count(sum(row.frames for row in usable), 'frame')}, {_duration(sum(r.seconds for r in usable))}"


def _duration(seconds: float) -> str:
    """``12.4 s``, ``3 min 5 s``, ``1 h 2 min``."""
    if seconds < 60:
        return f"{seconds:.1f}{NBSP}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    text = f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
    return text.replace(" ", NBSP)


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
