"""Answers become rows: worst attack, chance, gaps, comparisons, ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pytest

from unmask.bench.core.cards import Direction, Family, MetricCard
from unmask.bench.core.evidence import ANY_LOOK
from unmask.bench.core.headlines import CLIP_HEADLINES, HEADLINES, clip_headline_keys, headline_keys
from unmask.bench.core.stats.compare import holm
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.run.ranking import compare_methods, rank_rows
from unmask.bench.run.rows import Answer, GapRows, answer, estimate_rows, worst_answers
from unmask.reports.video.board import SPANS

N = 60
GROUPS = ["all", "gender=female", "gender=male"]
MASKS = np.stack([np.ones(N, np.bool_), np.arange(N) < 30, np.arange(N) >= 30])
DESIGN = ClusterResamples(np.arange(N), 300)
INSTRUMENTS = ["sface", "face-api", "standard"]


def card(
    name: str, family: Family = "privacy", direction: Direction = "higher", bounds: tuple[float, float] = (0, 1)
) -> MetricCard:
    return MetricCard(name, "1", family, direction, "share", bounds, name, "?", "", "")


def asked(item: UnitValues | SetStatistic, of: MetricCard | None = None, masks: Bools = MASKS) -> Answer:
    return answer(item, DESIGN, masks, of or card(item.metric))


def share(metric: str, instrument: str, rate: float, seed: int, chance: Float | None = None) -> UnitValues:
    values = (np.random.default_rng(seed).permutation(N) < round(rate * N)).astype(np.float64)
    return UnitValues(metric, instrument, values, share=True, chance_values=chance)


def compared(
    answers: Mapping[str, Sequence[Answer]], cards: Sequence[MetricCard], **more: object
) -> list[tuple[str, str, str, float | None, float | None]]:
    rows = compare_methods(
        "d", answers, {"face": DESIGN, "image": DESIGN}, {c.name: c for c in cards}, "control", **more
    )  # type: ignore[arg-type]
    return [(row.metric, row.a, row.b, row.p, row.p_adjusted) for row in rows]


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


def statistic(values: Float, subgroups: bool = True, tested_from: int = 0) -> SetStatistic:
    return SetStatistic(
        "fid",
        "inception",
        lambda w: float(w @ values / w.sum()),
        np.ones(N, np.bool_),
        resampling="jackknife",
        subgroups=subgroups,
        tested_from=tested_from,
    )


def test_statistics_that_depend_on_the_number_of_faces_have_no_subgroups() -> None:
    given = asked(statistic(np.arange(N) / N, subgroups=False), card("fid", "quality", "lower"))
    assert [row.group for row in estimate_rows("d", "m", given, GROUPS)] == ["all"]
    assert not gaps([given], card("fid", "quality", "lower"))


def gaps(answers: Sequence[Answer], of: MetricCard) -> list[object]:
    made = GapRows("d", {"face": DESIGN}, {"face": MASKS}, {"face": GROUPS}, 0)
    return list(made.rows("m", answers, {of.name: of}))


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


def methods_of(items: Mapping[str, UnitValues | SetStatistic], of: MetricCard) -> dict[str, list[Answer]]:
    return {label: [asked(item, of)] for label, item in items.items()}


def test_time_is_neither_tested_nor_ranked() -> None:
    of = card("ms", "cost", "lower", (0, 999))
    answers = methods_of({f"m{k}": UnitValues("ms", "clock", np.full(N, k + 1.0) + np.arange(N)) for k in range(3)}, of)
    rows = compare_methods("d", answers, {"face": DESIGN}, {"ms": of}, "control")
    assert {(row.p, row.p_adjusted) for row in rows} == {(None, None)}
    assert rows[0].difference == -1
    assert rank_rows("d", answers, rows, {"ms": of}, "control") == []


def test_set_statistics_of_too_few_images_are_not_ranked() -> None:
    of = card("fid", "quality", "lower", (0, 999))
    rng = np.random.default_rng(0)
    few, enough = (
        methods_of({f"m{k}": statistic(rng.normal(k, 0.1, N), tested_from=least) for k in range(3)}, of)
        for least in (N + 1, N)
    )
    for answers, ranks in ((few, []), (enough, [1, 2, 3])):
        rows = compare_methods("d", answers, {"face": DESIGN}, {"fid": of}, "control")
        assert [row.best for row in rank_rows("d", answers, rows, {"fid": of}, "control")] == ranks


def test_identical_outputs_are_said_to_be_identical_not_alike() -> None:
    of = card("m")
    item = share("m", "i", 0.8, 1)
    answers = methods_of({"a": item, "b": item, "c": share("m", "i", 0.1, 2)}, of)
    rows = compare_methods("d", answers, {"face": DESIGN}, {"m": of}, "control", identical={frozenset(("a", "b"))})
    same, *others = rows
    assert (same.identical, same.difference, same.low, same.high, same.p) == (True, 0, None, None, None)
    assert all(not row.identical and row.p is not None for row in others)
    ranks = {row.method: (row.best, row.worst) for row in rank_rows("d", answers, rows, {"m": of}, "control")}
    assert ranks == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}


def test_equal_figures_are_not_identical_outputs() -> None:
    of = card("m")
    item = share("m", "i", 0.8, 1)
    (row,) = compare_methods("d", methods_of({"a": item, "b": item}, of), {"face": DESIGN}, {"m": of}, "control")
    assert not row.identical
    assert row.p == 1
    assert row.low is not None
    assert row.high is not None
    assert row.low < 0 < row.high


def headline_answers() -> tuple[dict[str, list[Answer]], list[MetricCard]]:
    """Two methods; one clear and nine idle headline columns, and a metric that is none."""
    names = [names[0] for names in HEADLINES if names[0] != "ms_per_face"]
    cards = [card(name, bounds=(-99, 99)) for name in (*names, "other")]
    rng = np.random.default_rng(3)
    answers: dict[str, list[Answer]] = {"a": [], "b": []}
    for of in cards:
        shift = 0.35 if of.name in (names[0], "other") else 0.0
        face = rng.normal(size=N)
        answers["a"].append(asked(UnitValues(of.name, "standard", face + shift), of))
        answers["b"].append(asked(UnitValues(of.name, "standard", face + rng.normal(size=N)), of))
    return answers, cards


def test_headline_columns_are_corrected_together() -> None:
    answers, cards = headline_answers()
    rows = compared(answers, cards, heads_of=partial(headline_keys, instruments=INSTRUMENTS))
    heads = [row for row in rows if row[0] != "other"]
    plain = [row[3] for row in heads]
    assert [row[4] for row in heads] == pytest.approx(holm([p for p in plain if p is not None]))
    assert [row[4] for row in rows if row[0] == "other"] == [row[3] for row in rows if row[0] == "other"]


def test_equal_methods_rarely_win_any_headline_column() -> None:
    """Column by column up to 1 - .95^9 = 37 % of such tables would have a winner somewhere."""
    wins, trials = 0, 60
    names = [names[0] for names in HEADLINES if names[0] != "ms_per_face"]
    cards = [card(name, bounds=(-99, 99)) for name in names]
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        answers = {
            label: [asked(UnitValues(of.name, "standard", rng.normal(size=N)), of, MASKS[:1]) for of in cards]
            for label in ("a", "b")
        }
        wins += any(
            row[4] is not None and row[4] < 0.05
            for row in compared(answers, cards, heads_of=partial(headline_keys, instruments=INSTRUMENTS))
        )
    assert wins / trials <= 0.15


def test_the_headline_columns_of_clips_are_those_of_their_page() -> None:
    assert [column for _, _, columns in SPANS for column in columns] == list(CLIP_HEADLINES)
    measured = [("idf1", "sort", "image"), ("idf1", "deepsort", "image"), ("flicker", "frames", "image")]
    chosen = clip_headline_keys(measured, measured, tracker="sort", recogniser="sface")
    assert chosen == [measured[0], measured[2]]
