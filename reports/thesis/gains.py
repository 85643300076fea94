"""Which estimators see a gain over DeepPrivacy: the one that gave the labels, the others, and by true labels."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.reports.numbers import listed
from unmask.reports.thesis.decisions import Gain, Range, above, who_sees
from unmask.reports.thesis.results import Results

BASE = "deepprivacy"
ATTRIBUTES = (("gender", "gender_estimated_correct"), ("age group", "age_group_estimated_correct"))
TRUE = "_true"
"""The suffix of metrics whose target is the data set's own label."""


@dataclass(frozen=True, slots=True)
class AttributeGains:
    attribute: str
    estimators: tuple[str, ...]
    """The labelling one first."""
    has_labels: bool
    """Whether the data has true labels: then numbers against them follow, one an estimator."""
    shares: list[tuple[str, list[Range]]]
    """Method, and how often it keeps the attribute, by each estimator's own reading of the original."""
    gains: list[tuple[str, list[Range], str, bool]]
    """Method, its paired differences to DeepPrivacy, who sees a gain, and whether only the labelling estimator does."""


def attribute_gains(results: Results) -> list[AttributeGains]:
    """Gender and age group, for every method of the run."""
    return [_attribute(results, attribute, metric) for attribute, metric in ATTRIBUTES]


def gain_of(results: Results, role: str, metric: str) -> Gain:
    """Who sees ``role`` keep an attribute more often than DeepPrivacy does."""
    others = results.other_estimators
    return who_sees(
        results.difference(role, BASE, metric, results.labelling),
        {name: results.difference(role, BASE, metric, name) for name in others},
    )


def gain_sentence(results: Results, role: str, metric: str) -> str:
    """In plain words; says so where only the labelling estimator sees a gain."""
    gain, own = gain_of(results, role, metric), results.labelling
    others = listed([*gain.not_by, *gain.against])
    sentences = {
        "unknown": "Not enough estimators measured it to tell who sees a gain.",
        "nobody": f"No gain is shown, not even by {own}, which gave the labels.",
        "only labelling": f"Only {own}, which gave the labels, sees a gain: by {others} none is shown.",
        "some": f"{own}, which gave the labels, and {listed(gain.by)} see a gain.",
        "all": f"{own}, which gave the labels, and all others ({listed(gain.by)}) see a gain.",
    }
    parts = [sentences[gain.who]]
    if gain.who == "some" and gain.not_by:
        parts.append(f"By {listed(gain.not_by)} the interval includes 0.")
    if gain.who == "nobody" and gain.by:
        parts.append(f"By {listed(gain.by)} there is one.")
    if gain.against:
        parts.append(f"By {listed(gain.against)} it is a loss.")
    if gain.unmeasured and gain.who != "unknown":
        parts.append(f"Not measured by {listed(gain.unmeasured)}.")
    return " ".join([*parts, _by_labels(results, role, metric)]).strip()


def _by_labels(results: Results, role: str, metric: str) -> str:
    names = [results.labelling, *results.other_estimators]
    differences = {name: results.difference(role, BASE, metric + TRUE, name) for name in names}
    estimators = [name for name, difference in differences.items() if difference.interval is not None]
    if not estimators:
        return ""
    gaining = [name for name in estimators if above(differences[name], 0.0) == "yes"]
    if len(gaining) == len(estimators):
        return f"Against true labels all of them ({listed(estimators)}) see a gain."
    if not gaining:
        return f"Against true labels none of them ({listed(estimators)}) sees a gain."
    return f"Against true labels a gain is seen by {listed(gaining)}, of {listed(estimators)}."


def _attribute(results: Results, attribute: str, metric: str) -> AttributeGains:
    names = (results.labelling, *results.other_estimators)
    truth = [(metric + TRUE, name) for name in names]
    has_labels = any(results.estimate(role, *column).value is not None for role in results.roles for column in truth)
    columns = [*((metric, name) for name in names), *(truth if has_labels else [])]
    return AttributeGains(
        attribute,
        names,
        has_labels,
        [(results.label(role), [results.estimate(role, *column) for column in columns]) for role in results.roles],
        [
            (
                results.label(role),
                [results.difference(role, BASE, *column) for column in columns],
                gain_sentence(results, role, metric),
                gain_of(results, role, metric).who == "only labelling",
            )
            for role in results.roles
            if role not in ("none", BASE) and results.label(BASE)
        ],
    )
