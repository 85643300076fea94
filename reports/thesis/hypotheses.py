"""H1, H2 and H3: the questions that each needs answered, their numbers, and what follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unmask.bench.store.view import WORST
from unmask.reports.numbers import NBSP, NOT_MEASURED, change_with_interval, with_interval
from unmask.reports.thesis.decisions import (
    Answer,
    Range,
    Verdict,
    above,
    all_of,
    at_least,
    below,
    verdict,
    within,
)
from unmask.reports.thesis.gains import gain_sentence
from unmask.reports.thesis.published import Hypothesis, Published, Rules, Tone
from unmask.reports.thesis.results import Results

BASE = "deepprivacy"
PROPOSED = "dp-att"
CHANNELS = (("r", "red"), ("g", "green"), ("b", "blue"))


@dataclass(frozen=True, slots=True)
class Clause:
    """One question with its rule, its numbers and its answer."""

    question: str
    rule: str
    numbers: tuple[str, ...]
    answer: Answer

    @property
    def word(self) -> str:
        return {"open": "undecided", "unmeasured": NOT_MEASURED}.get(self.answer, self.answer)


@dataclass(frozen=True, slots=True)
class Decision:
    """A hypothesis with its verdict, and the verdict under the bar that the thesis set itself."""

    hypothesis: Hypothesis
    clauses: tuple[Clause, ...]
    own: tuple[Clause, ...]
    """What the thesis asked for beyond that (1.3)."""
    remark: str = ""

    @property
    def verdict(self) -> Verdict:
        return verdict(clause.answer for clause in self.clauses)

    @property
    def own_verdict(self) -> Verdict:
        return verdict(clause.answer for clause in (*self.clauses, *self.own))


def decide(published: Published, results: Results) -> list[Decision]:
    """The three hypotheses, in order."""
    decisions = []
    for hypothesis in published.hypotheses:
        if hypothesis.attribute == "skin tone":
            decisions.append(_tone(hypothesis, published.rules, published.tones, results))
        else:
            decisions.append(_kept(hypothesis, published.rules, results))
    return decisions


def _kept(hypothesis: Hypothesis, rules: Rules, results: Results) -> Decision:
    what, metric, labels = hypothesis.attribute, hypothesis.metric, results.labelling
    gain = results.difference(PROPOSED, BASE, metric, labels)
    share = results.estimate(PROPOSED, metric, labels)
    change = change_with_interval(gain, "share")
    return Decision(
        hypothesis,
        (
            _recognisable(rules, results),
            Clause(
                f"Is the {what} kept more often than by DeepPrivacy alone?",
                f"Yes if the whole interval of the paired difference (DP-ATT minus DeepPrivacy, by {labels}, of all "
                "faces) lies above 0; no if none of it does.",
                (change,),
                above(gain, 0.0),
            ),
        ),
        (
            Clause(
                f"Is the {what} kept on {_points(rules.thesis_gain)} more of the images?",
                f"Yes if the whole interval of the same difference is at or above {_points(rules.thesis_gain)}; no if "
                "it is wholly below.",
                (change,),
                at_least(gain, rules.thesis_gain),
            ),
            Clause(
                f"Is the {what} kept in most of the images?",
                f"Yes if the whole interval of the share of all faces lies above {_percent(rules.thesis_most)}; no if "
                "none of it does.",
                (with_interval(share, "share"),),
                above(share, rules.thesis_most),
            ),
        ),
        gain_sentence(results, PROPOSED, metric),
    )


def _recognisable(rules: Rules, results: Results) -> Clause:
    metric, bar = f"excess_match@{rules.fmr}", _points(rules.excess_at_most)
    excess = results.estimate(PROPOSED, metric, WORST)
    answer = below(excess, rules.excess_at_most)
    numbers = [
        f"{label}: {_excess(results, role, metric)}" for role, label in (("dp-att", "DP-ATT"), (BASE, "DeepPrivacy"))
    ]
    if answer == "open":
        numbers.append(_enough(excess, rules.excess_at_most))
    return Clause(
        "Is nothing left by which a person is recognised?",
        "Own matches minus matches with strangers of the same age group and gender, by the attack that is best against "
        f"the method, at its threshold for a false match rate of {rules.fmr}: yes if the whole 95 % interval ends "
        f"below {bar}, no if it begins there or above. Preserved age and gender make strangers match too, and do not "
        "count against the method. The bar is this benchmark's: the thesis sets none.",
        tuple(numbers),
        answer,
    )


def _excess(results: Results, role: str, metric: str) -> str:
    estimate = results.estimate(role, metric, WORST)
    if estimate.value is None:
        return NOT_MEASURED
    draws = results.draws(role)
    if draws > 1:
        draws_text = f"average of {draws} draws"
    elif results.is_by_chance(role):
        draws_text = "one draw: another seed may give another number"
    else:
        draws_text = "which every seed gives: nothing is drawn by chance"
    attack = results.note(role, metric, WORST)
    excess = change_with_interval(estimate, "share")
    return f"{excess} by {attack or 'one recogniser'}, {estimate.n or 0:,} faces, {draws_text}"


def _enough(estimate: Range, bar: float) -> str:
    faces = faces_to_settle(estimate, bar)
    if faces is None:
        return "The number lies on the bar: no number of faces would settle it."
    return f"If the number stays, about {faces:,} faces would settle it."


def faces_to_settle(number: Range, bar: float) -> int | None:
    """About how many units an interval that holds ``bar`` would need to leave it on the number's side, rounded up to
    two digits: its width shrinks with the square root of their number. ``None`` = never, or not known."""
    if number.interval is None or number.value is None or not number.n or number.value == bar:
        return None
    low, high = number.interval
    reach = high - number.value if number.value < bar else number.value - low
    many = number.n * (reach / (number.value - bar)) ** 2
    step = int(10 ** max(len(str(math.ceil(many))) - 2, 0))
    return math.ceil(many / step) * step


def _tone(hypothesis: Hypothesis, rules: Rules, tones: Sequence[Tone], results: Results) -> Decision:
    skin = results.instrument("skin")
    clauses, own = [], []
    for tone in tones:
        averages = [results.estimate(tone.role, f"skin_{key}", skin) for key, _ in CHANNELS]
        bands = [(aim * (1 - rules.tone_within), aim * (1 + rules.tone_within)) for aim in tone.target]
        clauses.append(
            Clause(
                f"Does the {tone.name} tone reach its target?",
                f"Yes if in every channel the whole interval of the average tone lies within "
                f"{_percent(rules.tone_within)} of the target; no if in any it lies wholly outside.",
                tuple(
                    f"{name}: {with_interval(average, '0..255')}, allowed {low:.0f} to {high:.0f}"
                    for (_, name), average, (low, high) in zip(CHANNELS, averages, bands, strict=True)
                ),
                all_of(within(a, low, high) for a, (low, high) in zip(averages, bands, strict=True)),
            )
        )
        nearer = results.share_nearer(tone.role, BASE, hypothesis.metric, skin)
        own.append(
            Clause(
                f"Are most of the {tone.name} tones nearer to their average than DeepPrivacy's?",
                "Share of the faces whose tone could be told on both outputs that is nearer to the average of "
                "DP-ATT-S's outputs than under DeepPrivacy to the average of its: yes if the whole interval lies above "
                f"{_percent(rules.thesis_most)}; no if none of it does.",
                (f"{with_interval(nearer, 'share')}, {nearer.n or 0:,} faces",),
                above(nearer, rules.thesis_most),
            )
        )
    return Decision(hypothesis, tuple(clauses), tuple(own))


def _percent(share: float) -> str:
    return f"{share * 100:g}{NBSP}%"


def _points(share: float) -> str:
    many = f"{share * 100:g}".replace("-", "\N{MINUS SIGN}")
    return f"{many}{NBSP}{'point' if abs(share * 100) == 1 else 'points'}"
