"""De-identification rates: who counts as what, thresholds, and what a missing threshold does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmask.bench.core.evidence import Evidence, OperatingPoint, point_at
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.deid_rate import DeidRate, DeidRateThesis


def ask(metric: DeidRate | DeidRateThesis, evidence: Evidence, recogniser: str = "sface") -> dict[str, UnitValues]:
    found = [v for v in metric.ask(evidence) if isinstance(v, UnitValues)]
    return {v.metric: v for v in found if v.instrument == recogniser}


def own_distances(evidence: Evidence, recogniser: str = "sface") -> Float:
    a = evidence.original[recogniser]["embedding"].astype(np.float64)
    b = evidence.anonymized[recogniser]["embedding"].astype(np.float64)
    similarity: Float = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    return 1 - similarity


def test_anonymized_faces_count_by_their_distance_to_their_own_original() -> None:
    evidence = make_evidence(10, 3, noise=1.4)
    found = ask(DeidRate(), evidence)
    distance = own_distances(evidence)
    for label, threshold in (("1e-2", 0.60), ("1e-3", 0.50), ("1e-4", 0.42)):
        expected = distance > threshold
        assert 0 < expected.mean() < 1
        assert np.array_equal(found[f"deid_rate@{label}"].values, expected.astype(float))


def test_every_outcome_counts() -> None:
    outcomes = ["anonymized"] * 2 + ["destroyed"] * 2 + ["missed"] * 2 + ["error"] * 2
    evidence = make_evidence(4, 2, noise=50.0, outcomes=outcomes)
    rate = ask(DeidRate(), evidence)["deid_rate@1e-3"]
    assert rate.values[2:].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    assert rate.chance_values is not None
    assert rate.chance_values[2:4].tolist() == [1.0, 1.0]
    assert rate.eligible is None


def test_the_control_scores_zero_and_destruction_one() -> None:
    for outcome, value in (("missed", 0.0), ("destroyed", 1.0), ("error", 0.0)):
        evidence = make_evidence(4, 2, outcomes=[outcome] * 8)
        for metric in (DeidRate(), DeidRateThesis()):
            rates = [v for name, v in ask(metric, evidence).items() if "detected" not in name]
            assert {tuple(r.values) for r in rates} == {(value,) * 8}


def test_faces_whose_original_cannot_be_read_are_unscored_whatever_became_of_them() -> None:
    evidence = make_evidence(2, 2, outcomes=["anonymized", "destroyed", "missed", "error"], unscored=range(4))
    assert np.isnan(ask(DeidRate(), evidence)["deid_rate@1e-3"].values).all()


def test_a_found_face_that_the_recogniser_cannot_read_is_unscored_not_private() -> None:
    evidence = make_evidence(3, 2)
    evidence.anonymized["sface"]["embedding"][1] = np.nan
    assert np.isnan(ask(DeidRate(), evidence)["deid_rate@1e-3"].values).tolist() == [False, True] + [False] * 4


def test_of_the_detected_asks_only_about_faces_found_again() -> None:
    evidence = make_evidence(2, 2, outcomes=["anonymized", "destroyed", "missed", "error"])
    detected = ask(DeidRate(), evidence)["deid_rate_detected@1e-3"]
    assert detected.eligible is not None
    assert detected.eligible.tolist() == [True, False, True, False]


def test_the_thresholds_own_uncertainty_is_handed_on() -> None:
    evidence = make_evidence(10, 3, noise=1.4)
    rate = ask(DeidRate(), evidence)["deid_rate@1e-3"]
    low, high = rate.alternatives  # at .46 more faces are beyond the threshold than at .53
    assert low.sum() >= rate.values.sum() >= high.sum()
    assert low.sum() > high.sum()


def test_without_calibration_nothing_is_scored() -> None:
    evidence = replace(make_evidence(3, 2), operating_points={})
    rate = ask(DeidRate(), evidence)["deid_rate@1e-3"]
    assert np.isnan(rate.values).all()
    assert rate.alternatives == ()


def test_points_are_found_by_rate() -> None:
    points = (OperatingPoint(0.001, 0.5, 0.4, 0.6),)
    assert point_at(points, 1e-3).threshold == 0.5
    assert np.isnan(point_at(points, 1e-4).threshold)


def test_thesis_rule_in_both_readings() -> None:
    evidence = make_evidence(10, 3, noise=0.8)
    found, distance = ask(DeidRateThesis(), evidence), own_distances(evidence)
    assert np.array_equal(found["deid_rate_thesis_cosine"].values, (distance > 0.3).astype(float))
    a, b = (r["sface"]["embedding"].astype(np.float64) for r in (evidence.original, evidence.anonymized))
    squared = ((a - b) ** 2).sum(axis=1)
    assert np.array_equal(found["deid_rate_thesis_l2"].values, (squared > 0.3).astype(float))
    assert 0 < found["deid_rate_thesis_cosine"].values.mean() < found["deid_rate_thesis_l2"].values.mean()


def stranger_distances(evidence: Evidence) -> tuple[Float, Bools]:
    """(N, N) from outputs to originals, and which pairs are of two people."""
    original, output = (r["sface"]["embedding"].astype(np.float64) for r in (evidence.original, evidence.anonymized))
    names = evidence.truth.identity
    return 1 - output @ original.T, names[:, None] != names[None, :]


def test_chance_is_the_share_of_strangers_that_the_very_outputs_do_not_match() -> None:
    evidence = make_evidence(40, 2, noise=1.0, dim=6)
    distance, strangers = stranger_distances(evidence)
    found = ask(DeidRate(), evidence) | ask(DeidRateThesis(), evidence)
    bars = {
        "deid_rate@1e-2": 0.6,
        "deid_rate@1e-3": 0.5,
        "deid_rate_detected@1e-3": 0.5,
        "deid_rate_thesis_cosine": 0.3,
    }
    for name, bar in (bars | {"deid_rate_thesis_l2": 0.15}).items():
        expected = [1 - (distance[i, strangers[i]] <= bar).mean() for i in range(80)]
        assert 0.5 < np.mean(expected) < 0.999
        assert found[name].chance_values == pytest.approx(expected)


def test_strangers_meet_the_same_candidates_as_the_own_original() -> None:
    """A second candidate that has nothing to do with the person raises what chance matches, and nothing else."""
    one, two = make_evidence(60, 1, noise=50.0, dim=4), make_evidence(60, 1, noise=50.0, dim=4, known_place=50.0)
    rates = [ask(DeidRate(), evidence)["deid_rate@1e-2"] for evidence in (one, two)]
    matched = [1 - r.values.mean() for r in rates]
    by_chance = [1 - np.mean(r.chance_values) for r in rates if r.chance_values is not None]
    assert by_chance[1] > by_chance[0] + 0.05
    assert matched == pytest.approx(by_chance, abs=0.12)


def test_every_recogniser_is_asked() -> None:
    instruments = {v.instrument for v in DeidRate().ask(make_evidence(2, 2)) if isinstance(v, UnitValues)}
    assert instruments == {"mobilefacenet", "sface"}
