"""Verdicts: by hand on made-up intervals, and by simulation from faces to the word."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.bench.core.cards import Direction, Family, MetricCard
from unmask.bench.core.registry import all_metrics
from unmask.bench.core.stats.intervals import clopper_pearson
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.gate.differences import Answered, Question, answers
from unmask.bench.gate.verdicts import Loss, Ruling, collapsed, default_margin, faces_needed, rule

CARDS = {card.name: card for _, metric in all_metrics() for card in metric.cards}
RATE = CARDS["deid_rate@1e-3"]
MARGIN = 0.05
REPLICATES = 400


def card(direction: Direction = "higher", family: Family = "privacy", unit: str = "share") -> MetricCard:
    return MetricCard("m", "1", family, direction, unit, (0.0, 1.0), "M", "?", "", "")


def question(baseline: list[Float], candidate: list[Float], of: MetricCard = RATE, share: bool = True) -> Question:
    before, after = (
        [UnitValues(of.name, f"i{k}", v, share=share) for k, v in enumerate(vs)] for vs in (baseline, candidate)
    )
    return Question(of, "worst", "face", before, after)


def everybody(asked: Question, cluster: NDArray[np.int64] | None = None, seed: int = 0) -> Answered:
    faces = len(asked.baseline[0].values) if isinstance(asked.baseline[0], UnitValues) else 0
    people = np.arange(faces) if cluster is None else cluster
    return answers(asked, ClusterResamples(people, REPLICATES, seed), np.ones((1, faces), np.bool_))[0]


def loss(low: float, high: float, p: float = 0.001, faces: int = 200) -> Loss:
    return Loss((low + high) / 2, low, high, p, faces, faces)


def word(of: Loss, margin: float = MARGIN) -> str:
    return rule([of], [margin])[0].word


@pytest.mark.parametrize(
    ("low", "high", "p", "expected"),
    [
        (-0.10, -0.02, 0.001, "better"),
        (-0.04, 0.02, 0.5, "no worse"),
        (0.01, 0.04, 0.001, "no worse"),  # a loss, but smaller than what matters
        (0.01, 0.09, 0.001, "worse"),
        (0.06, 0.09, 0.001, "worse"),
        (0.01, 0.09, 0.2, "inconclusive"),  # not clear once corrected
        (-0.02, 0.09, 0.2, "inconclusive"),
        (-0.20, 0.20, 1.0, "inconclusive"),
        (math.nan, math.nan, 1.0, "inconclusive"),  # too few people for an interval: never a pass
    ],
)
def test_the_word_follows_from_interval_and_margin(low: float, high: float, p: float, expected: str) -> None:
    of = loss(low, high, p) if math.isfinite(low) else Loss(0.0, low, high, p, 2, 2)
    assert word(of) == expected


def test_the_margin_itself_is_not_below_the_margin() -> None:
    assert word(loss(-0.02, 0.05, 0.5)) == "inconclusive"


def test_nothing_measured_is_no_verdict() -> None:
    assert word(Loss(math.nan, math.nan, math.nan, math.nan, 0, 0)) == "not measured"


def test_better_and_worse_are_corrected_over_all_losses_but_no_worse_is_not() -> None:
    several = [loss(0.01, 0.09, 0.02), loss(-0.09, -0.01, 0.02), *[loss(-0.03, 0.03, 0.9)] * 3]
    words = [ruling.word for ruling in rule(several, [MARGIN] * 5)]
    assert words == ["inconclusive", "no worse", "no worse", "no worse", "no worse"]
    assert [ruling.word for ruling in rule(several[:1], [MARGIN])] == ["worse"]
    assert rule(several, [MARGIN] * 5)[0].p_adjusted == pytest.approx(0.1)


@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_a_loss_is_what_is_worse_whichever_way_the_metric_counts(direction: Direction) -> None:
    good, bad = np.ones(100), np.concatenate([np.zeros(40), np.ones(60)])
    if direction == "lower":
        good, bad = 1 - good, 1 - bad
    answer = everybody(question([good], [bad], card(direction)))
    assert answer.loss.value == pytest.approx(0.4)
    assert 0 < answer.loss.low < 0.4 < answer.loss.high
    assert word(answer.loss) == "worse"
    assert word(everybody(question([bad], [good], card(direction))).loss) == "better"


def test_no_face_that_differs_gets_an_exact_bound() -> None:
    values = np.concatenate([np.zeros(20), np.ones(180)])
    same = everybody(question([values], [values.copy()])).loss
    bound = clopper_pearson(0, 200)[1]
    assert same.value == 0.0
    assert [same.low, same.high] == pytest.approx([-bound, bound])
    assert same.p == 1.0
    assert word(same) == "no worse"


def test_the_bound_counts_people_not_photos() -> None:
    values = np.ones(200)
    few = everybody(question([values], [values.copy()]), np.arange(200) // 10).loss
    assert few.people == 20
    assert few.high == pytest.approx(clopper_pearson(0, 20)[1])
    assert word(few) == "inconclusive"


def test_a_few_unanimous_faces_do_not_pass_and_say_how_many_would() -> None:
    same = everybody(question([np.ones(40)], [np.ones(40)])).loss
    (ruling,) = rule([same], [MARGIN])
    assert ruling.word == "inconclusive"
    assert ruling.faces_needed == 72  # .95 ** 72 < .025 <= .95 ** 71
    enough = everybody(question([np.ones(73)], [np.ones(73)])).loss
    assert word(enough) == "no worse"


def test_the_faces_needed_do_settle_it() -> None:
    """Drawing so many faces from the same people's rates, the verdict is settled in most cases."""
    rng = np.random.default_rng(0)
    settled = []
    for trial in range(40):
        sides = flipped(rng, 150, 0.10, 0.10)
        of = everybody(question([sides[0]], [sides[1]]), seed=trial).loss
        (ruling,) = rule([of], [MARGIN])
        if ruling.word != "inconclusive" or ruling.faces_needed is None or ruling.faces_needed > 5_000:
            continue
        assert ruling.faces_needed > 150
        times = int(np.ceil(ruling.faces_needed / 150)) + 1
        before, after = (np.tile(side, times) for side in sides)
        larger = question([before], [after])
        settled.append(word(everybody(larger, seed=trial).loss) != "inconclusive")
    assert len(settled) >= 10
    assert np.mean(settled) > 0.9


