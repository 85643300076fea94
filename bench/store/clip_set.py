"""One data set of clips of a finished run, indexed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import cached_property

from unmask.bench.core.errors import StoreError
from unmask.bench.store.planned import LOSSLESS, MATCHED, Release
from unmask.bench.store.results import ClipResult, ClipRow, EstimateRow, Problem
from unmask.bench.store.view import ALL, Column, RunView


class ClipSet:
    """Look-ups over one data set of clips of a run."""

    def __init__(self, run: RunView, dataset: str) -> None:
        self.run = run
        self.dataset = dataset
        self.label = f"{dataset} ({run.tag})" if run.tag else dataset
        self.card = run.datasets[dataset]
        self.every: list[ClipRow] = [row for row in run.estimates.clips if row.dataset == dataset]
        """Every clip, whatever became of it."""
        self.usable = [row for row in self.every if not row.problem]
        self.groups = list(dict.fromkeys(row.group for row in self.every)) or [""]
        """In the order of the data set; ``[""]`` where there are none."""
        self.trackers = [part.label for part in run.plan.trackers]
        self.competing = [run.releases[label] for label in run.contestants(dataset)]
        self.controls = [run.releases[label] for label in run.controls(dataset)]
        if not self.controls:
            raise StoreError(f"{run.folder.plan_path} has no control; run `unmask score {run.folder.path}`")
        self.control: Release = self.controls[0]
        """The clips as they are, lossless."""
        self.looked_closely: bool = run.plan.looks_closely(run.planned(dataset))
        """Whether looks, faces elsewhere and second detectors were tried, see `Plan.looks_closely`."""

    @property
    def tracker(self) -> str:
        """Label of the tracker that leads."""
        return self.trackers[0]

    @cached_property
    def recoded(self) -> Release | None:
        """The clips as they are, written at the source's bitrate: what the codec alone does."""
        recoded = [release for release in self.controls if release.variant != LOSSLESS]
        return next((release for release in recoded if release.variant == MATCHED), recoded[0] if recoded else None)

    def reference(self, release: Release) -> Release | None:
        """The re-encoded control that a release is held against: of its own variant where it is not lossless."""
        same = (control for control in self.controls if control.variant == release.variant != LOSSLESS)
        return next(same, self.recoded)

    def column(self, metric: str, instrument: str) -> Column:
        """The column of a metric by one instrument, over whatever region it was measured."""
        columns = self.run.columns(self.dataset)
        return next(
            (c for c in columns if (c.metric, c.instrument) == (metric, instrument)), Column(metric, instrument, "")
        )

    def row(self, label: str, metric: str, instrument: str, group: str = ALL) -> EstimateRow | None:
        return self.run.row(self.dataset, label, self.column(metric, instrument), group)

    def value(self, label: str, metric: str, instrument: str) -> EstimateRow | None:
        """The estimate over all clips, if there is one with a value."""
        row = self.row(label, metric, instrument)
        return None if row is None or row.value is None else row

    @cached_property
    def _results(self) -> dict[tuple[str, str], ClipResult]:
        return {(r.method, r.clip): r for r in self.run.estimates.results if r.dataset == self.dataset}

    def results(self, label: str) -> list[tuple[ClipRow, ClipResult]]:
        """Usable clips with what a release made of them."""
        pairs = ((row, self._results.get((label, row.clip))) for row in self.usable)
        return [(row, result) for row, result in pairs if result is not None]

    def failures(self, label: str) -> Iterator[Problem]:
        for row, result in self.results(label):
            if result.error:
                yield Problem(sample=row.clip, reason=f"no output: {result.error}")
            elif result.failed_frames:
                yield Problem(sample=row.clip, reason=f"{result.failed_frames:,} of {row.frames:,} frames failed")

    @cached_property
    def strangers(self) -> dict[str, tuple[int, int]]:
        """Recogniser -> pairs of faces in one frame that it takes for one person, and pairs; without those it has none
        of."""
        counts = {}
        for name in self.run.recognisers:
            matched, pairs = (sum(row.strangers[name][k] for row in self.usable) for k in (0, 1))
            if pairs:
                counts[name] = matched, pairs
        return counts

    @cached_property
    def face_width(self) -> float | None:
        """How wide faces typically are: the median of the clips' medians, in pixels; ``None`` without any face."""
        widths = [row.face_width for row in self.usable if row.face_width is not None]
        return statistics.median(widths) if widths else None
