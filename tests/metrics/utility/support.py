"""Evidence with chosen readings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.settings import Settings
from unmask.bench.core.values import Histogram, SetStatistic, UnitValues
from unmask.bench.run.contracts.made_up import make_evidence

Numbers = Sequence[float] | NDArray[Any]
NAN = float("nan")


def evidence_of(
    before: Mapping[str, Numbers],
    after: Mapping[str, Numbers],
    *,
    instrument: str = "probe",
    ages: Numbers | None = None,
    genders: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> Evidence:
    """Faces on which one instrument read ``before`` and ``after``; labels only where given."""
    n = len(next(iter(before.values())))
    made = make_evidence(n_people=n, photos_each=1, labelled=False, settings=settings)
    truth = dataclasses.replace(
        made.truth,
        age=np.array(ages if ages is not None else [NAN] * n),
        gender=np.array(genders if genders is not None else [""] * n),
    )
    original, anonymized = (
        {instrument: {key: np.asarray(values, np.float32) for key, values in columns.items()}}
        for columns in (before, after)
    )
    return dataclasses.replace(made, truth=truth, original=original, anonymized=anonymized)


def by_name(yielded: Iterable[UnitValues | SetStatistic | Histogram]) -> dict[str, Any]:
    """Metric name -> what was yielded for it; every name once."""
    found: dict[str, Any] = {}
    for item in yielded:
        assert item.metric not in found
        found[item.metric] = item
    return found


def mean(values: UnitValues) -> float:
    """The estimate: mean over the scored, eligible units."""
    chosen = values.values if values.eligible is None else values.values[values.eligible]
    return float(np.nanmean(chosen))


def unscored(values: UnitValues) -> int:
    """Eligible units without a value."""
    chosen = values.values if values.eligible is None else values.values[values.eligible]
    return int(np.isnan(chosen).sum())
