"""Which comparisons are corrected together, and which are none at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tests.support.answers import DESIGN, MASKS, N, asked, card, share, statistic
from unmask.bench.core.cards import MetricCard
from unmask.bench.core.headlines import headline_keys, headline_metrics
from unmask.bench.core.registry import all_metrics
from unmask.bench.core.stats.compare import holm
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.run.figures.ranking import HeadsOf, compare_methods, rank_rows
from unmask.bench.run.figures.rows import Answer
from unmask.reports.columns import FAMILY_TITLES, TRACEABILITY, span_of

INSTRUMENTS = ["sface", "face-api", "standard"]


def compared(
    answers: Mapping[str, Sequence[Answer]], cards: Sequence[MetricCard], **more: object
) -> list[tuple[str, str, str, float | None, float | None]]:
    rows = compare_methods(
        "d", answers, {"face": DESIGN, "image": DESIGN}, {c.name: c for c in cards}, "control", **more
    )  # type: ignore[arg-type]
    return [(row.metric, row.a, row.b, row.p, row.p_adjusted) for row in rows]


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


REAL = {of.name: of for _, metric in all_metrics() for of in metric.cards}


def headline_cards() -> list[MetricCard]:
    """Nine columns."""
    return [replace(card(f"m{k}", bounds=(-99, 99)), headline=k) for k in range(9)]


def heads(cards: Sequence[MetricCard]) -> HeadsOf:
    return partial(headline_keys, {of.name: of for of in cards}, instruments=INSTRUMENTS)


def headline_answers() -> tuple[dict[str, list[Answer]], list[MetricCard]]:
    """Two methods; one clear and nine idle headline columns, and a metric that is none."""
    cards = headline_cards()
    names = [of.name for of in cards]
    cards.append(card("other", bounds=(-99, 99)))
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
    rows = compared(answers, cards, heads_of=heads(cards))
    columns = [row for row in rows if row[0] != "other"]
    plain = [row[3] for row in columns]
    assert [row[4] for row in columns] == pytest.approx(holm([p for p in plain if p is not None]))
    assert [row[4] for row in rows if row[0] == "other"] == [row[3] for row in rows if row[0] == "other"]


def test_equal_methods_rarely_win_any_headline_column() -> None:
    """Column by column up to 1 - .95^9 = 37 % of such tables would have a winner somewhere."""
    wins, trials = 0, 60
    cards = headline_cards()
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        answers = {
            label: [asked(UnitValues(of.name, "standard", rng.normal(size=N)), of, MASKS[:1]) for of in cards]
            for label in ("a", "b")
        }
        wins += any(row[4] is not None and row[4] < 0.05 for row in compared(answers, cards, heads_of=heads(cards)))
    assert wins / trials <= 0.15


def test_the_headline_columns_in_their_order() -> None:
    assert [names[0] for names in headline_metrics(REAL)] == [
        "people", "people_difference", "hota", "idf1", "mota", "hota_original", "idf1_original",
        "tracks_exposed", "longest_exposure", "frames_missed", "tracks_missed",
        "residual_risk", "attack_rank1", "deid_rate@1e-3", "rank1_cross_photo", "eer_cross_photo",
        "identity_kept", "identity_shared", "flicker", "landmark_correlation",
        "gender_estimated_correct", "age_group_estimated_correct", "ita_change",
        "ssim", "lpips_alex", "kid", "ms_per_face", "ms_per_frame", "kbps",
    ]  # fmt: skip
    assert len({of.headline for of in REAL.values() if of.headline is not None}) == 29
    assert all(REAL[of.stands_in_for].headline == of.headline for of in REAL.values() if of.stands_in_for)


def test_a_column_speaks_by_the_default_instruments_and_by_stand_ins() -> None:
    measured = [("idf1", "deepsort", "image"), ("idf1", "sort", "image"), ("flicker", "frames", "image")]
    keys = headline_keys(REAL, measured, measured, instruments=["sface", "sort"])
    assert keys == [measured[1], measured[2]]
    weaker = [("rank1_same_photo", "worst", "face"), ("rank1_same_photo", "sface", "face")]
    both = [("rank1_cross_photo", "worst", "face"), *weaker]
    assert headline_keys(REAL, both, both, instruments=["sface"]) == both[:1]
    assert headline_keys(REAL, both, weaker, instruments=["sface"]) == weaker[:1]
    assert headline_keys(REAL, weaker, [], instruments=["sface"]) == weaker[:1]


def test_every_headline_column_of_clips_has_its_group_on_the_page() -> None:
    cards = [of for _, metric in all_metrics(clips=True) for of in metric.cards if of.headline is not None]
    assert {span_of(of) for of in cards} - set(FAMILY_TITLES) == set(TRACEABILITY)
