"""Answers and verdicts from made-up intervals."""

from __future__ import annotations

import pytest

from unmask.reports.thesis.decisions import (
    UNMEASURED,
    Answer,
    Range,
    Verdict,
    above,
    all_of,
    at_least,
    below,
    verdict,
    who_sees,
    within,
)
from unmask.reports.thesis.hypotheses import faces_to_settle

GAIN, NONE, LOSS = Range(0.11, 0.08, 0.14), Range(0.01, -0.02, 0.04), Range(-0.1, -0.13, -0.07)


@pytest.mark.parametrize(
    ("given", "bar", "over", "least", "under"),
    [
        (Range(0.5, 0.4, 0.6), 0.3, "yes", "yes", "no"),
        (Range(0.5, 0.4, 0.6), 0.7, "no", "no", "yes"),
        (Range(0.5, 0.4, 0.6), 0.5, "open", "open", "open"),
        (Range(0.5, 0.4, 0.6), 0.4, "open", "yes", "no"),
        (Range(0.5, 0.4, 0.6), 0.6, "no", "open", "open"),
        (Range(0.0, 0.0, 0.0), 0.0, "no", "yes", "no"),
        (UNMEASURED, 0.0, "unmeasured", "unmeasured", "unmeasured"),
        (Range(0.5, None, None), 0.0, "unmeasured", "unmeasured", "unmeasured"),
    ],
)
def test_only_a_whole_interval_answers(given: Range, bar: float, over: Answer, least: Answer, under: Answer) -> None:
    assert (above(given, bar), at_least(given, bar), below(given, bar)) == (over, least, under)


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (Range(110.0, 100.0, 120.0), "yes"),
        (Range(110.0, 88.8, 133.2), "yes"),
        (Range(90.0, 88.0, 92.0), "open"),
        (Range(210.0, 205.0, 215.0), "no"),
        (Range(50.0, 40.0, 60.0), "no"),
        (Range(110.0, 50.0, 200.0), "open"),
        (UNMEASURED, "unmeasured"),
    ],
)
def test_within_a_band(given: Range, answer: Answer) -> None:
    assert within(given, 88.8, 133.2) == answer


@pytest.mark.parametrize(
    ("answers", "word"),
    [
        (["yes", "yes"], "supported"),
        (["yes", "open"], "undecided"),
        (["yes", "no", "open"], "not supported"),
        (["no", "unmeasured"], "not supported"),
        (["yes", "unmeasured"], "not measured"),
        ([], "not measured"),
    ],
)
def test_a_verdict_needs_every_answer(answers: list[Answer], word: Verdict) -> None:
    assert verdict(answers) == word
    assert (all_of(answers) == "yes") == (word == "supported")


def test_a_gain_that_only_the_labelling_estimator_sees_is_called_so() -> None:
    assert who_sees(GAIN, {"a": NONE, "b": NONE}).who == "only labelling"
    told = who_sees(GAIN, {"a": NONE, "b": LOSS})
    assert (told.who, told.not_by, told.against) == ("only labelling", ("a",), ("b",))


def test_who_else_sees_a_gain() -> None:
    assert who_sees(GAIN, {"a": GAIN, "b": GAIN}).who == "all"
    told = who_sees(GAIN, {"a": GAIN, "b": NONE, "c": UNMEASURED})
    assert (told.who, told.by, told.not_by, told.unmeasured) == ("some", ("a",), ("b",), ("c",))


def test_no_gain_and_nothing_known() -> None:
    assert who_sees(NONE, {"a": GAIN}).who == "nobody"
    assert who_sees(LOSS, {"a": GAIN}).who == "nobody"
    assert who_sees(UNMEASURED, {"a": GAIN}).who == "unknown"
    assert who_sees(GAIN, {}).who == "unknown"
    assert who_sees(GAIN, {"a": UNMEASURED}).who == "unknown"


@pytest.mark.parametrize(
    ("given", "bar", "faces"),
    [
        (Range(0.02, 0.0, 0.04, 1000), 0.01, 4000),
        (Range(0.0, -0.02, 0.02, 1000), 0.01, 4000),
        (Range(0.02, 0.0, 0.04, 1234), 0.01, 5000),
        (Range(0.01, 0.0, 0.02, 1000), 0.01, None),
        (Range(0.01, 0.0, 0.02), 0.03, None),
        (UNMEASURED, 0.01, None),
    ],
)
def test_how_many_faces_would_settle_an_open_question(given: Range, bar: float, faces: int | None) -> None:
    assert faces_to_settle(given, bar) == faces
