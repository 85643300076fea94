"""Which numbers of two runs may stand side by side, and if not, why.

A changed version of the data, of a metric, of an instrument or of a threshold makes a number another number. Saying
so is better than a table that looks complete.
"""

from __future__ import annotations

from unmask.bench.core.cards import InstrumentCard, MetricCard
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
    over_time = a.metrics[column.metric].family in ("exposure", "consistency")
    if not over_time and "@" not in column.metric and not column.metric.startswith("deid_rate"):
        return ""
    # Other thresholds of one recogniser do not touch another one's numbers, but any of them can decide the worst.
    mine, theirs = (
        {name: p for name, p in run.operating_points.get("points", {}).items() if column.instrument in (WORST, name)}
        for run in (a, b)
    )
    return "" if mine == theirs else "other decision thresholds (another calibration)"


def _settings_difference(a: RunView, b: RunView, metric: MetricCard) -> str:
    one, two = a.plan.settings, b.plan.settings
    by_age = ("age_group", "stranger_match_group", "excess_match")
    if metric.name.startswith(by_age) and one.age_groups != two.age_groups:
        return "other age groups"
    if metric.family == "skin" and one.skin_target != two.skin_target:
        return "another skin tone as the target"
    return ""
