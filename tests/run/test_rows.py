"""Answers become rows: everybody, subgroups, chance, the worst attack, gaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.answers import DESIGN, GROUPS, MASKS, N, asked, card, share, statistic
from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.evidence import ANY_LOOK
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues
from unmask.bench.run.figures.rows import MIN_GROUP, Answer, GapRows, estimate_rows, worst_answers


def test_the_worst_attack_may_be_one_that_tries_every_look() -> None:
    items = [
        share("deid", name, rate, k) for k, (name, rate) in enumerate({"sface": 0.9, "sface" + ANY_LOOK: 0.6}.items())
    ]
    others = [share("deid", "standard", 0.1, 7), share("deid", "elsewhere" + ANY_LOOK, 0.1, 8)]
    (worst,) = worst_answers(map(asked, [*items, *others]), {"deid": card("deid")}, {"sface", "facenet"})
    row = estimate_rows("d", "m", worst, GROUPS)[0]
    assert (row.instrument, row.value, row.note) == ("worst", pytest.approx(0.6), "sface+any-look")


def test_chance_is_that_of_the_attack_that_is_worst_in_each_subgroup() -> None:
    first = np.where(np.arange(N) < 30, 0.0, 1.0)
    chances = [np.full(N, 0.99), np.where(np.arange(N) < 30, 0.7, 0.9)]
    items = [
        UnitValues("deid", name, values, share=True, chance_values=chance)
        for name, values, chance in zip(("a", "b"), (first, 1 - first), chances, strict=True)
    ]
    (worst,) = worst_answers(map(asked, items), {"deid": card("deid")}, {"a", "b"})
    rows = {row.group: row for row in estimate_rows("d", "m", worst, GROUPS)}
    assert (rows["gender=female"].note, rows["gender=male"].note) == ("a", "b")
    assert rows["gender=female"].chance == pytest.approx(0.99)
    assert rows["gender=male"].chance == pytest.approx(0.9)
    male = rows["gender=male"]
    assert male.chance_low is not None
    assert male.chance_high is not None
    assert male.chance_low < 0.9 < male.chance_high <= 1


def test_a_chance_known_beforehand_has_no_interval() -> None:
    (row, *_) = estimate_rows("d", "m", asked(UnitValues("m", "i", np.ones(N), chance=0.5)), GROUPS)
    assert (row.chance, row.chance_low, row.chance_high) == (0.5, None, None)


def test_statistics_that_depend_on_the_number_of_faces_have_no_subgroups() -> None:
    given = asked(statistic(np.arange(N) / N, subgroups=False), card("fid", "quality", "lower"))
    assert [row.group for row in estimate_rows("d", "m", given, GROUPS)] == ["all"]
    assert not gaps([given], card("fid", "quality", "lower"))


def test_everybody_and_each_subgroup_have_their_own_mean_and_count() -> None:
    values = np.where(MASKS[1], 0.25, 0.75)
    values[:6], eligible = np.nan, np.arange(N) < 50
    item = UnitValues("m", "i", values, eligible=eligible)
    rows = {row.group: row for row in estimate_rows("d", "x", asked(item), GROUPS)}
    # Of 50 faces asked about 6 could not be scored, all of them women.
    assert {name: (row.n, row.unscored) for name, row in rows.items()} == {
        "all": (44, 6), "gender=female": (24, 6), "gender=male": (20, 0),
    }  # fmt: skip
    assert rows["gender=female"].value == 0.25
    assert rows["gender=male"].value == 0.75
    assert rows["all"].value == pytest.approx((24 * 0.25 + 20 * 0.75) / 44)
    assert (rows["all"].dataset, rows["all"].method, rows["all"].region) == ("d", "x", "face")


def test_a_subgroup_nobody_of_whom_was_asked_about_has_no_row() -> None:
    item = UnitValues("m", "i", np.ones(N), eligible=MASKS[2])
    assert [row.group for row in estimate_rows("d", "x", asked(item), GROUPS)] == ["all", "gender=male"]
    # Asked about but never scored is another thing.
    unscored = UnitValues("m", "i", np.where(MASKS[1], np.nan, 1.0))
    rows = {row.group: row for row in estimate_rows("d", "x", asked(unscored), GROUPS)}
    female = rows["gender=female"]
    assert (female.value, female.low, female.high, female.n, female.unscored) == (None, None, None, 0, 30)


def test_only_metrics_of_privacy_with_a_better_and_a_worse_have_a_worst_attack() -> None:
    cards = {
        "deid": card("deid"), "distance": card("distance", direction="none"), "age": card("age", "utility"),
        "seen": card("seen", "exposure", "lower"),
    }  # fmt: skip
    answers = [
        asked(share(name, instrument, rate, 3), of)
        for name, of in cards.items()
        for instrument, rate in (("a", 0.25), ("b", 0.75))
    ]
    rows = {row.metric: row for each in worst_answers(answers, cards, {"a", "b"})
            for row in estimate_rows("d", "x", each, GROUPS)[:1]}  # fmt: skip
    assert {name: (row.value, row.note) for name, row in rows.items()} == {
        "deid": (pytest.approx(0.25), "a"),
        "seen": (pytest.approx(0.75), "b"),
    }


def test_the_first_of_equal_attacks_is_named() -> None:
    answers = [asked(share("deid", name, 0.5, 3)) for name in ("b", "a")]
    (worst,) = worst_answers(answers, {"deid": card("deid")}, {"a", "b"})
    assert {row.note for row in estimate_rows("d", "x", worst, GROUPS)} == {"b"}


def gaps(answers: Sequence[Answer], of: MetricCard) -> list[object]:
    made = GapRows("d", {"face": DESIGN}, {"face": MASKS}, {"face": GROUPS}, 0)
    return list(made.rows("m", answers, {of.name: of}))


def gap_rows(values: Float, of: MetricCard, groups: Sequence[str], masks: Bools) -> list[tuple[str, str, str, float]]:
    design = GapRows("d", {"face": DESIGN}, {"face": masks}, {"face": groups}, 0)
    rows = design.rows("x", [asked(UnitValues("m", "i", values), of, masks)], {"m": of})
    return [(row.by, row.worst_group, row.best_group, row.gap) for row in rows]


def test_gaps_say_what_chance_alone_would_give() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(np.where(MASKS[1], 0.0, 1.0))
    of = card("m", bounds=(-9, 9))
    (row,) = GapRows("d", {"face": DESIGN}, {"face": MASKS}, {"face": GROUPS}, 0).rows(
        "m", [asked(UnitValues("m", "i", values), of)], {"m": of}
    )
    assert (row.by, row.worst_group, row.best_group) == ("gender", "gender=female", "gender=male")
    assert row.low is not None
    assert row.p is not None
    assert row.expected is not None
    assert 0 < row.low < row.gap
    assert row.p < 0.05
    assert 0 < row.expected < row.gap / 2


def test_gaps_of_time_and_of_set_statistics_are_not_tested() -> None:
    made = GapRows("d", {"face": DESIGN}, {"face": MASKS}, {"face": GROUPS}, 0)
    cost, fid = card("ms", "cost", "lower", (0, 99)), card("fid", "quality", "lower", (0, 99))
    answers = [asked(UnitValues("ms", "clock", np.arange(N) * 1.0), cost), asked(statistic(np.arange(N) * 1.0), fid)]
    rows = made.rows("m", answers, {"ms": cost, "fid": fid})
    assert [(row.metric, row.p) for row in rows] == [("ms", None), ("fid", None)]
    assert all(row.low is not None and row.low > 0 for row in rows)


@pytest.mark.parametrize(("direction", "worst"), [("higher", "age=0-19"), ("none", "age=0-19"), ("lower", "age=40+")])
def test_the_worst_subgroup_is_the_one_against_the_metric_s_direction(direction: Direction, worst: str) -> None:
    groups = ["all", "age=0-19", "age=20-39", "age=40+"]
    parts = [np.arange(N) % 3 == k for k in range(3)]
    values = np.select(parts, [0.25, 0.5, 1.0])
    ((by, worst_group, best_group, gap),) = gap_rows(
        values, card("m", direction=direction), groups, np.stack([MASKS[0], *parts])
    )
    assert (by, worst_group, gap) == ("age", worst, 0.75)
    assert best_group == {"age=0-19": "age=40+", "age=40+": "age=0-19"}[worst]


@pytest.mark.parametrize(("scored", "gaps_shown"), [(MIN_GROUP, 1), (MIN_GROUP - 1, 0)])
def test_a_subgroup_of_a_few_scored_faces_takes_no_part_in_a_gap(scored: int, gaps_shown: int) -> None:
    values = np.where(MASKS[1], 0.0, 1.0)
    values[scored:30] = np.nan
    assert len(gap_rows(values, card("m"), GROUPS, MASKS)) == gaps_shown


def test_each_attribute_has_a_gap_of_its_own() -> None:
    odd = np.arange(N) % 2 == 1
    values = np.where(MASKS[1], 0.0, 1.0) + np.where(odd, 0.25, 0.0)
    groups, masks = [*GROUPS, "skin=dark", "skin=light"], np.stack([*MASKS, odd, ~odd])
    assert gap_rows(values, card("m"), groups, masks) == [
        ("gender", "gender=female", "gender=male", 1.0),
        ("skin", "skin=light", "skin=dark", 0.25),
    ]


def test_a_gap_does_not_depend_on_which_methods_are_beside_it() -> None:
    of = card("m", bounds=(-9, 9))
    several = [asked(UnitValues("m", "i", np.random.default_rng(k).normal(size=N)), of) for k in range(3)]
    design = GapRows("d", {"face": DESIGN}, {"face": MASKS}, {"face": GROUPS}, 0)
    together = [row for each in several for row in design.rows("x", [each], {"m": of})]
    alone = [
        row
        for each in several
        for row in GapRows("d", {"face": DESIGN}, {"face": MASKS}, {"face": GROUPS}, 0).rows("x", [each], {"m": of})
    ]
    assert together == alone
    assert len({row.p for row in together}) > 1


def test_a_gap_is_never_larger_than_the_metric_s_range() -> None:
    of = card("m", bounds=(0, 1))
    few = np.full(N, np.nan)
    few[[*range(5), *range(30, 35)]] = [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]
    design = GapRows("d", {"face": DESIGN}, {"face": MASKS}, {"face": GROUPS}, 0)
    (row,) = design.rows("x", [asked(UnitValues("m", "i", few, share=True), of)], {"m": of})
    assert row.gap == pytest.approx(0.6)
    assert row.low == 0.0
    assert row.high == 1.0
