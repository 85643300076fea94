"""Consistency over time: one new face per person, flicker, movement."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

from tests.support.video import RECOGNISER, Clip, Face, at_distance, released, video_evidence
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Outcome
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.metrics.traceability.consistency import IdentityStability, Motion, kept_share, trajectory_correlation


def values(metric: IdentityStability | Motion, evidence: Evidence, name: str) -> list[float]:
    item = next(item for item in metric.ask(evidence) if item.metric == name)
    assert isinstance(item, UnitValues)
    return item.values.tolist()


def test_kept_share_counts_pairs() -> None:
    rng = np.random.default_rng(0)
    unit = np.eye(32, dtype=np.float32)[0]
    near = np.stack([unit, at_distance(unit, 0.1, rng), at_distance(unit, 1.0, rng), np.full(32, np.nan, np.float32)])
    assert kept_share(near, 0.3) == pytest.approx(1 / 3)
    assert np.isnan(kept_share(near[:1], 0.3))
    assert np.isnan(kept_share(near, float("nan")))


def test_a_long_track_is_sampled_evenly() -> None:
    rows = np.repeat(np.eye(32, dtype=np.float32)[:2], 500, axis=0)
    # Half of the frames show one face, half another: pairs within a half are (2 x C(100, 2)) of C(200, 2).
    assert kept_share(rows, 0.1) == pytest.approx(2 * 4950 / 19900)


def test_a_steady_new_face_is_kept_and_a_changing_one_is_not() -> None:
    changing = video_evidence([Clip([Face(k, 0, distance=1.0) for k in range(8)])])
    steady = np.repeat(changing.anonymized[RECOGNISER]["embedding"][:1], 8, axis=0)
    assert values(IdentityStability(), released(changing, embedding=steady), "identity_kept") == [1.0]
    assert values(IdentityStability(), changing, "identity_kept")[0] < 0.2
    assert values(IdentityStability(), changing, "identity_kept_original") == [1.0]


def test_everybody_given_one_face_is_told() -> None:
    evidence = video_evidence([Clip([Face(k, 0) for k in range(3)]) for _ in range(4)])
    same = released(evidence, embedding=np.repeat(np.eye(32, dtype=np.float32)[:1], 12, axis=0))
    assert values(IdentityStability(), same, "identity_shared") == [1.0] * 4
    assert np.mean(values(IdentityStability(), evidence, "identity_shared")) < 0.3


def test_shared_faces_need_a_second_clip() -> None:
    evidence = video_evidence([Clip([Face(0, 0), Face(1, 0), Face(0, 1)])])
    assert np.isnan(values(IdentityStability(), evidence, "identity_shared")).all()


def test_correlation_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(0, 4, (12, 5, 2)).astype(np.float32)
    b = (a + rng.normal(0, 4, a.shape)).astype(np.float32)
    expected = np.mean([pearsonr(a[:, i, j], b[:, i, j]).statistic for i in range(5) for j in range(2)])
    assert trajectory_correlation(a, b) == pytest.approx(expected, abs=1e-6)


def test_correlation_leaves_out_what_does_not_move_and_counts_what_stands_still() -> None:
    moving = np.zeros((8, 5, 2), np.float32)
    moving[..., 0] = np.arange(8)[:, None] * 2
    assert trajectory_correlation(moving, moving) == pytest.approx(1.0)
    assert trajectory_correlation(moving, np.zeros_like(moving)) == 0.0
    assert np.isnan(trajectory_correlation(np.zeros_like(moving), moving))
    gone = moving.copy()
    gone[:4] = np.nan
    assert np.isnan(trajectory_correlation(moving, gone))  # four frames are too few


def flicker(faces: list[Face]) -> float:
    item = next(item for item in Motion().ask(video_evidence([Clip(faces)])) if item.metric == "flicker")
    assert isinstance(item, SetStatistic)
    return item.compute(item.scored.astype(np.float64))


def test_flicker_is_a_ratio_to_the_originals_own() -> None:
    assert flicker([Face(0, 0), Face(1, 0, flicker=(2.0, 3.0)), Face(2, 0, flicker=(4.0, 9.0)), Face(0, 1)]) == 2.0
    assert np.isnan(flicker([Face(0, 0), Face(1, 0, flicker=(0.0, 1.0))])), "the original does not change"
    assert np.isnan(flicker([Face(0, 0)])), "one frame has none before it"


def test_one_still_face_does_not_decide_the_flicker_of_twenty_ordinary_ones() -> None:
    rng = np.random.default_rng(0)
    faces = [Face(0, track) for track in range(21)]
    for track in range(20):
        for frame in range(1, 10):
            change = rng.uniform(4, 8)
            faces.append(Face(frame, track, flicker=(change, change + rng.normal(0, 0.1))))
    faces += [Face(frame, 20, flicker=(0.001, 0.3)) for frame in range(1, 10)]  # three hundred times its own
    assert flicker(sorted(faces, key=lambda face: (face.frame, face.track))) == pytest.approx(1.0, abs=0.02)


def test_movement_of_destroyed_faces_is_not_measured() -> None:
    faces = [Face(k, 0, outcome=Outcome.DESTROYED) for k in range(8)] + [Face(k, 1) for k in range(8)]
    gone, kept = values(Motion(), video_evidence([Clip(faces)]), "landmark_correlation")
    assert np.isnan(gone)
    assert kept == pytest.approx(1.0)
