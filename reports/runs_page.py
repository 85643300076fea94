"""Several runs side by side, where their numbers mean the same; where not, the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.bench.core.errors import UsageError
from unmask.bench.core.headlines import headline_metrics
from unmask.bench.store.run_folder import RunFolder
from unmask.reports.comparable import data_difference, method_difference, metric_difference
from unmask.reports.numbers import NOT_MEASURED, format_interval, format_value
from unmask.reports.runs import WORST, Column, RunView


@dataclass(frozen=True, slots=True)
class SideBySide:
    """One number of one method in two runs."""

    method: str
    title: str
    instrument: str
    first: str
    second: str
    """Empty where ``reason`` says why they may not be put side by side."""
    reason: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs on a data set of the same name."""

    dataset: str
    first: RunView
    second: RunView
    data_reason: str
    lines: tuple[SideBySide, ...]


def tagged_runs(folders: Sequence[RunFolder]) -> list[RunView]:
    """Raises `UsageError` where one run is given twice. Tags: nothing for one run, else ``run A``, ``run B``..."""
    keys = [folder.plan.run for folder in folders]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"run {key} is given twice; name each run once")
    if len(folders) > 26:
        raise UsageError("a report shows at most 26 runs; make several reports")
    tags = [""] if len(folders) == 1 else [f"run {chr(ord('A') + i)}" for i in range(len(folders))]
    return [RunView(folder, tag) for folder, tag in zip(folders, tags, strict=True)]


def pairs(runs: Sequence[RunView]) -> list[Pair]:
    """Every run against the first that has a data set of the same name."""
    found = []
    for dataset in dict.fromkeys(label for run in runs for label in run.datasets):
        first, *others = (run for run in runs if dataset in run.datasets)
        for other in others:
            reason = data_difference(first, other, dataset)
            lines = () if reason else tuple(_lines(first, other, dataset))
            found.append(Pair(dataset, first, other, reason, lines))
    return found


def _lines(a: RunView, b: RunView, dataset: str) -> list[SideBySide]:
    found = []
    wanted = [name for names in headline_metrics(a.metrics) for name in names]
    for method in (m for m in a.methods if m in b.methods):
        changed = method_difference(a, b, method)
        for column in _spoken_for(a, dataset, wanted):
            reason = changed or metric_difference(a, b, column)
            one, two = (_text(run, dataset, method, column) for run in (a, b))
            title = a.metrics[column.metric].title
            found.append(SideBySide(method, title, column.instrument, one, "" if reason else two, reason))
    return found


def _spoken_for(run: RunView, dataset: str, wanted: Sequence[str]) -> list[Column]:
    """One column for each headline metric: the worst recogniser where there is one, else the first."""
    chosen: dict[str, Column] = {}
    for column in run.columns(dataset):
        if column.metric in wanted and (column.metric not in chosen or column.instrument == WORST):
            chosen[column.metric] = column
    return list(chosen.values())


def _text(run: RunView, dataset: str, method: str, column: Column) -> str:
    row = run.row(dataset, method, column)
    if row is None or row.value is None:
        return NOT_MEASURED
    unit = run.metrics[column.metric].unit
    interval = format_interval(row.low, row.high, row.value, unit)
    return format_value(row.value, unit) + (f" ({interval})" if interval else "")