def test_too_near_to_the_margin_no_number_of_faces_settles_it() -> None:
    assert faces_needed(Loss(0.04999, -0.02, 0.12, 0.3, 200, 200), MARGIN) is None
    assert faces_needed(Loss(0.0, math.nan, math.nan, 1.0, 2, 2), MARGIN) is None


def test_the_worst_attack_counts_on_each_side() -> None:
    strong, weak = np.repeat([0.0, 1.0], [30, 70]), np.repeat([0.0, 1.0], [5, 95])
    answer = everybody(question([weak, weak], [weak, strong]))
    assert answer.baseline == pytest.approx(0.95)
    assert answer.candidate == pytest.approx(0.70)
    assert word(answer.loss) == "worse"


def test_faces_that_only_the_candidate_could_not_be_measured_on_never_help_it() -> None:
    baseline = np.ones(200)
    candidate = np.where(np.arange(200) < 30, np.nan, 1.0)
    answer = everybody(question([baseline], [candidate]))
    assert (answer.loss.faces, answer.loss.lost) == (170, 30)
    assert answer.loss.high > 0.15
    assert word(answer.loss) == "inconclusive"


def test_a_metric_without_any_value_of_the_candidate_is_not_measured() -> None:
    answer = everybody(question([np.ones(50)], [np.full(50, np.nan)]))
    assert (answer.baseline_measured, answer.candidate_measured) == (50, 0)
    assert word(answer.loss) == "not measured"


def test_a_subgroup_that_collapses_under_a_passing_mean_is_seen() -> None:
    rng = np.random.default_rng(3)
    group = np.arange(1000) < 60
    baseline = np.ones(1000)
    candidate = np.where(group & (rng.random(1000) < 0.5), 0.0, 1.0)
    masks = np.stack([np.ones(1000, np.bool_), group, ~group])
    several = answers(question([baseline], [candidate]), ClusterResamples(np.arange(1000), REPLICATES), masks)
    words = [ruling.word for ruling in rule([each.loss for each in several], [MARGIN] * 3)]
    assert words == ["no worse", "worse", "no worse"]
    assert [collapsed(each, words[0]) for each in words[1:]] == [True, False]
    assert not collapsed("worse", "worse")


