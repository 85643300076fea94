"""Deciding by interval: pure functions from numbers with 95 % intervals to answers, verdicts and who sees a gain.

A question is answered only where the whole interval lies on one side of its bar; otherwise it stays open. A verdict
needs every answer: one "no" refutes, all "yes" support, an open one leaves it undecided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Answer = Literal["yes", "no", "open", "unmeasured"]
Verdict = Literal["supported", "not supported", "undecided", "not measured"]
_VERDICTS: Final[dict[Answer, Verdict]] = {
    "yes": "supported",
    "no": "not supported",
    "open": "undecided",
    "unmeasured": "not measured",
}
Who = Literal["nobody", "only labelling", "some", "all", "unknown"]


@dataclass(frozen=True, slots=True)
class Range:
    """A number with its 95 % interval, in the metric's unit; ``None`` = could not be measured."""

    value: float | None
    low: float | None
    high: float | None
    n: int | None = None
    """Units scored; ``None`` for differences, which are of the units that both methods were scored on."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """``None`` where there is no number, or one without an interval: neither decides anything."""
        if self.value is None or self.low is None or self.high is None:
            return None
        return self.low, self.high


UNMEASURED: Final = Range(None, None, None)


def _answer(number: Range, yes: Callable[[float, float], bool], no: Callable[[float, float], bool]) -> Answer:
    """``yes`` and ``no``: whether an interval with these ends answers so."""
    if number.interval is None:
        return "unmeasured"
    return "yes" if yes(*number.interval) else "no" if no(*number.interval) else "open"


def above(number: Range, bar: float) -> Answer:
    """Is it more than ``bar``?"""
    return _answer(number, lambda low, high: low > bar, lambda low, high: high <= bar)


def below(number: Range, bar: float) -> Answer:
    """Is it less than ``bar``?"""
    return _answer(number, lambda low, high: high < bar, lambda low, high: low >= bar)


def at_least(number: Range, bar: float) -> Answer:
    """Is it ``bar`` or more?"""
    return _answer(number, lambda low, high: low >= bar, lambda low, high: high < bar)


def within(number: Range, least: float, most: float) -> Answer:
    """Does it lie between two bounds, both included?"""
    return _answer(
        number, lambda low, high: least <= low and high <= most, lambda low, high: high < least or low > most
    )


def all_of(answers: Iterable[Answer]) -> Answer:
    """Are all of several questions answered yes? Without any question, nothing was measured."""
    kinds = set(answers) or {"unmeasured"}
    return next(answer for answer in ("no", "unmeasured", "open", "yes") if answer in kinds)


def verdict(answers: Iterable[Answer]) -> Verdict:
    """What the answers say of a hypothesis that needs them all."""
    return _VERDICTS[all_of(answers)]


@dataclass(frozen=True, slots=True)
class Gain:
    """Which estimators see a method do better than another: by the others' paired differences."""

    who: Who
    by: tuple[str, ...]
    """Wholly above 0."""
    not_by: tuple[str, ...]
    """The interval includes 0."""
    against: tuple[str, ...]
    """Wholly below 0: a loss."""
    unmeasured: tuple[str, ...] = ()


def who_sees(labelling: Range, others: Mapping[str, Range]) -> Gain:
    """``labelling``: the paired difference by the estimator that gave the labels; ``others``: by each other one.

    ``only labelling`` = it sees a gain, and no other estimator does (their intervals include 0 or lie below).
    ``nobody`` = the labelling estimator does not see one either, whatever the others say.
    """
    sides = {name: "loss" if below(each, 0.0) == "yes" else above(each, 0.0) for name, each in others.items()}

    def names(*kinds: str) -> tuple[str, ...]:
        return tuple(name for name, side in sides.items() if side in kinds)

    by, unmeasured = names("yes"), names("unmeasured")
    own = above(labelling, 0.0)
    who: Who
    if own == "unmeasured" or (own == "yes" and len(unmeasured) == len(others)):
        who = "unknown"
    elif own != "yes":
        who = "nobody"
    else:
        who = "only labelling" if not by else "all" if len(by) == len(others) else "some"
    return Gain(who, by, names("no", "open"), names("loss"), unmeasured)
