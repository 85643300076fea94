"""Verification attack: which pairs are made, what becomes of lost faces, and weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Bools
from unmask.bench.core.values import Histogram, SetStatistic
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.attack import attacks
from unmask.metrics.privacy.face_pairs import impostor_pairs, pair_distances
from unmask.metrics.privacy.strangers import strangers
from unmask.metrics.privacy.verification import Verification


def ask(evidence: Evidence, recogniser: str = "sface") -> dict[str, SetStatistic]:
    found = [v for v in Verification().ask(evidence) if isinstance(v, SetStatistic)]
    return {v.metric: v for v in found if v.instrument == recogniser}


def values(evidence: Evidence) -> dict[str, float]:
    found = ask(evidence)
    used = {name: s.scored if s.eligible is None else s.scored & s.eligible for name, s in found.items()}
    return {name: s.compute(used[name].astype(np.float64)) for name, s in found.items()}


def same_photo(evidence: Evidence) -> dict[str, float]:
    return {name: value for name, value in values(evidence).items() if "cross_photo" not in name}


def different(names: list[str]) -> Bools:
    return np.array([[a != b for b in names] for a in names])


def test_more_noise_is_more_private() -> None:
    eers = [values(make_evidence(15, 3, noise=noise))["eer"] for noise in (0.5, 2.0, 4.0, 30.0)]
    assert eers == sorted(eers)
    assert eers[0] < 0.01
    assert eers[-1] == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(
    ("outcome", "eer", "tar"), [("missed", 0.0, 1.0), ("error", 0.0, 1.0), ("destroyed", 0.5, 0.0)]
)
def test_released_originals_are_verified_and_destroyed_faces_are_chance(outcome: str, eer: float, tar: float) -> None:
    found = same_photo(make_evidence(15, 3, outcomes=[outcome] * 45))
    assert found == pytest.approx({"eer": eer, "tar@1e-2": tar, "tar@1e-3": tar})


def test_missing_impostors_are_not_measurable() -> None:
    found = values(make_evidence(6, 2))  # 120 impostor pairs
    assert np.isfinite(found["tar@1e-2"])
    assert np.isnan(found["tar@1e-3"])


def test_chances() -> None:
    assert {name: s.chance for name, s in ask(make_evidence(3, 2)).items()} == {
        "eer": 0.5,
        "tar@1e-2": 0.01,
        "tar@1e-3": 0.001,
        "eer_cross_photo": 0.5,
        "tar_cross_photo@1e-2": 0.01,
        "tar_cross_photo@1e-3": 0.001,
    }


def test_other_photos_of_the_person_are_compared_each_output_weighing_the_same() -> None:
    """Fifteen people have three photos each, five have nine, which look less alike."""
    evidence = make_evidence(30, 3, noise=1.5)
    evidence.truth.identity[:] = [f"p{k // 3}" if k < 45 else f"q{k // 9}" for k in range(90)]
    distance = 1 - evidence.anonymized["sface"]["embedding"].astype(float) @ evidence.original["sface"]["embedding"].T
    names, n = evidence.truth.identity, 90
    impostor = np.sort(distance[names[:, None] != names[None, :]])
    threshold = impostor[int(0.01 * len(impostor)) - 1]
    other = (names[:, None] == names[None, :]) & ~np.eye(n, dtype=bool)
    shares = [(distance[i, other[i]] <= threshold).mean() for i in range(n) if other[i].any()]
    expected = np.mean(shares)
    assert abs((distance[other] <= threshold).mean() - expected) > 0.02
    assert 0.02 < expected < 0.98
    assert values(evidence)["tar_cross_photo@1e-2"] == pytest.approx(expected, abs=0.01)


def test_other_photos_are_asked_of_people_who_have_some() -> None:
    found = ask(make_evidence(6, 1))["tar_cross_photo@1e-2"]
    assert found.eligible is not None
    assert not found.eligible.any()


def test_where_nobody_is_labelled_the_smallest_rate_is_not_asked_about() -> None:
    eligible = {name: s.eligible for name, s in ask(make_evidence(40, 1, labelled=False)).items()}
    assert {name for name, faces in eligible.items() if faces is not None and faces.any()} == {"eer", "tar@1e-2"}


def test_copies_among_unlabelled_photos_are_no_impostors() -> None:
    alone, doubled = (make_evidence(60, 1, labelled=False, outcomes=["missed"] * 60) for _ in range(2))
    for readings in (doubled.original, doubled.anonymized):
        for name in ("sface", "mobilefacenet"):
            readings[name]["embedding"][54:] = readings[name]["embedding"][:6]
    assert values(alone)["tar@1e-2"] == values(doubled)["tar@1e-2"] == 1.0
    assert values(doubled)["eer"] == 0.0


def test_own_originals_farther_than_strangers_are_no_better_than_chance() -> None:
    evidence = make_evidence(20, 2, noise=0.0)
    turned = evidence.original["sface"]["embedding"] * -1
    evidence.anonymized["sface"]["embedding"][:] = turned
    assert values(evidence)["eer"] == pytest.approx(0.0, abs=0.01)


def test_leaving_people_out_equals_never_having_had_them() -> None:
    evidence, half = make_evidence(20, 2, noise=2.5), np.repeat([1.0, 0.0], 20)
    original, released = (
        r["sface"]["embedding"][:20].astype(np.float64) for r in (evidence.original, evidence.anonymized)
    )
    distance, names = 1 - released @ original.T, evidence.truth.identity[:20]
    genuine, impostor = np.diag(distance), distance[names[:, None] != names[None, :]]
    steps = np.unique(np.concatenate([genuine, impostor]))
    gaps = [abs((impostor <= t).mean() - (genuine > t).mean()) for t in steps]
    t = steps[int(np.argmin(gaps))]
    expected = ((impostor <= t).mean() + (genuine > t).mean()) / 2
    assert ask(evidence)["eer"].compute(half) == pytest.approx(expected, abs=0.03)


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    evidence = make_evidence(15, 3, noise=3.0)
    rng = np.random.default_rng(0)
    weights = [np.ones(45), rng.integers(0, 3, 45).astype(float), 0.5 * np.ones(45)]
    forwards = [ask(evidence)["eer"].compute(w) for w in weights]
    statistic = ask(evidence)["eer"]
    assert [statistic.compute(w) for w in (*weights[::-1], *weights)][3:] == forwards


def test_unscored_faces_take_no_part() -> None:
    statistic = ask(make_evidence(10, 2, unscored=[3, 4]))["eer"]
    assert np.flatnonzero(~statistic.scored).tolist() == [3, 4]
    assert np.isfinite(statistic.compute(np.ones(20)))


def test_impostors_are_other_people() -> None:
    evidence = make_evidence(10, 4)
    names = evidence.truth.identity
    i, j = impostor_pairs(different(names.tolist()), 0, "d")
    assert len(i) == 40 * 36
    assert (names[i] != names[j]).all()


def test_unlabelled_faces_are_strangers_to_all_but_themselves() -> None:
    evidence = make_evidence(4, 1)
    truth = replace(evidence.truth, identity=np.array(["", "", "a", "a"]))
    same = ~strangers(replace(evidence, truth=truth)).different
    assert np.flatnonzero(same).tolist() == [0, 5, 10, 11, 14, 15]


def test_pairs_are_capped_seeded_and_the_same_for_every_method() -> None:
    apart = different([f"p{k}" for k in range(300)])
    i, j = impostor_pairs(apart, 0, "d", max_pairs=9000)
    again = impostor_pairs(apart, 0, "d", max_pairs=9000)
    other = impostor_pairs(apart, 1, "d", max_pairs=9000)
    assert np.bincount(i).max() == 30
    assert len(i) > 8600
    assert len({*zip(i.tolist(), j.tolist(), strict=True)}) == len(i)
    assert np.array_equal(j, again[1])
    assert not np.array_equal(j[:100], other[1][:100])


def test_distances_of_equal_rows_are_exactly_zero_and_others_are_cosine() -> None:
    evidence = make_evidence(5, 2)
    a, b = evidence.original["sface"]["embedding"], evidence.anonymized["sface"]["embedding"]
    assert (pair_distances(a, a, np.arange(10), np.arange(10)) == 0).all()
    i, j = np.divmod(np.arange(100), 10)
    assert pair_distances(a, b, i, j) == pytest.approx((1 - a.astype(float) @ b.astype(float).T).ravel(), abs=1e-6)


def test_embeddings_need_not_be_normalised() -> None:
    evidence, scaled = make_evidence(5, 2), make_evidence(5, 2)
    scaled.original["sface"]["embedding"][:] *= 7
    one, other = (next(a for a in attacks(e) if a.recogniser == "sface") for e in (evidence, scaled))
    assert one.own_distance == pytest.approx(other.own_distance, abs=1e-6)


def test_histogram_holds_every_pair_once() -> None:
    outcomes = ["anonymized"] * 25 + ["destroyed"] * 5
    found = next(v for v in Verification().ask(make_evidence(10, 3, outcomes=outcomes)) if isinstance(v, Histogram))
    assert sum(found.series["own original"]) == 30
    assert found.series["own original"][-1] == 5
    assert sum(found.series["other people's originals"]) == 30 * 27
    assert sum(found.series["same person, two originals"]) == 30
    assert len(found.edges) == len(found.series["own original"]) + 1


def test_unlabelled_sets_have_no_same_person_series() -> None:
    found = next(v for v in Verification().ask(make_evidence(10, 1, labelled=False)) if isinstance(v, Histogram))
    assert set(found.series) == {"own original", "other people's originals"}
