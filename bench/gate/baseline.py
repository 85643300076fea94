"""An accepted baseline: the rows of a run, small and byte-stable for git, without faces, embeddings or names.

Photos and people are keyed hashes (HMAC-SHA256). The key is made of the data set's fingerprint, which is not in the
file, and of the environment's ``UNMASK_BASELINE_KEY``, if that is set: who has neither the photos nor the key cannot
try names or photos against the file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.errors import StoreError
from unmask.bench.core.headlines import WORST, Key
from unmask.bench.core.types import Float, Strings
from unmask.bench.gate.sides import DISTANCE, RATE, Side, points_of
from unmask.bench.store.documents import read_model
from unmask.bench.store.gating import DECIMALS, Baseline, BaselineDataset, Cell, Measure
from unmask.bench.store.names import pseudonyms_of
from unmask.bench.store.tables import read_table
from unmask.bench.store.view import RunView

KEY_VARIABLE: Final = "UNMASK_BASELINE_KEY"
NAMED: Final = ("face", "person", "groups", "outcome")
"""The first columns of a row."""
_HASH: Final = 16
"""Hex digits of a photo's or person's hash."""
_BETWEEN: Final = ";"
"""Stands between the subgroups of a face."""


class Hashing:
    """Under which names a data set's photos and people stand in a file."""

    def __init__(self, fingerprint: str) -> None:
        secret = os.environ.get(KEY_VARIABLE, "")
        self._key = hmac.digest(secret.encode(), f"unmask.baseline\0{fingerprint}".encode(), hashlib.sha256)
        self.check = self._of("check")
        """Equal where key and data set are."""

    def photos(self, digests: Sequence[str]) -> list[str]:
        """A name for each photo of these contents; copies of one photo are numbered."""
        copies: Counter[str] = Counter()
        names = []
        for digest in digests:
            names.append(f"{self._of(f'photo{chr(0)}{digest}')}.{copies[digest]}")
            copies[digest] += 1
        return names

    def people(self, people: Strings) -> Strings:
        names = {person: self._of(f"person\0{person}") for person in set(people.tolist())}
        return np.array([names[person] for person in people.tolist()], np.str_)

    def _of(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_HASH]


