"""H1, H2 and H3: the questions that each needs answered, their numbers, and what follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reports.numbers import NBSP
from reports.thesis.decisions import (
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
from reports.thesis.gains import gain_sentence
from reports.thesis.measured import Measured
from reports.thesis.published import Hypothesis, Published, Rules, Tone
from reports.thesis.words import ANSWERS, one_line, show, show_difference

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
        return ANSWERS[self.answer]


@dataclass(frozen=True, slots=True)
class Decided:
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


def decide(published: Published, measured: Measured) -> list[Decided]:
    """The three hypotheses, in order."""
    found = []
    for hypothesis in published.hypotheses:
        if hypothesis.attribute == "skin tone":
            found.append(_tone(hypothesis, published.rules, published.tones, measured))
        else:
            found.append(_kept(hypothesis, published.rules, measured))
    return found


def _kept(hypothesis: Hypothesis, rules: Rules, measured: Measured) -> Decided:
    what, metric, labels = hypothesis.attribute, hypothesis.metric, measured.labelling
    gain = measured.difference(PROPOSED, BASE, metric, labels)
    share = measured.estimate(PROPOSED, metric, labels)
    gained = one_line(show_difference(gain, "share"))
    return Decided(
        hypothesis,
        (
            *_deidentified(rules, measured),
            Clause(
                f"Is the {what} kept more often than by DeepPrivacy alone?",
                f"Yes if the whole interval of the paired difference (DP-ATT minus DeepPrivacy, by {labels}, of all "
                "faces) lies above 0; no if none of it does.",
                (gained,),
                above(gain, 0.0),
            ),
        ),
        (
            Clause(
                f"Is the {what} kept on {_points(rules.thesis_gain)} more of the images?",
                f"Yes if the whole interval of the same difference is at or above {_points(rules.thesis_gain)}; no if "
                "it is wholly below.",
                (gained,),
                at_least(gain, rules.thesis_gain),
            ),
            Clause(
                f"Is the {what} kept in most of the images?",
                f"Yes if the whole interval of the share of all faces lies above {_percent(rules.thesis_most)}; no if "
                "none of it does.",
                (one_line(show(share, "share")),),
                above(share, rules.thesis_most),
            ),
        ),
        gain_sentence(measured, PROPOSED, metric),
    )


def _deidentified(rules: Rules, measured: Measured) -> tuple[Clause, Clause]:
    metric = f"deid_rate@{rules.fmr}"
    names = measured.calibrated
    rates = [measured.estimate(PROPOSED, metric, name) for name in names]
    changes = [measured.difference(PROPOSED, BASE, metric, name) for name in names]
    at = f"at its threshold for a false match rate of {rules.fmr}"
    level, margin = _percent(rules.deid_at_least), _points(rules.deid_margin)
    return (
        Clause(
            "Are the faces de-identified?",
            f"For every calibrated recogniser, {at}: yes if the whole interval of DP-ATT's de-identification rate is "
            f"at or above {level}, no if it is wholly below for any. "
            "The bar is this benchmark's: the thesis sets none.",
            _by_name(names, rates, lambda given: one_line(show(given, "share"))),
            all_of(at_least(rate, rules.deid_at_least) for rate in rates),
        ),
        Clause(
            "Is DeepPrivacy's de-identification kept?",
            "For every calibrated recogniser: yes if the whole interval of the paired difference (DP-ATT minus "
            f"DeepPrivacy) is at or above {_points(-rules.deid_margin)}, no if it is "
            f"wholly below for any. Losing {margin} is tolerated.",
            _by_name(names, changes, lambda given: one_line(show_difference(given, "share"))),
            all_of(at_least(change, -rules.deid_margin) for change in changes),
        ),
    )


def _tone(hypothesis: Hypothesis, rules: Rules, tones: Sequence[Tone], measured: Measured) -> Decided:
    skin = measured.instrument("skin")
    clauses, own = [], []
    for tone in tones:
        averages = [measured.estimate(tone.role, f"skin_{key}", skin) for key, _ in CHANNELS]
        bands = [(aim * (1 - rules.tone_within), aim * (1 + rules.tone_within)) for aim in tone.target]
        clauses.append(
            Clause(
                f"Does the {tone.name} tone reach its target?",
                f"Yes if in every channel the whole interval of the average tone lies within "
                f"{_percent(rules.tone_within)} of the target; no if in any it lies wholly outside.",
                tuple(
                    f"{name}: {one_line(show(average, '0..255'))}, allowed {low:.0f} to {high:.0f}"
                    for (_, name), average, (low, high) in zip(CHANNELS, averages, bands, strict=True)
                ),
                all_of(within(a, low, high) for a, (low, high) in zip(averages, bands, strict=True)),
            )
        )
        change = measured.difference(tone.role, BASE, hypothesis.metric, skin)
        own.append(
            Clause(
                f"Are the {tone.name} tones nearer to their average than DeepPrivacy's?",
                "Yes if the whole interval of the paired difference of squared distances to the average (DP-ATT-S "
                "minus DeepPrivacy) lies below 0; no if none of it does.",
                (one_line(show_difference(change, measured.unit(hypothesis.metric))),),
                below(change, 0.0),
            )
        )
    return Decided(hypothesis, tuple(clauses), tuple(own))


def _by_name(names: Sequence[str], found: Sequence[Range], write: Callable[[Range], str]) -> tuple[str, ...]:
    return tuple(f"{name}: {write(given)}" for name, given in zip(names, found, strict=True))


def _percent(share: float) -> str:
    return f"{share * 100:g}{NBSP}%"


def _points(share: float) -> str:
    many = f"{share * 100:g}".replace("-", "\N{MINUS SIGN}")
    return f"{many}{NBSP}{'point' if abs(share * 100) == 1 else 'points'}"
