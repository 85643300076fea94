"""Several runs side by side, where their numbers mean the same; where not, the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from unmask.bench.core.errors import UsageError
from unmask.bench.core.headlines import headline_keys
from unmask.bench.store.comparable import data_difference, method_difference, metric_difference
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import Column, RunView
from unmask.reports.numbers import with_interval


class SideBySide(NamedTuple):
    """One number of one method in two runs."""

    method: str
    title: str
    instrument: str
    first: str
    second: str
    reason: str
    """Why the two may not be put side by side; '' = they may."""


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


def pairs(runs: Sequence[RunView]) -> list[tuple[str, RunView, RunView, str, list[SideBySide]]]:
    """Every run against the first that has a data set of the same name: the data set, both runs, why their data may not
    be compared ('' = it may), and the numbers of methods that are in both."""
    rows = []
    for dataset in dict.fromkeys(label for run in runs for label in run.datasets):
        first, *others = (run for run in runs if dataset in run.datasets)
        for other in others:
            reason = data_difference(first, other, dataset)
            rows.append((dataset, first, other, reason, [] if reason else _lines(first, other, dataset)))
    return rows


def _lines(a: RunView, b: RunView, dataset: str) -> list[SideBySide]:
    keys = [column.key for column in a.columns(dataset)]
    columns = [Column(*key) for key in headline_keys(a.metrics, keys, keys, instruments=a.plan.headline_instruments)]
    lines = []
    for label in (label for label in a.labels(dataset) if label in b.labels(dataset)):
        difference = method_difference(a, b, label)
        for column in columns:
            reason = difference or metric_difference(a, b, column)
            card = a.metrics[column.metric]
            one, two = (with_interval(run.row(dataset, label, column), card.unit) for run in (a, b))
            lines.append(SideBySide(label, card.title, column.instrument, one, two, reason))
    return lines