def as_kept(side: Side, view: RunView) -> Side:
    """A run's side as its file would have it: hashed and rounded. Raises `StoreError` where the run has no digests of
    its photos."""
    planned = view.planned(side.dataset)
    if view.folder.is_purged:
        raise StoreError(
            f"{view.folder.path} was purged: the digests of its photos, by which rows are paired, are gone"
        )
    digests: list[str] = []
    for shard in range(-(-len(planned.samples) // view.plan.settings.shard_size)):
        table = read_table(view.folder.prepare_dir(side.dataset, shard) / "images.parquet")
        if "digest" not in table:
            raise StoreError(
                f"{view.folder.path} was prepared by an older version of unmask, without digests of its photos; delete "
                f"{view.folder.path / 'prepare'} and run the same `unmask run` again"
            )
        digests += table["digest"].tolist()
    hashing = Hashing(planned.card.fingerprint)
    pseudonyms = pseudonyms_of(planned).samples.values()
    photos = dict(zip(pseudonyms, hashing.photos(digests), strict=True))
    face = [f"{photos[name]}#{number}" for name, _, number in (each.rpartition("#") for each in side.face.tolist())]
    return replace(
        side,
        face=np.array(face, np.str_),
        person=hashing.people(side.person),
        values={key: np.round(values, DECIMALS) for key, values in side.values.items()},
        identity={**side.identity, "data set and key": hashing.check},
        statistics=None,
    )


def baseline_of(sides: Sequence[Side], view: RunView) -> Baseline:
    """What is kept of sides that are `as_kept`."""
    method = next(m for m in view.plan.methods if m.label == view.plan.method_of(sides[0].method))
    datasets = [_dataset(side) for side in sides]
    baseline = Baseline(
        method=sides[0].method, spec=method.spec, version=method.card.version, run=view.key, datasets=datasets
    )
    return baseline.sealed()


def _dataset(side: Side) -> BaselineDataset:
    columns = {key: None for measure in side.measures for key in _columns_behind(side, measure)}
    measures = [key for key in side.measures if _columns_behind(side, key)]
    groups = [
        _BETWEEN.join(name for name, members in sorted(side.groups.items()) if members[k])
        for k in range(len(side.face))
    ]
    named = zip(side.face.tolist(), side.person.tolist(), groups, side.outcome.tolist(), strict=True)
    values = [[_cell(value) for value in side.values[key].tolist()] for key in columns]
    return BaselineDataset(
        dataset=side.dataset,
        variant=side.variant,
        identity=dict(side.identity),
        outputs=side.outputs,
        measures=[_measure(key, side) for key in sorted(measures)],
        columns=[*NAMED, *("|".join(key) for key in columns)],
        faces=sorted(([*first, *(each[k] for each in values)] for k, first in enumerate(named)), key=_name),
    )


def _measure(key: Key, side: Side) -> Measure:
    card, identity = side.cards[key[0]], dict(side.measures[key])
    return Measure(
        metric=key[0],
        instrument=key[1],
        region=key[2],
        title=card.title,
        family=card.family,
        direction=card.direction,
        unit=card.unit,
        identity=identity,
    )


def _card(measure: Measure) -> MetricCard:
    """What a gate must know of a metric that the candidate's run need not have."""
    version = measure.identity.get(f"metric {measure.metric}", "")
    about = measure.metric, version, measure.family, measure.direction, measure.unit
    return MetricCard(*about, (None, None), measure.title, question="", how="", source="")


def _name(row: Sequence[Cell]) -> str:
    return str(row[0])


def _columns_behind(side: Side, measure: Key) -> list[Key]:
    """The per-face columns that a measure is made of; empty for a statistic of the set."""
    metric, instrument, region = measure
    if metric.startswith(RATE):
        distances = [key for key in side.values if key[0] == DISTANCE and instrument in (WORST, key[1])]
        if distances:
            return sorted(distances)
    columns = [key for key in side.values if key[0] == metric and key[2] == region]
    return sorted(key for key in columns if instrument in (WORST, key[1]))


def _cell(value: float) -> Cell:
    if not np.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def read_baseline(path: Path) -> Baseline:
    """Raises `StoreError` where the file is missing, damaged, of another version or was changed by hand."""
    baseline = read_model(Baseline, path, "accept the baseline anew: unmask baseline accept RUN --out FILE")
    for dataset in baseline.datasets:
        if not _fits(dataset):
            raise StoreError(
                f"{path}: the rows of {dataset.dataset} do not fit their columns; accept the baseline anew"
            )
    return baseline


def _fits(dataset: BaselineDataset) -> bool:
    """Whether rows are of distinct faces, as wide as the columns, with texts first and numbers behind."""
    named, values = dataset.columns[: len(NAMED)], dataset.columns[len(NAMED) :]
    return (
        tuple(named) == NAMED
        and len(set(values)) == len(values)
        and all(name.count("|") == 2 for name in values)
        and len({str(row[0]) for row in dataset.faces if row}) == len(dataset.faces)
        and all(len(row) == len(dataset.columns) for row in dataset.faces)
        and all(isinstance(cell, str) for row in dataset.faces for cell in row[: len(NAMED)])
        and not any(isinstance(cell, str) for row in dataset.faces for cell in row[len(NAMED) :])
    )


def side_of_file(baseline: Baseline, dataset: BaselineDataset, view: RunView) -> Side:
    """The kept rows. ``view``: the candidate's run, whose thresholds hold for both where their identity is equal."""
    columns: Mapping[str, list[Any]] = dict(
        zip(dataset.columns, map(list, zip(*dataset.faces, strict=True)), strict=False)
    ) or {name: [] for name in dataset.columns}
    groups = [str(cell).split(_BETWEEN) if cell else [] for cell in columns["groups"]]
    names = sorted({name for several in groups for name in several})
    return Side(
        dataset=dataset.dataset,
        method=baseline.method,
        variant=dataset.variant,
        identity=dataset.identity,
        face=_texts(columns["face"]),
        shown=_texts(columns["face"]),
        person=_texts(columns["person"]),
        groups={name: np.array([name in several for several in groups], np.bool_) for name in names},
        outcome=_texts(columns["outcome"]),
        values={_key(name): _floats(columns[name]) for name in dataset.columns[len(NAMED) :]},
        measures={(m.metric, m.instrument, m.region): m.identity for m in dataset.measures},
        cards={measure.metric: _card(measure) for measure in dataset.measures},
        points=points_of(view),
        recognisers=view.recognisers,
        outputs=dataset.outputs,
    )


def _key(name: str) -> Key:
    metric, instrument, region = name.split("|")
    return metric, instrument, region


def _texts(cells: Sequence[Cell]) -> Strings:
    return np.array([str(cell) for cell in cells], np.str_)


def _floats(cells: Sequence[Cell]) -> Float:
    return np.array([np.nan if cell is None else float(cell) for cell in cells], np.float64)
