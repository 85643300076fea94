"""One data set under one method, as a gate sees it: stored rows of a run, or those of an accepted baseline."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import ANY_LOOK, OperatingPoint, point_at
from unmask.bench.core.exposure import FARTHEST, exposed
from unmask.bench.core.headlines import WORST, Key, headline_keys, speaking_key
from unmask.bench.core.types import Bools, Float, Strings
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.statistics import set_statistics
from unmask.bench.run.figures.assemble import assemble_originals
from unmask.bench.run.figures.problems import outputs_digest
from unmask.bench.run.outputs.releases import output_rows
from unmask.bench.store.comparable import column_identity, data_identity
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import column_values
from unmask.bench.store.view import Column, RunView

OUTCOMES: Final = ("outcome_missed", "outcome_error")
"""Judged beside the headline metrics: the plainest losses."""
RATE: Final = "deid_rate@"
DISTANCE: Final = "own_distance"
Points = Mapping[str, Sequence[OperatingPoint]]


@dataclass(frozen=True)
class Side:
    """N faces of one data set under one method."""

    dataset: str
    method: str
    variant: str
    """Of the release."""
    identity: Mapping[str, str]
    """`data_identity`."""
    face: Strings
    """(N,) by which faces are paired, each once."""
    shown: Strings
    """(N,) what they are called: pseudonyms of the run, or as ``face``."""
    person: Strings
    """(N,) what is resampled: people, where nobody is named photos."""
    groups: Mapping[str, Bools]
    outcome: Strings
    values: Mapping[Key, Float]
    """(N,) each per-face column; distances of faces of which nothing is left are the largest, not NaN."""
    measures: Mapping[Key, Mapping[str, str]]
    """What is judged -> `column_identity`."""
    cards: Mapping[str, MetricCard]
    """Of the metrics that are judged, at least."""
    points: Points
    """Thresholds by attack."""
    recognisers: Collection[str]
    outputs: str = ""
    """sha256 over the outputs; '' = not known."""
    statistics: Callable[[str], Mapping[Key, SetStatistic]] | None = field(default=None, repr=False)
    """Metric -> its statistics of the set; ``None`` where only rows were kept."""

    def items(self, key: Key) -> dict[str, UnitValues | SetStatistic]:
        """Attack or instrument -> what it says; several where the worst counts. Empty = not measured."""
        metric, instrument, region = key
        columns = [each for each in self._columns(metric) if each[2] == region]
        names = [
            each[1] for each in columns if instrument == each[1] or (instrument == WORST and self._attacks(each[1]))
        ]
        if not names and self.statistics is not None:
            statistics = self.statistics(metric)
            return {
                each[1]: item
                for each, item in statistics.items()
                if each[2] == region and (instrument == each[1] or (instrument == WORST and self._attacks(each[1])))
            }
        return {name: self._values((metric, name, region)) for name in names}

    def _columns(self, metric: str) -> list[Key]:
        columns = [key for key in self.values if key[0] == metric]
        if metric.startswith(RATE) and not columns:
            columns = [(metric, *key[1:]) for key in self.values if key[0] == DISTANCE]
        return columns

    def _attacks(self, instrument: str) -> bool:
        return instrument.removesuffix(ANY_LOOK) in self.recognisers

    def _values(self, key: Key) -> UnitValues:
        metric, instrument, _ = key
        distance, plain = self.values.get((DISTANCE, *key[1:])), self.values.get(key)
        if metric.startswith(RATE) and distance is not None:
            point = point_at(self.points.get(instrument, ()), float(metric.removeprefix(RATE)))
            ends = tuple(1 - exposed(distance, end) for end in (point.low, point.high) if math.isfinite(end))
            return UnitValues(metric, instrument, 1 - exposed(distance, point.threshold), share=True, alternatives=ends)
        assert plain is not None
        return UnitValues(metric, instrument, plain)


def side_of_run(view: RunView, dataset: str, label: str, policy: Policy, keys: Collection[Key] = ()) -> Side:
    """The rows of a run. ``keys``: what is judged besides what speaks for the method in this run."""
    folder, plan = view.folder, view.plan
    table = folder.faces(dataset, label)
    outcome, values = columns_of_faces(table)
    face, sample, person = (_texts(table, name) for name in ("face", "sample", "identity"))
    measured = {column.key for column in view.columns(dataset)}
    judged = dict.fromkeys([*(key for key in keys if key in measured), *judged_keys(view, dataset, label, policy)])
    return Side(
        dataset=dataset,
        method=label,
        variant=view.releases[label].variant,
        identity=data_identity(view, dataset),
        face=face,
        shown=face,
        person=np.where(person != "", person, sample),
        groups=_groups(folder, plan, dataset, table),
        outcome=outcome,
        values=values,
        measures={key: column_identity(view, Column(*key)) for key in judged},
        cards=view.metrics,
        points=points_of(view),
        recognisers=view.recognisers,
        outputs=_digest(folder, plan, dataset, label),
        statistics=None if folder.is_purged else set_statistics(folder, plan, dataset, label),
    )


def columns_of_faces(table: pa.Table) -> tuple[Strings, dict[Key, Float]]:
    """(N,) outcomes and `Side.values` of a table of `RunFolder.faces`."""
    values: dict[Key, Float] = {}
    for name in (name for name in table.column_names if name.count("|") == 2):
        metric, instrument, region = name.split("|")
        values[metric, instrument, region] = np.asarray(column_values(table.column(name)), np.float64)
    for key in [key for key in values if key[0] == DISTANCE]:
        values[key] = _with_the_gone(values, key)
    return _texts(table, "outcome"), values


def _texts(table: pa.Table, column: str) -> Strings:
    return np.array(table.column(column).to_pylist(), np.str_)


def is_measured(side: Side, key: Key) -> bool:
    """Whether a face has a value, or the set may have one."""
    items = side.items(key).values()
    return any(isinstance(item, SetStatistic) or bool(np.isfinite(item.values).any()) for item in items)


def judged_keys(view: RunView, dataset: str, label: str, policy: Policy) -> list[Key]:
    """The columns that decide: those that the policy names; else `OUTCOMES` and the headline metrics, but cost, which
    depends on the machine as much. What has no better and worse decides nothing."""
    columns = view.columns(dataset)
    measured = [column.key for column in columns]
    rows = ((column.key, view.row(dataset, label, column)) for column in columns)
    valued = {key for key, row in rows if row is not None and row.value is not None}
    instruments = view.plan.headline_instruments
    named = [speaking_key(measured, name, instruments) for name in policy.metrics or OUTCOMES]
    heads = [] if policy.metrics else headline_keys(view.metrics, measured, valued, instruments=instruments)
    keys = dict.fromkeys([*(key for key in named if key is not None), *heads])
    judged = [key for key in keys if view.metrics[key[0]].direction != "none"]
    return [key for key in judged if policy.metrics or view.metrics[key[0]].family != "cost"]


def points_of(view: RunView) -> dict[str, list[OperatingPoint]]:
    """The thresholds in force, by attack."""
    return {
        name: [
            OperatingPoint(
                p["fmr"], p["threshold"], *(math.nan if p[end] is None else p[end] for end in ("low", "high"))
            )
            for p in points
            if p["threshold"] is not None
        ]
        for name, points in view.operating_points.get("points", {}).items()
    }


def _with_the_gone(values: Mapping[Key, Float], key: Key) -> Float:
    """A column of distances in which destroyed faces of which nothing can be read are farthest: they are not asked
    about the distance, but count as not matched."""
    rates = [each for name, each in values.items() if name[0].startswith(RATE) and name[1:] == key[1:]]
    gone = np.isnan(values[key]) & (rates[0] == 1) if rates else np.zeros(len(values[key]), np.bool_)
    return np.where(gone, FARTHEST, values[key])


def _groups(folder: RunFolder, plan: Plan, dataset: str, table: object) -> dict[str, Bools]:
    """Subgroup -> (N,) members, as `unmask run` cuts the data set; of a purged run none are known."""
    if folder.is_purged:
        return {}
    reading = [card for card in plan.instruments if card.role in ("attributes", "skin")]
    originals = assemble_originals(folder, plan.model_copy(update={"instruments": reading}), dataset)
    return dict(originals.faces.groups)


def _digest(folder: RunFolder, plan: Plan, dataset: str, label: str) -> str:
    if folder.is_purged:
        return ""
    return outputs_digest(output_rows(folder, plan, dataset, label), plan.release(label).variant)
