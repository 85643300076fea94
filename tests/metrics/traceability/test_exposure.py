"""Privacy over time: one frame is enough, every frame counts, and nothing drops out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.video import RECOGNISER, Clip, Face, released, video_evidence
from unmask.bench.core.evidence import KNOWN_PLACE, Evidence
from unmask.bench.core.exposure import exposed, longest_run, own_distances, strangers_matched
from unmask.bench.core.types import Outcome
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.metrics.traceability.exposure import Exposure


def asked(evidence: Evidence) -> dict[str, UnitValues | SetStatistic]:
    return {item.metric: item for item in Exposure().ask(evidence)}


def values(evidence: Evidence, metric: str) -> list[float]:
    item = asked(evidence)[metric]
    assert isinstance(item, UnitValues)
    return item.values.tolist()


def test_strangers_are_the_pairs_of_one_frame() -> None:
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 12, 60)
    seen = rng.normal(size=(60, 3)).astype(np.float32)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    seen[7] = np.nan
    readable = [
        float(1 - seen[a] @ seen[b]) for a in range(60) for b in range(a) if frames[a] == frames[b] and 7 not in (a, b)
    ]
    expected = (sum(distance <= 0.4 for distance in readable), len(readable))
    assert 0 < expected[0] < expected[1]
    assert strangers_matched(frames, seen, 0.4) == expected
    assert strangers_matched(frames, seen, float("nan")) == (0, 0)


def test_one_exposed_frame_among_many_exposes_the_track() -> None:
    faces = [Face(frame, 0, distance=0.9) for frame in range(9)] + [Face(9, 0, distance=0.3)]
    evidence = video_evidence([Clip([*faces, *(Face(k, 1, distance=0.9) for k in range(10))])])
    assert values(evidence, "tracks_exposed") == [1.0, 0.0]
    assert values(evidence, "frames_exposed") == [1.0, 0.0]
    assert values(evidence, "longest_exposure") == pytest.approx([0.1, 0.0])


@pytest.mark.parametrize("outcome", [Outcome.MISSED, Outcome.ERROR])
def test_a_missed_or_failed_frame_is_exposed_whatever_the_distance(outcome: Outcome) -> None:
    evidence = video_evidence([Clip([Face(0, 0, 0.9), Face(1, 0, 0.9, outcome)])])
    assert values(evidence, "tracks_exposed") == [1.0]


@pytest.mark.parametrize("known", [None, 0.9])
def test_a_destroyed_face_that_nothing_matches_is_scored_and_not_exposed(known: float | None) -> None:
    evidence = video_evidence([Clip([Face(k, 0, 0.0, Outcome.DESTROYED, known=known) for k in range(3)])])
    assert values(evidence, "tracks_exposed") == [0.0]


@pytest.mark.parametrize("outcome", [Outcome.DESTROYED, Outcome.ANONYMIZED])
def test_a_match_at_the_originals_place_exposes_whether_a_face_is_found_or_not(outcome: Outcome) -> None:
    evidence = video_evidence([Clip([Face(k, 0, 0.9, outcome, known=0.3 if k == 4 else 0.9) for k in range(9)])])
    assert values(evidence, "tracks_exposed") == [1.0]
    assert values(evidence, "frames_exposed") == [1.0]


def test_chance_has_the_same_two_tries() -> None:
    clips = [Clip([Face(k, 0, distance=0.9, known=0.9) for k in range(10)]) for _ in range(60)]
    both = video_evidence(clips)
    again = released(both, known_place=np.full_like(both.anonymized[RECOGNISER][KNOWN_PLACE], np.nan))
    chances = []
    for evidence in (both, again):
        item = asked(evidence)["tracks_exposed"]
        assert isinstance(item, UnitValues)
        assert item.chance is not None
        chances.append(item.chance)
    assert chances[0] > chances[1] > 0


def test_a_track_that_no_frame_of_can_be_read_is_unscored_not_safe() -> None:
    evidence = video_evidence([Clip([Face(k, 0, readable=False) for k in range(3)])])
    assert np.isnan(values(evidence, "tracks_exposed")).all()


def test_unreadable_frames_do_not_hide_an_exposed_one() -> None:
    evidence = video_evidence([Clip([Face(0, 0, readable=False), Face(1, 0, distance=0.1)])])
    assert values(evidence, "tracks_exposed") == [1.0]


def test_without_a_threshold_nothing_is_measured() -> None:
    evidence = video_evidence([Clip([Face(0, 0, distance=0.1)])])
    assert np.isnan(values(replace(evidence, operating_points={}), "tracks_exposed")).all()


def test_the_interval_covers_the_thresholds_own() -> None:
    evidence = video_evidence([Clip([Face(0, 0, distance=0.45)])])
    item = asked(evidence)["tracks_exposed"]
    assert isinstance(item, UnitValues)
    assert item.values.tolist() == [1.0]
    assert [other.tolist() for other in item.alternatives] == [[0.0], [1.0]]  # at 0.4 and at 0.6


def test_the_four_outcomes_of_frames_add_up_to_one() -> None:
    kinds = [Outcome.ANONYMIZED, Outcome.MISSED, Outcome.DESTROYED, Outcome.ERROR, Outcome.MISSED]
    evidence = video_evidence([Clip([Face(k, 0, 0.9, kind) for k, kind in enumerate(kinds)]), Clip([Face(0, 0, 0.9)])])
    found = asked(evidence)
    weights = np.ones(2)
    shares = {}
    for outcome in Outcome:
        item = found[f"frames_{outcome.value}"]
        assert isinstance(item, SetStatistic)
        shares[outcome] = item.compute(weights)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares[Outcome.MISSED] == pytest.approx(2 / 6)
    missed = found["frames_missed"]
    assert isinstance(missed, SetStatistic)
    assert missed.compute(np.array([1.0, 5.0])) == pytest.approx(2 / 10)  # the second clip's track drawn five times
    assert values(evidence, "tracks_missed") == [1.0, 0.0]


def test_chance_is_about_the_share_of_strangers_within_the_threshold() -> None:
    rng = np.random.default_rng(1)
    clips = [Clip([Face(k, 0, distance=float(rng.uniform(0.8, 1.2))) for k in range(10)]) for _ in range(12)]
    evidence = video_evidence(clips)
    item = asked(evidence)["tracks_exposed"]
    assert isinstance(item, UnitValues)
    # An independent count over all pairs of clips: the definition, without drawing partners.
    hits = []
    outputs = evidence.anonymized[RECOGNISER]["embedding"].reshape(12, 10, -1)
    originals = evidence.original[RECOGNISER]["embedding"].reshape(12, 10, -1)
    for a, one in enumerate(outputs):
        for b, other in enumerate(originals):
            if a != b:
                cosine = np.einsum("nd,nd->n", one, other)
                hits.append(bool((1 - cosine <= 0.5).any()))
    assert item.chance == pytest.approx(np.mean(hits), abs=1e-9)


def test_chance_is_not_measured_with_one_clip() -> None:
    item = asked(video_evidence([Clip([Face(0, 0), Face(0, 1)])]))["tracks_exposed"]
    assert isinstance(item, UnitValues)
    assert item.chance is None


def test_a_clip_without_faces_is_no_obstacle() -> None:
    assert values(video_evidence([Clip([]), Clip([Face(0, 0, 0.1)])]), "tracks_exposed") == [1.0]
    assert values(video_evidence([Clip([])]), "tracks_exposed") == []


def test_a_run_breaks_where_the_face_is_not_seen() -> None:
    seconds = np.arange(6) / 2.0
    frames = np.array([0, 1, 3, 4, 5])
    assert longest_run(seconds, frames, np.ones(5)) == pytest.approx(1.5)
    assert longest_run(seconds, frames, np.array([1.0, 1.0, 0.0, 1.0, np.nan])) == pytest.approx(1.0)
    assert longest_run(seconds, frames, np.zeros(5)) == 0.0


def test_a_run_is_counted_in_seconds_where_the_rate_varies() -> None:
    seconds = np.array([0.0, 1.0, 1.5, 4.0])
    assert longest_run(seconds, np.arange(4), np.array([0.0, 1.0, 1.0, 0.0])) == pytest.approx(3.0)


def test_distances_agree_with_the_cosine() -> None:
    evidence = video_evidence([Clip([Face(k, 0, distance=0.1 * k) for k in range(9)])])
    np.testing.assert_allclose(own_distances(evidence, RECOGNISER), 0.1 * np.arange(9), atol=1e-6)
    assert exposed(np.array([0.5, 0.51, np.nan]), 0.5).tolist()[:2] == [1.0, 0.0]
