"""A finished run over clips, indexed for the pages."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from unmask.bench.core.errors import StoreError
from unmask.bench.store.results import ClipResult, ClipRow, EstimateRow, RankRow
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import LOSSLESS, MATCHED, Release
from unmask.reports.numbers import Scale, scale_of
from unmask.reports.runs import ALL, CONTROL, WORST, Column

JUDGE: Final = "yunet"
"""Finds the faces of the originals, and says how each ended."""
FAMILIES: Final = ("traceability", "exposure", "consistency", "cost")
FAMILY_TITLES: Final = {
    "traceability": "Following people",
    "exposure": "Privacy over time",
    "consistency": "Consistency",
    "cost": "Cost",
}


class VideoView:
    """Look-ups over one run. Raises `StoreError` where its two JSON files do not belong together."""

    tag: Final = ""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.plan = folder.plan.of("clips")
        self.estimates = folder.estimates.of(self.plan)
        self.key = folder.plan.run
        self.metrics = {card.name: card for plug in self.plan.metrics for card in plug.cards}
        self.methods = {m.label: m.card for m in self.plan.methods}
        self.datasets = {d.label: d.card for d in self.plan.datasets}
        self.instruments = {card.name: card for card in self.plan.measuring}
        self.person_detector = self.plan.part("person_detector")
        self.detector = self.person_detector.card
        self.trackers = {t.label: t.card for t in self.plan.trackers}
        self.contestants = {c.label: c for c in self.plan.releases}
        self._scales: dict[tuple[str, Column], Scale] = {}
        self._check()

    def _check(self) -> None:
        if not any(self.is_control(c) for c in self.plan.releases):
            raise StoreError(f"{self.folder.plan_path} has no control; run `unmask score {self.folder.path}`")
        for row in self.estimates.estimates:
            for kind, name, known in (
                ("metric", row.metric, self.metrics),
                ("method", row.method, self.contestants),
                ("data set", row.dataset, self.datasets),
            ):
                if name not in known:
                    raise StoreError(
                        f"{self.folder.estimates_path} has {kind} {name!r}, which plan.json has not; "
                        "run `unmask score {self.folder.path}`"
                    )

    def is_control(self, contestant: Release) -> bool:
        """Whether it is the clips as they are, at whatever quality."""
        return self.methods[contestant.method].name == CONTROL

    @cached_property
    def control(self) -> Release:
        """The clips as they are, lossless."""
        return next(c for c in self.plan.releases if self.is_control(c))

    @cached_property
    def recoded(self) -> Release | None:
        """The clips as they are, written at the source's bitrate: what the codec alone does."""
        found = [c for c in self.plan.releases if self.is_control(c) and c.variant != LOSSLESS]
        return next((c for c in found if c.variant == MATCHED), found[0] if found else None)

    def reference(self, contestant: Release) -> Release | None:
        """The re-encoded control that a contestant is held against: of its own quality where it is not lossless."""
        same = [c for c in self.plan.releases if self.is_control(c) and c.variant == contestant.variant != LOSSLESS]
        return same[0] if same else self.recoded

    @cached_property
    def competing(self) -> list[Release]:
        """Everybody but the control."""
        return [c for c in self.plan.releases if not self.is_control(c)]

    @cached_property
    def tracker(self) -> str:
        """Label of the tracker that the page leads with."""
        return self.plan.trackers[0].label

    @cached_property
    def recognisers(self) -> list[str]:
        return [name for name, card in self.instruments.items() if card.role == "recogniser"]

    @cached_property
    def _rows(self) -> dict[tuple[str, str, Column, str], EstimateRow]:
        rows = self.estimates.estimates
        return {(r.dataset, r.method, Column(r.metric, r.instrument, r.region or ""), r.group): r for r in rows}

    def row(self, dataset: str, contestant: str, column: Column, group: str = ALL) -> EstimateRow | None:
        return self._rows.get((dataset, contestant, column, group))

    def column(self, metric: str, instrument: str) -> Column:
        """The column of a metric by one instrument, over whatever region it was measured."""
        return next(
            (c for _, _, c, _ in self._rows if (c.metric, c.instrument) == (metric, instrument)),
            Column(metric, instrument, ""),
        )

    def value(self, dataset: str, contestant: str, metric: str, instrument: str) -> EstimateRow | None:
        """The estimate over all clips, if there is one with a value."""
        row = self.row(dataset, contestant, self.column(metric, instrument))
        return None if row is None or row.value is None else row

    def columns(self, dataset: str) -> list[Column]:
        """Everything measured on a data set: as the plan lists metrics, the worst recogniser first."""
        found = {c for (d, _, c, group) in self._rows if d == dataset and group == ALL}
        metrics = {name: i for i, name in enumerate(self.metrics)}
        instruments = {name: i for i, name in enumerate([WORST, *self.trackers, *self.instruments])}
        return sorted(
            found, key=lambda c: (metrics[c.metric], instruments.get(c.instrument, 999), c.instrument, c.region)
        )

    def groups(self, dataset: str) -> list[str]:
        """``all``, and the groups of clips as estimates name them: ``group=fight``."""
        return list(dict.fromkeys(g for (d, _, _, g) in self._rows if d == dataset)) or [ALL]

    def scale(self, dataset: str, column: Column) -> Scale:
        """One scale for a column's bars, so that rows can be compared by eye."""
        if (dataset, column) not in self._scales:
            rows = [r for (d, _, c, group), r in self._rows.items() if (d, c, group) == (dataset, column, ALL)]
            values = [v for r in rows for v in (r.value, r.low, r.high, r.chance)]
            self._scales[dataset, column] = scale_of(self.metrics[column.metric].unit, values)
        return self._scales[dataset, column]

    @cached_property
    def _ranks(self) -> dict[tuple[str, str, Column], RankRow]:
        return {
            (r.dataset, r.method, Column(r.metric, r.instrument, r.region or "")): r
            for r in self.estimates.ranks
            if r.method in self.contestants
        }

    def rank(self, dataset: str, contestant: str, column: Column) -> RankRow | None:
        return self._ranks.get((dataset, contestant, column))

    def leads(self, dataset: str, column: Column) -> list[str]:
        """Contestants that nobody is clearly better than: one = the best, several = tied best."""
        found = {c.label: r.best for c in self.competing if (r := self.rank(dataset, c.label, column)) is not None}
        return [label for label, best in found.items() if best == min(found.values())]

    def clips(self, dataset: str) -> list[ClipRow]:
        """Every clip, whatever became of it."""
        return [row for row in self.estimates.clips if row.dataset == dataset]

    def usable(self, dataset: str) -> list[ClipRow]:
        return [row for row in self.clips(dataset) if not row.problem]

    def strangers(self, dataset: str) -> dict[str, tuple[int, int]]:
        """Recogniser -> pairs of faces in one frame that it takes for one person, and pairs; without those it has none
        of."""
        found = {}
        for name in self.recognisers:
            counts = [row.strangers[name] for row in self.usable(dataset)]
            matched, pairs = (sum(count[k] for count in counts) for k in (0, 1))
            if pairs:
                found[name] = (matched, pairs)
        return found

    def face_width(self, dataset: str) -> float | None:
        """How wide faces typically are: the median of the clips' medians, in pixels; None without any face."""
        widths = [row.face_width for row in self.usable(dataset) if row.face_width is not None]
        return statistics.median(widths) if widths else None

    @cached_property
    def _results(self) -> dict[tuple[str, str, str], ClipResult]:
        return {(r.dataset, r.method, r.clip): r for r in self.estimates.results}

    def result(self, dataset: str, contestant: str, clip: str) -> ClipResult | None:
        return self._results.get((dataset, contestant, clip))

    def results(self, dataset: str, contestant: str) -> Iterator[tuple[ClipRow, ClipResult]]:
        """Usable clips with what a contestant made of them."""
        for row in self.usable(dataset):
            found = self.result(dataset, contestant, row.clip)
            if found is not None:
                yield row, found