def test_statistics_of_the_set_are_compared_too() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, 120)

    def statistic(of: Float) -> SetStatistic:
        def compute(weights: Float) -> float:
            return float(np.average(of, weights=weights)) if weights.any() else math.nan

        return SetStatistic("fid", "inception", compute, np.ones(120, np.bool_), "face", resampling="jackknife")

    shifted = statistic(values + 1 + rng.normal(0, 0.1, 120))
    asked = Question(card("lower", "quality", ""), "inception", "face", [statistic(values)], [shifted])
    masks = np.stack([np.ones(120, np.bool_), np.arange(120) < 60])
    several = answers(asked, ClusterResamples(np.arange(120), REPLICATES), masks)
    assert several[0].loss.value == pytest.approx(1, abs=0.1)
    assert 0.9 < several[0].loss.low < several[0].loss.high < 1.1
    assert word(several[0].loss, 0.5) == "worse"


def test_margins_are_stated_for_every_metric_that_has_a_direction() -> None:
    for each in CARDS.values():
        margin = default_margin(each)
        assert margin.of(1.0) > 0, each.name
    assert default_margin(RATE).of(0.9) == 0.05
    assert default_margin(CARDS["outcome_missed"]).of(0.0) == 0.05
    assert default_margin(CARDS["gender_estimated_correct"]).of(0.9) == 0.10
    assert default_margin(CARDS["age_mae"]).of(8.0) == pytest.approx(0.8)
    assert default_margin(CARDS["ssim_changed"]).of(0.8) == 0.02


def flipped(rng: np.random.Generator, faces: int, worse: float, better: float) -> tuple[Float, Float]:
    """Faces of a method of which ``worse`` and ``better`` are the shares that change for either side."""
    u = rng.random(faces)
    baseline = np.where(u < worse, 1.0, np.where(u < worse + better, 0.0, (rng.random(faces) < 0.8).astype(float)))
    candidate = np.where(u < worse, 0.0, np.where(u < worse + better, 1.0, baseline))
    return baseline, candidate


def flips(rng: np.random.Generator, faces: int, worse: float, better: float) -> Question:
    baseline, candidate = flipped(rng, faces, worse, better)
    return question([baseline], [candidate])


def rulings(trials: int, faces: int, worse: float, better: float, seed: int) -> list[tuple[Loss, Ruling]]:
    rng = np.random.default_rng(seed)
    losses = [everybody(flips(rng, faces, worse, better), seed=trial).loss for trial in range(trials)]
    return [(each, rule([each], [MARGIN])[0]) for each in losses]


@pytest.mark.parametrize("changed", [0.0, 0.02, 0.05, 0.15])
def test_an_unchanged_method_is_hardly_ever_called_worse(changed: float) -> None:
    ruled = rulings(120, 200, changed / 2, changed / 2, seed=5)
    assert np.mean([ruling.word == "worse" for _, ruling in ruled]) <= 0.025 + 0.025
    if changed <= 0.05:
        assert np.mean([ruling.word == "no worse" for _, ruling in ruled]) > 0.7


def test_a_loss_of_the_margin_itself_hardly_ever_passes() -> None:
    """The error of non-inferiority: 2.5 %, here with room for chance over 300 draws."""
    ruled = rulings(300, 400, 0.05 + 0.03, 0.03, seed=6)
    assert np.mean([ruling.word in ("no worse", "better") for _, ruling in ruled]) <= 0.025 + 0.025


def test_200_faces_find_a_loss_of_ten_points_and_intervals_cover_it() -> None:
    ruled = rulings(200, 200, 0.12, 0.02, seed=7)
    assert np.mean([ruling.word == "worse" for _, ruling in ruled]) > 0.8
    covered = np.mean([of.low <= 0.10 <= of.high for of, _ in ruled])
    assert 0.93 <= covered <= 1.0


def test_false_alarms_stay_rare_over_many_metrics_and_subgroups() -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for trial in range(60):
        people = ClusterResamples(np.arange(200), REPLICATES, trial)
        masks = np.stack([np.ones(200, np.bool_), *(rng.integers(0, 4, 200) == np.arange(4)[:, None])])
        losses = [each.loss for _ in range(5) for each in answers(flips(rng, 200, 0.04, 0.04), people, masks)]
        alarms += any(ruling.word == "worse" for ruling in rule(losses, [MARGIN] * len(losses)))
    assert alarms / 60 <= 0.05
