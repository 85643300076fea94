"""The faces that fared worst, by id: those recognised again or nearly so, and those with the lowest quality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unmask.bench.store.results import AttackRow
from unmask.bench.store.view import RunView
from unmask.reports.audit import NAMED, REGION, AuditLine
from unmask.reports.numbers import format_value

MOST: Final = 12
MOST_NAMED: Final = 50
PRIVACY_METRIC: Final = "deid_rate@1e-3"
PRIVACY_FMR: Final = 1e-3
DISTANCE_METRIC: Final = "own_distance"
QUALITY_METRICS: Final = ("lpips_alex", "ssim", "l1")
"""The first that was measured for each face ranks the faces."""


@dataclass(frozen=True, slots=True)
class NearFace:
    face: str
    outcome: str
    matched: int
    """Recognisers that still match it to its own original."""
    attempts: list[tuple[bool, str]]
    """Of each recogniser, whether it matches and the distance; '' = nothing to compare, or not measured."""


@dataclass(frozen=True, slots=True)
class WorstCases:
    near: list[NearFace]
    """Those that most recognisers match, then those that come nearest to being matched."""
    recognised: int
    """Faces that at least one recogniser matches."""
    recognisers: list[tuple[str, str]]
    """Name, and the distance at or below which it calls two faces the same person."""
    poor: list[tuple[str, str, str]]
    """Face, outcome and quality."""
    poor_metric: str
    """Title of what ``poor`` is ranked by; empty = no quality was measured for single faces."""


@dataclass(frozen=True, slots=True)
class NamedFaces:
    """The faces of which an attacker names the right person first."""

    total: int
    attackers: int
    """Those who may be believed."""
    faces: list[tuple[str, str, int]]
    """Face, outcome, by how many of the attackers it is named first; at most `MOST_NAMED`."""


def named_faces(line: AuditLine, dataset: str) -> NamedFaces | None:
    """Those that the strongest trustworthy attack on a method names, the ones that most attackers name before all;
    equals stay in the order of the data set. ``None`` where there is no such attack, or no values of single faces."""
    table = line.entrant.run.folder.faces(dataset, line.entrant.label)
    rows = [each.row for each in line.attempts if each.believed and _named_column(each.row) in table.column_names]
    if line.best is None or line.best not in rows:
        return None
    by_attacker: dict[str, Any] = {}
    for row in rows:
        named = _floats(table, _named_column(row)) == 1.0
        by_attacker[row.attacker] = by_attacker.get(row.attacker, np.zeros(len(named), np.bool_)) | named
    times = np.sum([*by_attacker.values()], axis=0)
    chosen = np.flatnonzero(_floats(table, _named_column(line.best)) == 1.0)
    order = sorted(chosen.tolist(), key=lambda i: (-times[i], i))
    faces, outcomes = (table.column(name).to_pylist() for name in ("face", "outcome"))
    shown = [(str(faces[i]), str(outcomes[i]), int(times[i])) for i in order[:MOST_NAMED]]
    return NamedFaces(len(chosen), len(by_attacker), shown)


def _named_column(row: AttackRow) -> str:
    return f"{NAMED}|{row.attacker}/{row.channel}|{REGION}"


def worst_cases(run: RunView, dataset: str, method: str) -> WorstCases:
    """At most `MOST` faces of each kind; equals stay in the order of the data set."""
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
    near = [
        NearFace(faces[i], outcomes[i], int(hits[i]), [(bool(matched[n][i]), _text(distances[n][i])) for n in scored])
        for i in order[:MOST]
    ]
    recognisers = [(name, _text(thresholds[name])) for name in scored]
    return WorstCases(near, int((hits > 0).sum()), recognisers, poor, title)


def _threshold(run: RunView, recogniser: str) -> float:
    """The recogniser's cosine distance at `PRIVACY_FMR`; NaN where it was not calibrated."""
    points = run.operating_points.get("points", {}).get(recogniser) or []
    thresholds = [p["threshold"] for p in points if p["fmr"] == PRIVACY_FMR and p["threshold"] is not None]
    return float(thresholds[0]) if thresholds else math.nan


def _distances(table: Any, recogniser: str, n: int) -> Any:
    """(n,) distances of faces to their own originals; NaN where a run has none."""
    name = f"{DISTANCE_METRIC}|{recogniser}|face"
    return _floats(table, name) if name in table.column_names else np.full(n, np.nan)


def _text(distance: float) -> str:
    return f"{distance:.3f}" if math.isfinite(distance) else ""


def _poor(run: RunView, table: Any, faces: list[str], outcomes: list[str]) -> tuple[list[tuple[str, str, str]], str]:
    names = [
        name
        for metric in QUALITY_METRICS
        for name in table.column_names
        if name.split("|")[0] == metric and name.endswith("|face")
    ]
    metric = names[0].split("|")[0] if names else ""
    if metric not in run.metrics:
        return [], ""
    card = run.metrics[metric]
    values = _floats(table, names[0])
    order = [i for i in range(len(faces)) if np.isfinite(values[i])]
    order.sort(key=lambda i: (values[i] if card.direction == "higher" else -values[i], i))
    worst = [(faces[i], outcomes[i], format_value(float(values[i]), card.unit)) for i in order[:MOST]]
    return worst, card.title


def _floats(table: Any, name: str) -> Any:
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), dtype=float)
