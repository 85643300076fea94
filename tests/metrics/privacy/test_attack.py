"""Which faces an attacker compares: what is found again, the known place, moved and copied faces, and any look."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.support.evidence import make_evidence
from unmask.bench.core.evidence import ANY_LOOK, KNOWN_PLACE, Evidence
from unmask.bench.core.types import Outcome
from unmask.metrics.privacy.attack import Attack, attacks
from unmask.metrics.privacy.deid_rate import DeidRate


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
