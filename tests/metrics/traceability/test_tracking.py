"""Tracking scores of made-up clips: what they are asked against, which clips count, and intervals over clips."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.video import Clip, video_evidence
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic
from unmask.bench.core.video import Tracks
from unmask.metrics.traceability.tracking import Tracking
from unmask.metrics.traceability.tracking_scores import combined, overlaps, sequence_counts

FRAMES = 10
NAMES = ("hota", "deta", "assa", "idf1", "mota", "id_switches")


def standing(*people: int, first: int = 0, last: int = FRAMES) -> Tracks:
    """People who stand still, far from each other, in frames ``first`` to ``last`` - 1."""
    rows = [(f, p) for f in range(first, last) for p in people]
    frame, track = np.array(rows, np.int64).reshape(-1, 2).T
    return Tracks.sorted(frame, track, np.array([(100 * p, 50, 30, 60) for _, p in rows]))


def renamed(tracks: Tracks, old: int, new: int, since: int) -> Tracks:
    track = np.where((tracks.track == old) & (tracks.frame >= since), new, tracks.track)
    return Tracks.sorted(tracks.frame, track, tracks.box)


def clip(output: Tracks | None, *, original: Tracks | None = None, truth: Tracks | None = None) -> Clip:
    return Clip(
        (),
        frames=FRAMES,
        people={"deepsort": standing(1, 2) if original is None else original},
        people_output={} if output is None else {"deepsort": output},
        truth=truth,
    )


def asked(evidence: Evidence) -> dict[str, SetStatistic]:
    found = list(Tracking().ask(evidence))
    assert all(isinstance(item, SetStatistic) for item in found)
    return {item.metric: item for item in found if isinstance(item, SetStatistic)}


def value(item: SetStatistic, weights: Float | None = None) -> float:
    used = item.scored if item.eligible is None else item.scored & item.eligible
    return item.compute(used.astype(float) if weights is None else weights * used)


def test_the_same_tracks_under_other_numbers_are_perfect() -> None:
    same = Tracks.sorted(standing(1, 2).frame, standing(1, 2).track + 70, standing(1, 2).box)
    scores = asked(video_evidence([clip(same, truth=standing(1, 2))]))
    assert set(scores) == {name + ending for name in NAMES for ending in ("", "_original")}
    for name, item in scores.items():
        assert value(item) == (0 if name.startswith("id_switches") else 1)
        assert (item.instrument, item.unit, item.region) == ("deepsort", "clip", "image")


def test_a_person_lost_and_a_track_renamed_by_hand() -> None:
    """Of two people in 10 frames one is not found, the other goes on under another track after 4 of them."""
    output = renamed(standing(1), 1, 9, since=4)
    scores = asked(video_evidence([clip(output, truth=standing(1, 2))]))
    assert value(scores["deta"]) == pytest.approx(10 / 20)
    # Frames 0-3 share 4 of 10 boxes with their person, frames 4-9 share 6 of 10.
    assert value(scores["assa"]) == pytest.approx((4 * 0.4 + 6 * 0.6) / 10)
    assert value(scores["hota"]) == pytest.approx(math.sqrt(0.5 * 0.52))
    assert value(scores["idf1"]) == pytest.approx(2 * 6 / (20 + 10))
    assert value(scores["mota"]) == pytest.approx(1 - (10 + 0 + 1) / 20)
    assert value(scores["id_switches"]) == 1


def test_mota_goes_below_nothing() -> None:
    scores = asked(video_evidence([clip(standing(2, 3, 4), truth=standing(1))]))
    assert value(scores["mota"]) == pytest.approx(1 - (10 + 30) / 10)


def test_truth_and_original_are_different_references() -> None:
    scores = asked(video_evidence([clip(standing(1), original=standing(1), truth=standing(1, 2))]))
    assert value(scores["idf1_original"]) == 1
    assert value(scores["idf1"]) == pytest.approx(2 * 10 / 30)


def test_which_clips_are_asked_about() -> None:
    evidence = video_evidence(
        [
            clip(standing(1, 2), truth=standing(1, 2)),
            clip(standing(1, 2)),
            clip(standing(1, 2), original=Tracks.none(), truth=standing(1)),
            clip(None, truth=standing(1)),
        ]
    )
    scores = asked(evidence)
    truth, original = scores["hota"], scores["hota_original"]
    assert truth.eligible is not None
    assert truth.eligible.tolist() == [True, False, True, True]
    assert truth.scored.tolist() == [True, False, True, False]
    assert original.eligible is not None
    assert original.eligible.tolist() == [True, True, False, True]
    assert original.scored.tolist() == [True, True, False, False]


def test_without_truth_only_the_original_is_compared_with() -> None:
    assert set(asked(video_evidence([clip(standing(1))]))) == {f"{name}_original" for name in NAMES}
    assert asked(video_evidence([clip(standing(1), original=Tracks.none())])) == {}
    assert asked(video_evidence([])) == {}


def test_an_output_that_shows_nobody_is_a_failure_not_a_gap() -> None:
    scores = asked(video_evidence([clip(Tracks.none())]))
    assert scores["idf1_original"].scored.all()
    assert [value(scores[f"{name}_original"]) for name in NAMES] == [0, 0, 0, 0, 0, 0]


def test_weights_draw_clips() -> None:
    outputs = [standing(1, 2), standing(1), Tracks.none()]
    scores = asked(video_evidence([clip(output) for output in outputs]))
    counts = [sequence_counts(standing(1, 2), output, FRAMES) for output in outputs]
    for weights in (np.array([2.0, 0.0, 1.0]), np.array([0.0, 3.0, 0.0])):
        several = np.stack([c for c, w in zip(counts, weights, strict=True) for _ in range(int(w))])
        drawn = combined(several, np.ones(len(several)))
        for name, expected in zip(NAMES, drawn, strict=True):
            assert value(scores[f"{name}_original"], weights) == pytest.approx(expected, abs=1e-12)
    assert math.isnan(value(scores["hota_original"], np.zeros(3)))


def test_each_tracker_has_its_own_scores() -> None:
    both = Clip(
        (),
        frames=FRAMES,
        people={"deepsort": standing(1, 2), "sort": standing(1)},
        people_output={"deepsort": standing(1), "sort": standing(1)},
    )
    found = {(i.metric, i.instrument): i for i in Tracking().ask(video_evidence([both])) if isinstance(i, SetStatistic)}
    assert value(found["idf1_original", "sort"]) == 1
    assert value(found["idf1_original", "deepsort"]) == pytest.approx(2 * 10 / 30)


def test_bad_tracks_are_bugs() -> None:
    with pytest.raises(ValueError, match="frames 0 to 9, of 5"):
        sequence_counts(standing(1), Tracks.none(), 5)
    twice = Tracks.sorted([0, 0], [1, 1], np.ones((2, 4)))
    with pytest.raises(ValueError, match="two boxes in one frame"):
        sequence_counts(standing(1), twice, FRAMES)


def test_boxes_without_an_area_overlap_with_nothing() -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 2, 0, 5], [2, 2, -4, -4]], np.float32)
    np.testing.assert_array_equal(overlaps(boxes, boxes), np.diag([1.0, 0, 0]))
    assert overlaps(boxes[:0], boxes).shape == (0, 3)
