"""The faces that fared worst, by id: those recognised again, and those with the lowest quality."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from reports.numbers import format_value
from reports.runs import RunView

SHOWN: Final = 12
PRIVACY_METRIC: Final = "deid_rate@1e-3"
QUALITY_METRICS: Final = ("lpips_alex", "ssim", "l1")
"""The first that was measured for each face ranks the faces."""


@dataclass(frozen=True, slots=True)
class RecognisedFace:
    face: str
    outcome: str
    by: tuple[str, ...]
    """Recognisers that still match it to its own original."""


@dataclass(frozen=True, slots=True)
class PoorFace:
    face: str
    outcome: str
    value: str


@dataclass(frozen=True, slots=True)
class WorstCases:
    recognised: tuple[RecognisedFace, ...]
    recognised_total: int
    recognisers: int
    poor: tuple[PoorFace, ...]
    poor_metric: str
    """Title of what ``poor`` is ranked by; empty = no quality was measured for single faces."""


def worst_cases(run: RunView, dataset: str, method: str) -> WorstCases:
    """At most `SHOWN` of each; the most often recognised first, then in the order of the data set."""
    table = run.folder.faces(dataset, method)
    faces = [str(f) for f in table.column("face").to_pylist()]
    outcomes = [str(o) for o in table.column("outcome").to_pylist()]
    matched = {
        name.split("|")[1]: _floats(table, name) == 0.0
        for name in table.column_names
        if name.split("|")[0] == PRIVACY_METRIC and name.count("|") == 2
    }
    by = [tuple(r for r, hits in matched.items() if hits[i]) for i in range(len(faces))]
    order = sorted((i for i in range(len(faces)) if by[i]), key=lambda i: (-len(by[i]), i))
    poor, title = _poor(run, table, faces, outcomes)
    return WorstCases(
        tuple(RecognisedFace(faces[i], outcomes[i], by[i]) for i in order[:SHOWN]),
        len(order),
        len(matched),
        poor,
        title,
    )


def _poor(run: RunView, table: Any, faces: list[str], outcomes: list[str]) -> tuple[tuple[PoorFace, ...], str]:
    names = [
        name
        for metric in QUALITY_METRICS
        for name in table.column_names
        if name.split("|")[0] == metric and name.endswith("|face")
    ]
    metric = names[0].split("|")[0] if names else ""
    if metric not in run.metrics:
        return (), ""
    card = run.metrics[metric]
    values = _floats(table, names[0])
    known = [i for i in range(len(faces)) if np.isfinite(values[i])]
    known.sort(key=lambda i: (values[i] if card.direction == "higher" else -values[i], i))
    found = tuple(PoorFace(faces[i], outcomes[i], format_value(float(values[i]), card.unit)) for i in known[:SHOWN])
    return found, card.title


def _floats(table: Any, name: str) -> Any:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), dtype=float)
