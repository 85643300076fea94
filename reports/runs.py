"""A finished run, indexed for the pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from unmask.bench.core import headlines
from unmask.bench.core.errors import StoreError
from unmask.bench.store.results import ComparisonRow, EstimateRow, FindingRow, InputRow, RankRow
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import PlannedDataset
from unmask.reports.cards import own_instruments

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


class RunView:
    """Look-ups over one run. ``tag`` names the run on a page that shows several; empty where it is alone."""

    def __init__(self, folder: RunFolder, tag: str = "") -> None:
        self.folder = folder
        self.tag = tag
        self.plan = folder.plan.of("photos")
        self.estimates = folder.estimates.of(self.plan)
        self.key = folder.plan.run
        self.metrics = {card.name: card for plug in self.plan.metrics for card in plug.cards}
        cards = {m.label: m.card for m in self.plan.methods if not m.draw_of}
        self.methods = {r.label: cards[r.method] for r in self.plan.releases if r.method in cards}
        self.datasets = {d.label: d.card for d in self.plan.datasets}
        self.instruments = {card.name: card for card in self.plan.measuring}
        self._columns: dict[str, tuple[Column, ...]] = {}
        self._check()

    def _check(self) -> None:
        for row in self.estimates.estimates:
            for kind, name, known in (
                ("metric", row.metric, self.metrics),
                ("method", row.method, self.methods),
                ("data set", row.dataset, self.datasets),
            ):
                if name not in known:
                    raise StoreError(
                        f"{self.folder.path}: estimates.json has {kind} {name!r}, which plan.json has not; "
                        f"run `unmask score {self.folder.path}`"
                    )

    @cached_property
    def _rows(self) -> dict[tuple[str, str, Column, str], EstimateRow]:
        rows = self.estimates.estimates
        return {(r.dataset, r.method, Column(r.metric, r.instrument, r.region or ""), r.group): r for r in rows}

    @cached_property
    def _ranks(self) -> dict[tuple[str, str, Column], RankRow]:
        return {
            (r.dataset, r.method, Column(r.metric, r.instrument, r.region or "")): r
            for r in self.estimates.ranks
            if r.method in self.methods
        }

    @cached_property
    def operating_points(self) -> Mapping[str, Any]:
        """The calibration card in force: the run's own where it measured one, else the plan's."""
        return self.folder.operating_points

    def row(self, dataset: str, method: str, column: Column, group: str = ALL) -> EstimateRow | None:
        return self._rows.get((dataset, method, column, group))

    def groups(self, dataset: str, method: str, column: Column) -> Iterator[EstimateRow]:
        """The estimates of subgroups, in the order of the file."""
        for (d, m, c, group), row in self._rows.items():
            if (d, m, c) == (dataset, method, column) and group != ALL:
                yield row

    def rank(self, dataset: str, method: str, column: Column) -> RankRow | None:
        """``None`` also on a page of several runs: their methods were not tested against each other."""
        return None if self.tag else self._ranks.get((dataset, method, column))

    @cached_property
    def _comparisons(self) -> dict[tuple[str, Column, frozenset[str]], ComparisonRow]:
        return {
            (r.dataset, Column(r.metric, r.instrument, r.region or ""), frozenset((r.a, r.b))): r
            for r in self.estimates.comparisons
        }

    def comparison(self, dataset: str, column: Column, one: str, other: str) -> ComparisonRow | None:
        """Of two methods, in either order."""
        return self._comparisons.get((dataset, column, frozenset((one, other))))

    def leads(self, dataset: str, column: Column) -> list[str]:
        """The contestants that nobody is clearly better than: one = the best, several = tied best; none where no two
        methods can be told apart, for then leading means nothing."""
        found = {m: r.best for m in self.contestants if (r := self.rank(dataset, m, column)) is not None}
        first = [m for m, best in found.items() if best == min(found.values())]
        return [] if len(first) == len(found) > 1 else first

    @cached_property
    def controls(self) -> list[str]:
        """Labels of the methods that leave images as they are."""
        return [label for label, card in self.methods.items() if card.name == CONTROL]

    @cached_property
    def contestants(self) -> list[str]:
        return [label for label in self.methods if label not in self.controls]

    def control_row(self, dataset: str, column: Column) -> EstimateRow | None:
        return next((r for m in self.controls if (r := self.row(dataset, m, column)) is not None), None)

    def columns(self, dataset: str) -> tuple[Column, ...]:
        """Everything measured on a data set, in reading order: as the plan lists metrics; worst instrument first."""
        if dataset not in self._columns:
            self._columns[dataset] = self._ordered_columns(dataset)
        return self._columns[dataset]

    def _ordered_columns(self, dataset: str) -> tuple[Column, ...]:
        found = {c for (d, _, c, group) in self._rows if d == dataset and group == ALL}
        metrics = {name: i for i, name in enumerate(self.metrics)}
        instruments = {name: i for i, name in enumerate([WORST, *self.instruments, "standard"])}
        regions = ("face", "image", "background")

        def order(c: Column) -> tuple[int, int, str, int]:
            return metrics[c.metric], instruments.get(c.instrument, 999), c.instrument, regions.index(c.region)

        return tuple(sorted(found, key=order))

    def findings(self, dataset: str, method: str) -> tuple[FindingRow, ...]:
        """What must be known before a method's numbers are trusted, in the order of the file."""
        return tuple(f for f in self.estimates.findings if (f.dataset, f.method) == (dataset, method))

    def failure_text(self, dataset: str, method: str) -> str:
        """``6 of 6 images failed: float32 array, uint8 wanted``, with the commonest reason; '' where none failed."""
        reasons = [f.reason for f in self.estimates.failures if (f.dataset, f.method) == (dataset, method)]
        if not reasons:
            return ""
        inputs = self.inputs(dataset)
        images = f" of {inputs.images - inputs.unreadable:,}" if inputs else ""
        commonest, times = Counter(reasons).most_common(1)[0]
        how = ":" if times == len(reasons) else ", mostly:"
        return f"{len(reasons):,}{images} images failed{how} {commonest}"

    def own_instruments(self, method: str) -> tuple[str, ...]:
        """Instruments of this run that the method runs itself: they do not judge it independently."""
        return own_instruments(self.methods[method], self.instruments)

    def planned(self, dataset: str) -> PlannedDataset:
        return next(d for d in self.plan.datasets if d.label == dataset)

    def inputs(self, dataset: str) -> InputRow | None:
        return next((i for i in self.estimates.inputs if i.dataset == dataset), None)

    def people(self, dataset: str) -> tuple[int, int]:
        """(distinct labelled people, faces without a name) among the faces of a data set."""
        table = self.folder.faces(dataset, (self.controls or list(self.methods))[0])
        names = [str(name) if name is not None else "" for name in table.column("identity").to_pylist()]
        return len({name for name in names if name}), sum(not name for name in names)
