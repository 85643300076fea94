"""Evidence as an attacker reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.evidence import Evidence, ExtraFaces, Readings
from unmask.bench.core.protocols import Attacker, Columns
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Bools

IGNORANT: Final = "ignorant"


def attacker_of(text: str = IGNORANT) -> Attacker:
    """The attacker of a SPEC. Raises `SpecError`, `UnknownNameError` and `UnavailableError`."""
    return registry.create_attacker(parse_spec(text))


def read_by(attacker: Attacker, evidence: Evidence, states: Mapping[str, Columns] | None = None) -> Evidence:
    """The evidence with the recognisers' readings as ``attacker`` reads them. ``states``: recogniser -> what
    `Attacker.fit` returned for it; nothing where it is not named. Raises `UnavailableError` where the attacker drops
    faces or invents readings, which would look like privacy or like danger."""

    def read(readings: Readings, *, released: bool) -> dict[str, Columns]:
        anew = {name: columns for name, columns in readings.items() if name in evidence.recognisers}
        for name, columns in anew.items():
            anew[name] = attacker.read((states or {}).get(name, {}), columns, released=released)
            _check(attacker, columns, anew[name])
        return {**readings, **anew}

    extra = ExtraFaces(evidence.extra.sample, read(evidence.extra.readings, released=True))
    return replace(
        evidence,
        original=read(evidence.original, released=False),
        anonymized=read(evidence.anonymized, released=True),
        extra=extra,
    )


def _check(attacker: Attacker, before: Columns, after: Columns) -> None:
    who = f"attacker {attacker.card.name!r}"
    if after.keys() != before.keys():
        raise UnavailableError(f"{who} returned the readings {', '.join(after)} for {', '.join(before)}")
    for name, rows in before.items():
        if after[name] is rows:
            continue
        if after[name].ndim != 2 or not np.array_equal(_readable(after[name]), _readable(rows)):
            raise UnavailableError(f"{who} must return one reading for each of {name!r} that there is, and no other")


def _readable(rows: NDArray[Any]) -> Bools:
    return np.asarray(np.isfinite(rows).all(axis=tuple(range(1, rows.ndim))))
