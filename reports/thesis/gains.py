"""Which estimators see a gain over DeepPrivacy: the one that gave the labels, the others, and by true labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.reports.numbers import listed
from unmask.reports.thesis.decisions import Gain, above, who_sees
from unmask.reports.thesis.measured import Measured
from unmask.reports.thesis.words import Shown, show, show_difference

BASE = "deepprivacy"
ATTRIBUTES = (("gender", "gender_estimated_correct"), ("age group", "age_group_estimated_correct"))
TRUE = "_true"
"""The suffix of metrics whose target is the data set's own label."""


@dataclass(frozen=True, slots=True)
class KeptLine:
    """How often a method keeps an attribute."""

    role: str
    kept: tuple[Shown, ...]
    """One an estimator, against its own reading of the original."""
    true: tuple[Shown, ...]
    """One an estimator, against the label; empty where the data has none."""


@dataclass(frozen=True, slots=True)
class GainLine:
    """A method against DeepPrivacy."""

    role: str
    kept: tuple[Shown, ...]
    true: tuple[Shown, ...]
    sentence: str
    only_labelling: bool


@dataclass(frozen=True, slots=True)
class AttributeGains:
    attribute: str
    estimators: tuple[str, ...]
    """The labelling one first."""
    labelled: bool
    kept: tuple[KeptLine, ...]
    gains: tuple[GainLine, ...]


def attribute_gains(measured: Measured) -> list[AttributeGains]:
    """Gender and age group, for every method of the run."""
    return [_attribute(measured, attribute, metric) for attribute, metric in ATTRIBUTES]


def gain_of(measured: Measured, role: str, metric: str) -> Gain:
    """Who sees ``role`` keep an attribute more often than DeepPrivacy does."""
    others = measured.other_estimators
    return who_sees(
        measured.difference(role, BASE, metric, measured.labelling),
        {name: measured.difference(role, BASE, metric, name) for name in others},
    )


def gain_sentence(measured: Measured, role: str, metric: str) -> str:
    """In plain words; says so where only the labelling estimator sees a gain."""
    gain, own = gain_of(measured, role, metric), measured.labelling
    sentences = {
        "unknown": "Not enough estimators measured it to tell who sees a gain.",
        "nobody": f"No gain is shown, not even by {own}, which gave the labels.",
        "only labelling": f"Only {own}, which gave the labels, sees a gain: by {listed(_without(gain))} none is shown.",
        "some": f"{own}, which gave the labels, and {listed(gain.by)} see a gain.",
        "all": f"{own}, which gave the labels, and all others ({listed(gain.by)}) see a gain.",
    }
    parts = [sentences[gain.seen]]
    if gain.seen == "some" and gain.not_by:
        parts.append(f"By {listed(gain.not_by)} the interval includes 0.")
    if gain.seen == "nobody" and gain.by:
        parts.append(f"By {listed(gain.by)} there is one.")
    if gain.against:
        parts.append(f"By {listed(gain.against)} it is a loss.")
    if gain.unmeasured and gain.seen != "unknown":
        parts.append(f"Not measured by {listed(gain.unmeasured)}.")
    return " ".join([*parts, _by_labels(measured, role, metric)]).strip()


def _without(gain: Gain) -> list[str]:
    return [*gain.not_by, *gain.against]


def _by_labels(measured: Measured, role: str, metric: str) -> str:
    names = [measured.labelling, *measured.other_estimators]
    differences = {name: measured.difference(role, BASE, metric + TRUE, name) for name in names}
    estimators = [name for name, difference in differences.items() if difference.interval is not None]
    if not estimators:
        return ""
    gaining = [name for name in estimators if above(differences[name], 0.0) == "yes"]
    if len(gaining) == len(estimators):
        return f"Against true labels all of them ({listed(estimators)}) see a gain."
    if not gaining:
        return f"Against true labels none of them ({listed(estimators)}) sees a gain."
    return f"Against true labels a gain is seen by {listed(gaining)}, of {listed(estimators)}."


def _attribute(measured: Measured, attribute: str, metric: str) -> AttributeGains:
    names = (measured.labelling, *measured.other_estimators)
    truth = metric + TRUE
    labelled = any(measured.estimate(role, truth, name).value is not None for role in measured.roles for name in names)
    truth_names = names if labelled else ()
    kept = [
        KeptLine(
            measured.label(role),
            _shown(measured, role, metric, names),
            _shown(measured, role, truth, truth_names),
        )
        for role in measured.roles
    ]
    gains = [
        GainLine(
            measured.label(role),
            tuple(show_difference(measured.difference(role, BASE, metric, name), "share") for name in names),
            tuple(show_difference(measured.difference(role, BASE, truth, name), "share") for name in truth_names),
            gain_sentence(measured, role, metric),
            gain_of(measured, role, metric).seen == "only labelling",
        )
        for role in measured.roles
        if role not in ("none", BASE) and measured.label(BASE)
    ]
    return AttributeGains(attribute, names, labelled, tuple(kept), tuple(gains))


def _shown(measured: Measured, role: str, metric: str, names: Sequence[str]) -> tuple[Shown, ...]:
    return tuple(show(measured.estimate(role, metric, name), "share") for name in names)
