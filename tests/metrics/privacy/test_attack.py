"""Which faces an attacker compares: what is found again, the known place, moved and copied faces, and any look."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import numpy as np
import pytest

from tests.support.video import RECOGNISER, Clip, Face, video_evidence
from unmask.bench.core.clips import NOT_MEASURED
from unmask.bench.core.evidence import ANY_LOOK, KNOWN_PLACE, Evidence
from unmask.bench.core.types import Outcome
from unmask.bench.core.values import UnitValues
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.attack import Attack, attacks
from unmask.metrics.privacy.deid_rate import DeidRate, OwnDistance
from unmask.metrics.privacy.identification import Identification
from unmask.metrics.privacy.outcome import OutcomeShares
from unmask.metrics.privacy.strangers import strangers


def attack(evidence: Evidence, name: str = "sface") -> Attack:
    return next(a for a in attacks(evidence) if a.recogniser == name)


def deidentified(evidence: Evidence, name: str = "sface") -> float:
    """NaN where no face could be scored."""
    rates = (v.values for v in DeidRate().ask(evidence) if v.metric == "deid_rate@1e-3" and v.instrument == name)
    scored = [value for value in next(rates) if np.isfinite(value)]
    return float(np.mean(scored)) if scored else float("nan")


def test_the_nearest_candidate_counts_for_the_own_original_and_for_strangers() -> None:
    evidence = make_evidence(10, 2, noise=3.0, known_place=2.0)
    original = evidence.original["sface"]["embedding"].astype(float)
    candidates = [evidence.anonymized["sface"][c].astype(float) for c in ("embedding", KNOWN_PLACE)]
    expected = np.minimum(*(1 - rows @ original.T for rows in candidates))
    assert attack(evidence).own_distance == pytest.approx(np.diag(expected), abs=2e-6)
    i, j = (np.ravel(x).astype(np.int64) for x in np.indices((20, 20)))
    shaken = np.random.default_rng(0).permutation(400)
    assert attack(evidence).distances(i[shaken], j[shaken]) == pytest.approx(expected.ravel()[shaken], abs=2e-6)


def test_a_destroyed_face_is_private_only_if_its_place_does_not_match_either() -> None:
    outcomes = [Outcome.DESTROYED] * 20
    assert deidentified(make_evidence(10, 2, outcomes=outcomes)) == 1.0
    assert deidentified(make_evidence(10, 2, outcomes=outcomes, known_place=0.1)) == 0.0
    assert deidentified(make_evidence(10, 2, outcomes=outcomes, known_place=30.0)) == 1.0


def test_a_missed_face_is_measured_like_any_other() -> None:
    evidence = make_evidence(10, 2, outcomes=[Outcome.MISSED] * 20)
    assert deidentified(evidence) == 0.0
    changed = make_evidence(10, 2, outcomes=[Outcome.MISSED] * 20)
    changed.anonymized["sface"]["embedding"][:] = np.roll(changed.original["sface"]["embedding"], 2, axis=0)
    assert deidentified(changed) == 1.0
    changed = make_evidence(10, 2, outcomes=[Outcome.MISSED] * 20)
    changed.anonymized["sface"]["embedding"][:] = np.nan
    assert np.isnan(deidentified(changed))


def test_an_error_releases_the_original_whatever_was_read() -> None:
    evidence = make_evidence(5, 2, outcomes=[Outcome.ERROR] * 10)
    assert (attack(evidence).own_distance == 0).all()
    evidence.anonymized["sface"]["embedding"][:] = np.roll(evidence.original["sface"]["embedding"], 2, axis=0)
    again = dataclasses.replace(evidence)
    assert deidentified(again) == 0.0
    rows = evidence.original["sface"]["embedding"].astype(float)
    i, j = np.zeros(10, np.int64), np.arange(10)
    assert attack(again).distances(i, j) == pytest.approx(1 - rows[0] @ rows.T, abs=2e-6)


def test_a_face_moved_elsewhere_in_its_photo_is_still_matched() -> None:
    """The place is destroyed; the face stands in a corner."""
    outcomes = [Outcome.DESTROYED] * 20
    moved = make_evidence(10, 2, outcomes=outcomes, extra={k: k for k in range(20)})
    assert (attack(moved).own_distance == 0).all()
    assert deidentified(moved) == 0.0
    pasted = make_evidence(10, 2, outcomes=outcomes, extra={k: (k + 2) % 20 for k in range(20)})
    assert deidentified(pasted) == 1.0
    shares = next(v.chance_values for v in DeidRate().ask(pasted) if v.instrument == "sface")
    assert shares is not None
    assert (shares < 1).all()  # each matches the stranger who was pasted in


def test_any_look_undoes_a_cloak_and_pays_for_its_looks_by_chance() -> None:
    cloaked = make_evidence(40, 1, noise=50.0, known_place=50.0, looks={"blurred": 0.2}, dim=8)
    assert deidentified(cloaked) > 0.6
    assert deidentified(cloaked, "sface" + ANY_LOOK) == 0.0
    chance = {
        v.instrument: float(np.mean(v.chance_values))
        for v in DeidRate().ask(cloaked)
        if v.metric == "deid_rate@1e-3" and v.chance_values is not None
    }
    assert chance["sface" + ANY_LOOK] < chance["sface"]


def test_any_look_is_asked_only_where_looks_were_read() -> None:
    names = {a.recogniser for a in attacks(make_evidence(3, 1, known_place=1.0))}
    assert names == {"mobilefacenet", "sface"}
    looked = make_evidence(3, 1, known_place=1.0, looks={})
    for column in [c for c in looked.anonymized["mobilefacenet"] if c.startswith("look:")]:
        del looked.anonymized["mobilefacenet"][column]  # type: ignore[attr-defined]
    assert {a.recogniser for a in attacks(looked)} == {"mobilefacenet", "sface", "sface" + ANY_LOOK}


def test_distances_do_not_depend_on_whether_they_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [rows.copy() for _, rows in attack(make_evidence(30, 2, known_place=1.0)).blocks()]
    monkeypatch.setattr("unmask.metrics.privacy.attack.KEPT_FACES", 0)
    again = [rows for _, rows in attack(make_evidence(30, 2, known_place=1.0)).blocks()]
    np.testing.assert_array_equal(np.concatenate(kept), np.concatenate(again))


def of_clips() -> Evidence:
    """Two clips with two tracks each, and one that could not be written."""
    near, far = {"distance": 0.3, "known": 0.9}, {"distance": 0.9, "known": 0.9}
    clips = [
        Clip([Face(0, 0, **near), Face(1, 0, **far), Face(0, 1, **far), Face(1, 1, outcome=Outcome.DESTROYED)]),
        Clip([Face(0, 0, **far), Face(1, 0, **far), Face(0, 1, **far), Face(1, 1, 0.9, Outcome.MISSED, known=0.0)]),
    ]
    return video_evidence(clips)


def scored(items: Iterable[object], metric: str) -> list[float]:
    (found,) = [item.values for item in items if isinstance(item, UnitValues) and item.metric == metric]
    return [float(value) for value in found]


def test_metrics_of_photos_take_every_face_in_every_frame() -> None:
    evidence = of_clips()
    # By frame, then track: the near one, the second track, the first one again, destroyed; all far but the missed one.
    assert scored(DeidRate().ask(evidence), "deid_rate@1e-3") == [0, 1, 1, 1, 1, 1, 1, 0]
    assert scored(OutcomeShares().ask(evidence), "outcome_missed") == [0, 0, 0, 0, 0, 0, 0, 1]
    assert scored(OwnDistance().ask(evidence), "own_distance")[:3] == pytest.approx([0.3, 0.9, 0.9], abs=1e-5)
    ranks = scored(Identification().ask(evidence), "rank1_cross_photo")
    assert np.isfinite(ranks).all(), "each person is in a second frame"
    assert ranks[0] == 1.0


def test_faces_of_one_clip_are_never_strangers() -> None:
    evidence = of_clips()
    different = strangers(evidence).different
    np.testing.assert_array_equal(different, evidence.clips.clip[:, None] != evidence.clips.clip[None, :])


def test_a_clip_that_was_not_written_is_not_measured() -> None:
    evidence = of_clips()
    (readings,) = evidence.anonymized.values()
    unwritten = dataclasses.replace(
        evidence,
        outcome=np.full(8, NOT_MEASURED),
        anonymized={RECOGNISER: {name: np.full_like(rows, np.nan) for name, rows in readings.items()}},
    )
    for metric in (DeidRate(), OutcomeShares(), OwnDistance(), Identification()):
        for item in metric.ask(unwritten):
            assert not isinstance(item, UnitValues) or np.isnan(item.values).all()
