"""Which numbers of two runs may stand side by side, and if not, why.

A changed version of the data, of a metric, of an instrument or of a threshold makes a number another number. Saying
so is better than a table that looks complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unmask.bench.core.cards import InstrumentCard, MetricCard
from unmask.bench.core.files import digest
from unmask.bench.store.view import WORST, Column, RunView


def data_difference(a: RunView, b: RunView, dataset: str) -> str:
    """Why the faces of ``dataset`` are not the same ones in both runs; empty = they are."""
    one, two = a.datasets[dataset], b.datasets[dataset]
    if not one.fingerprint or not two.fingerprint:
        return "the data set carries no fingerprint"
    if one.fingerprint != two.fingerprint:
        return f"other data: fingerprint {one.fingerprint[:12]} against {two.fingerprint[:12]}"
    mine, theirs = a.planned(dataset).samples, b.planned(dataset).samples
    # A purged run has pseudonyms in their place; the fingerprint tells that the photos were the same.
    purged = a.folder.is_purged or b.folder.is_purged
    if len(mine) != len(theirs) or (mine != theirs and not purged):
        items = "clips" if a.has_clips(dataset) else "photos"
        return f"other {items} of the data set were used: {len(mine):,} against {len(theirs):,}"
    if a.plan.settings.frames != b.plan.settings.frames and a.has_clips(dataset):
        return "other frames of the clips were used"
    return _instruments_difference(_locating(a, dataset), _locating(b, dataset))


def metric_difference(a: RunView, b: RunView, column: Column) -> str:
    """Why a metric means something else in the other run; empty = it is the same question."""
    one, two = a.metrics.get(column.metric), b.metrics.get(column.metric)
    if one is None or two is None:
        return "the metric was not asked in both runs"
    if one.version != two.version:
        return f"another version of the metric: {one.version} against {two.version}"
    return (
        _instruments_difference(_used(a, one, column), _used(b, two, column))
        or _thresholds_difference(a, b, column)
        or _settings_difference(a, b, one)
    )


def method_difference(a: RunView, b: RunView, label: str) -> str:
    """Why a method of the same name is another method; empty = it is the same."""
    one, two = a.card(label), b.card(label)
    if one.version != two.version:
        return f"another version of the method: {one.version} against {two.version}"
    if dict(one.params) != dict(two.params):
        return "other parameters"
    if dict(one.weights) != dict(two.weights) or [f.sha256 for f in one.files] != [f.sha256 for f in two.files]:
        return "other weights"
    if (one.name, one.detector) != (two.name, two.detector):
        return "another method under the same label"
    return ""


def _locating(run: RunView, dataset: str) -> list[InstrumentCard]:
    """What finds the faces in the originals and links them through clips: every number depends on it."""
    face_tracker = run.plan.face_tracker if run.has_clips(dataset) else None
    return [run.plan.detector, *([face_tracker.card] if face_tracker else [])]


def _used(run: RunView, metric: MetricCard, column: Column) -> list[InstrumentCard]:
    if column.instrument in run.instruments:
        return [run.instruments[column.instrument]]
    trackers = {part.label: part.card for part in run.plan.trackers}
    if column.instrument in trackers:
        return [*([run.plan.person_detector.card] if run.plan.person_detector else []), trackers[column.instrument]]
    # "worst" depends on every attacker that took part; a variant such as "standard" on all that its plug-in needs.
    needs = next((plug.needs for plug in run.plan.metrics if metric in plug.cards), [])
    return [c for c in run.instruments.values() if c.name in needs or f"role:{c.role}" in needs]


def _instruments_difference(one: list[InstrumentCard], two: list[InstrumentCard]) -> str:
    mine, theirs = {c.name: c for c in one}, {c.name: c for c in two}
    if mine.keys() != theirs.keys():
        return f"measured with {', '.join(mine) or 'nothing'} against {', '.join(theirs) or 'nothing'}"
    for name, card in mine.items():
        other = theirs[name]
        if card.version != other.version:
            return f"another version of {name}: {card.version} against {other.version}"
        if [f.sha256 for f in card.files] != [f.sha256 for f in other.files]:
            return f"other weights of {name}"
        if dict(card.params) != dict(other.params):
            return f"other parameters of {name}"
    return ""


def _thresholds_difference(a: RunView, b: RunView, column: Column) -> str:
    return "" if _thresholds(a, column) == _thresholds(b, column) else "other decision thresholds (another calibration)"


def _thresholds(run: RunView, column: Column) -> dict[str, Any]:
    """Those that a column's numbers depend on, by attack."""
    over_time = run.metrics[column.metric].family in ("exposure", "consistency")
    if not over_time and "@" not in column.metric and not column.metric.startswith("deid_rate"):
        return {}
    # Other thresholds of one recogniser do not touch another one's numbers, but any of them can decide the worst.
    points = run.operating_points.get("points", {})
    return {name: p for name, p in points.items() if column.instrument in (WORST, name)}


def _settings_difference(a: RunView, b: RunView, metric: MetricCard) -> str:
    mine, theirs = _settings(a, metric), _settings(b, metric)
    return next((f"other {name}" for name in mine if mine[name] != theirs[name]), "")


def _settings(run: RunView, metric: MetricCard) -> dict[str, Any]:
    """The settings that a metric's numbers depend on."""
    settings: dict[str, Any] = {}
    if metric.name.startswith(("age_group", "stranger_match_group", "excess_match")):
        settings["age groups"] = run.plan.settings.age_groups
    if metric.family == "skin":
        settings["skin target"] = run.plan.settings.skin_target
    return settings


def data_identity(run: RunView, dataset: str) -> dict[str, str]:
    """What the faces of a data set depend on besides its photos, by name."""
    return {f"instrument {card.name}": _identity(card) for card in _locating(run, dataset)} | {
        "number of photos": str(len(run.planned(dataset).samples))
    }


def column_identity(run: RunView, column: Column) -> dict[str, str]:
    """What a column's numbers depend on besides data and method, by name: with another identity they are other numbers.
    Unlike a run, it can be kept in a small file."""
    metric = run.metrics[column.metric]
    used, thresholds = _used(run, metric, column), _thresholds(run, column)
    if metric.family == "outcome":  # recognisers say which faces are missed
        used = [*used, *(card for card in run.instruments.values() if card.role == "recogniser" and card not in used)]
        thresholds = run.operating_points.get("points", {})
    return {
        f"metric {metric.name}": metric.version,
        **{f"instrument {card.name}": _identity(card) for card in used},
        **({"decision thresholds": digest(thresholds)[:12]} if thresholds else {}),
        **{name: digest(value)[:12] for name, value in _settings(run, metric).items()},
    }


def identity_difference(one: Mapping[str, str], two: Mapping[str, str]) -> str:
    """What differs between two identities, with both values; empty = nothing."""
    differing = [name for name in {**one, **two} if one.get(name) != two.get(name)]
    texts = [f"{name}: {one.get(name, 'none')} against {two.get(name, 'none')}" for name in differing]
    return "; ".join(texts[:3]) + ("; ..." if len(texts) > 3 else "")


def _identity(card: InstrumentCard) -> str:
    return f"{card.version} ({digest(card.identity)[:8]})"
