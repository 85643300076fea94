"""Several runs side by side, where their numbers mean the same; where not, the reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.bench.core.errors import UsageError
from unmask.bench.core.headlines import headline_keys
from unmask.bench.store.comparable import data_difference, method_difference, metric_difference
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import Column, RunView
from unmask.reports.numbers import NOT_MEASURED, format_interval, format_value


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
    rows = []
    for dataset in dict.fromkeys(label for run in runs for label in run.datasets):
        first, *others = (run for run in runs if dataset in run.datasets)
        for other in others:
            reason = data_difference(first, other, dataset)
            lines = () if reason else tuple(_lines(first, other, dataset))
            rows.append(Pair(dataset, first, other, reason, lines))
    return rows


def _lines(a: RunView, b: RunView, dataset: str) -> list[SideBySide]:
    keys = [column.key for column in a.columns(dataset)]
    columns = [Column(*key) for key in headline_keys(a.metrics, keys, keys, instruments=a.plan.headline_instruments)]
    lines = []
    for label in (label for label in a.labels(dataset) if label in b.labels(dataset)):
        changed = method_difference(a, b, label)
        for column in columns:
            reason = changed or metric_difference(a, b, column)
            one, two = (_text(run, dataset, label, column) for run in (a, b))
            title = a.metrics[column.metric].title
            lines.append(SideBySide(label, title, column.instrument, one, "" if reason else two, reason))
    return lines


def _text(run: RunView, dataset: str, label: str, column: Column) -> str:
    row = run.row(dataset, label, column)
    if row is None or row.value is None:
        return NOT_MEASURED
    unit = run.metrics[column.metric].unit
    interval = format_interval(row.low, row.high, row.value, unit)
    return format_value(row.value, unit) + (f" ({interval})" if interval else "")
