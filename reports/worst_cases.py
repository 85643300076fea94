"""The faces that fared worst, by id: those recognised again or nearly so, and those with the lowest quality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unmask.bench.store.view import RunView
from unmask.reports.numbers import format_value

SHOWN: Final = 12
PRIVACY_METRIC: Final = "deid_rate@1e-3"
PRIVACY_FMR: Final = 1e-3
DISTANCE_METRIC: Final = "own_distance"
QUALITY_METRICS: Final = ("lpips_alex", "ssim", "l1")
"""The first that was measured for each face ranks the faces."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One recogniser on one face."""

    matched: bool
    distance: str
    """To the face's own original; empty = nothing to compare, or not measured."""


@dataclass(frozen=True, slots=True)
class NearFace:
    face: str
    outcome: str
    matched: int
    """Recognisers that still match it to its own original."""
    attempts: tuple[Attempt, ...]
    """In the order of `WorstCases.recognisers`."""


@dataclass(frozen=True, slots=True)
class PoorFace:
    face: str
    outcome: str
    value: str


@dataclass(frozen=True, slots=True)
class WorstCases:
    near: tuple[NearFace, ...]
    """Those that most recognisers match, then those that come nearest to being matched."""
    recognised_total: int
    """Faces that at least one recogniser matches."""
    recognisers: tuple[tuple[str, str], ...]
    """Name, and the distance at or below which it calls two faces the same person."""
    poor: tuple[PoorFace, ...]
    poor_metric: str
    """Title of what ``poor`` is ranked by; empty = no quality was measured for single faces."""


def worst_cases(run: RunView, dataset: str, method: str) -> WorstCases:
    """At most `SHOWN` of each; equals stay in the order of the data set."""
    table = run.folder.faces(dataset, method)
    faces = [str(f) for f in table.column("face").to_pylist()]
    outcomes = [str(o) for o in table.column("outcome").to_pylist()]
    scored = {
        name.split("|")[1]: _floats(table, name)
        for name in table.column_names
        if name.split("|")[0] == PRIVACY_METRIC and name.count("|") == 2
    }
    thresholds = {name: _threshold(run, name) for name in scored}
    matched = {name: values == 0.0 for name, values in scored.items()}
    distances = {name: _distances(table, name, len(faces)) for name in scored}
    hits = np.sum([*matched.values()], axis=0) if matched else np.zeros(len(faces), int)
    # Each recogniser has a scale of its own, so nearness is told in thresholds.
    ratios = [distances[name] / thresholds[name] for name in scored]
    nearest = np.fmin.reduce(ratios) if ratios else np.full(len(faces), np.nan)
    order = sorted(
        (i for i in range(len(faces)) if hits[i] or np.isfinite(nearest[i])),
        key=lambda i: (-hits[i], nearest[i] if np.isfinite(nearest[i]) else np.inf, i),
    )
    poor, title = _poor(run, table, faces, outcomes)
    return WorstCases(
        tuple(
            NearFace(
                faces[i],
                outcomes[i],
                int(hits[i]),
                tuple(Attempt(bool(matched[name][i]), _shown(distances[name][i])) for name in scored),
            )
            for i in order[:SHOWN]
        ),
        int((hits > 0).sum()),
        tuple((name, _shown(thresholds[name])) for name in scored),
        poor,
        title,
    )


def _threshold(run: RunView, recogniser: str) -> float:
    """The recogniser's cosine distance at `PRIVACY_FMR`; NaN where it was not calibrated."""
    points = run.operating_points.get("points", {}).get(recogniser) or []
    thresholds = [p["threshold"] for p in points if p["fmr"] == PRIVACY_FMR and p["threshold"] is not None]
    return float(thresholds[0]) if thresholds else math.nan


def _distances(table: Any, recogniser: str, n: int) -> Any:
    """(n,) distances of faces to their own originals; NaN where a run has none."""
    name = f"{DISTANCE_METRIC}|{recogniser}|face"
    return _floats(table, name) if name in table.column_names else np.full(n, np.nan)


def _shown(distance: float) -> str:
    return f"{distance:.3f}" if math.isfinite(distance) else ""


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
    order = [i for i in range(len(faces)) if np.isfinite(values[i])]
    order.sort(key=lambda i: (values[i] if card.direction == "higher" else -values[i], i))
    worst = tuple(PoorFace(faces[i], outcomes[i], format_value(float(values[i]), card.unit)) for i in order[:SHOWN])
    return worst, card.title


def _floats(table: Any, name: str) -> Any:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), dtype=float)
