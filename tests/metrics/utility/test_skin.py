"""Skin tone: seen, alike, on target, lighter or darker."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mean_squared_error

from tests.metrics.utility.support import NAN, by_name, evidence_of, mean, unscored
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.settings import Settings
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_statistic
from unmask.bench.core.types import Outcome
from unmask.bench.core.values import SetStatistic
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.utility.skin import SkinTone, deviation

N = 40


@pytest.fixture
def evidence() -> Evidence:
    rng = np.random.default_rng(0)
    before, after = (
        {"r": r, "g": 0.8 * r + 3, "b": 0.6 * r + 9, "ita": r - 120}
        for r in rng.integers(80, 220, (2, N)).astype(float)
    )
    for column in after.values():
        column[:4] = NAN
    for column in before.values():
        column[-4:] = NAN
    return evidence_of(before, after, instrument="skin", settings=Settings(skin_target=(111, 55, 50)))


def rgb(columns: object) -> np.ndarray:
    return np.stack([columns[c] for c in "rgb"], axis=1).astype(float)  # type: ignore[index]


def test_squared_differences_against_scikit_learn(evidence: Evidence) -> None:
    found = by_name(SkinTone().ask(evidence))
    tones = rgb(evidence.anonymized["skin"])[4:]
    to_average = mean_squared_error(tones, np.tile(tones.mean(axis=0), (N - 4, 1)))
    to_target = mean_squared_error(tones, np.tile([111.0, 55.0, 50.0], (N - 4, 1)))
    assert mean(found["skin_mse"]) == pytest.approx(to_average, rel=1e-9)
    assert mean(found["skin_target_mse"]) == pytest.approx(to_target, rel=1e-9)
    assert unscored(found["skin_mse"]) == 4


def test_the_share_estimated_is_over_all_faces(evidence: Evidence) -> None:
    estimated = by_name(SkinTone().ask(evidence))["skin_estimated"]
    assert mean(estimated) == (N - 4) / N
    assert unscored(estimated) == 0


def test_average_tone_and_its_deviation(evidence: Evidence) -> None:
    found = by_name(SkinTone().ask(evidence))
    before, after = rgb(evidence.original["skin"]), rgb(evidence.anonymized["skin"])
    both = slice(4, -4)
    for index, (c, target) in enumerate(zip("rgb", (111, 55, 50), strict=True)):
        assert mean(found[f"skin_{c}"]) == pytest.approx(after[4:, index].mean())
        shift, off = found[f"skin_deviation_{c}"], found[f"skin_target_deviation_{c}"]
        assert (shift.scored.sum(), off.scored.sum()) == (N - 8, N - 4)
        old, new = before[both, index].mean(), after[both, index].mean()
        assert shift.compute(shift.scored.astype(float)) == pytest.approx((new - old) / old * 100)
        assert off.compute(off.scored.astype(float)) == pytest.approx((after[4:, index].mean() - target) / target * 100)


def test_an_average_that_does_not_move_has_an_interval_that_begins_at_zero() -> None:
    """No sample has a shift of exactly 0, and none of its replicates: the interval comes from the signed shift."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        before = rng.normal(150, 20, 50)
        compute = deviation(before + rng.normal(0, 10, 50), before)
        statistic = SetStatistic("m", "i", compute, np.ones(50, np.bool_), magnitude=True)
        (found,) = estimates(replicate_statistic(statistic, ClusterResamples(np.arange(50), 200, seed)), (0.0, None))
        assert found.value > 0
        covered += found.low == 0
    assert covered >= 53


def test_a_weight_of_two_is_the_face_twice(evidence: Evidence) -> None:
    deviation = by_name(SkinTone().ask(evidence))["skin_target_deviation_r"]
    weights = np.zeros(N)
    weights[[5, 6, 7]] = [2, 1, 0]
    r = evidence.anonymized["skin"]["r"].astype(float)
    assert deviation.compute(weights) == pytest.approx(((2 * r[5] + r[6]) / 3 - 111) / 111 * 100)
    assert deviation.magnitude
    assert np.isnan(deviation.compute(np.zeros(N)))


def test_lightness(evidence: Evidence) -> None:
    found = by_name(SkinTone().ask(evidence))
    before, after = evidence.original["skin"]["ita"], evidence.anonymized["skin"]["ita"]
    assert mean(found["ita"]) == pytest.approx(float(np.nanmean(after)))
    np.testing.assert_allclose(found["ita_change"].values, after - before)
    assert unscored(found["ita_change"]) == 8


def test_without_a_target_there_is_nothing_to_compare_with_it() -> None:
    found = by_name(SkinTone().ask(make_evidence()))
    assert not [name for name in found if "target" in name]
    assert "skin_deviation_g" in found


def test_no_skin_at_all_is_nan_not_an_error() -> None:
    evidence = make_evidence(n_people=3, photos_each=1, outcomes=[Outcome.DESTROYED] * 3)
    found = by_name(SkinTone().ask(evidence))
    assert found["skin_estimated"].values.tolist() == [0, 0, 0]
    assert np.isnan(found["skin_mse"].values).all()
    assert not found["skin_deviation_r"].scored.any()
    assert np.isnan(found["skin_deviation_r"].compute(np.zeros(3)))


def test_the_control_does_not_move_the_tone() -> None:
    found = by_name(SkinTone().ask(make_evidence(noise=0)))
    assert found["skin_deviation_b"].compute(np.ones(36)) == 0
    assert mean(found["ita_change"]) == 0
