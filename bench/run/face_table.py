"""The per-face table of a method, for people who want more than our numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.values import UnitValues
from unmask.bench.store.names import Pseudonyms
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import write_table


def write_face_table(
    place: Storage, evidence: Evidence, reasons: NDArray[np.str_], values: Sequence[UnitValues], names: Pseudonyms
) -> None:
    """One row a face: face, sample, identity, age, gender, race, outcome, reason, and a column for each per-face
    metric, named ``metric|instrument|region``; NaN = could not be scored or not asked of this face. Photos and people
    stand by their pseudonyms."""
    columns: dict[str, NDArray[Any]] = {
        "face": _each(names.face, evidence.faces.id),
        "sample": _each(names.sample, evidence.faces.sample),
        "identity": _each(names.person, evidence.truth.identity),
        "age": evidence.truth.age,
        "gender": evidence.truth.gender,
        "race": evidence.truth.race,
        "outcome": evidence.outcome,
        "reason": _each(names.hidden, reasons),
    }
    for item in values:
        if item.unit == "face":
            asked = np.ones(len(item.values), np.bool_) if item.eligible is None else item.eligible
            columns[f"{item.metric}|{item.instrument}|{item.region}"] = np.where(asked, item.values, np.nan)
    write_table(place, columns, "")


def _each(name: Callable[[str], str], values: NDArray[np.str_]) -> NDArray[np.str_]:
    return np.array([name(str(value)) for value in values], np.str_)
