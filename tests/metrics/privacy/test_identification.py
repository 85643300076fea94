"""Identification attack against brute force, and who is asked."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.values import UnitValues
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.identification import Identification


def ask(evidence: Evidence, recogniser: str = "sface") -> dict[str, UnitValues]:
    found = [v for v in Identification().ask(evidence) if isinstance(v, UnitValues)]
    return {v.metric: v for v in found if v.instrument == recogniser}


def brute_force(evidence: Evidence, k: int, same_photo: bool) -> list[float]:
    gallery, probes = (r["sface"]["embedding"].astype(float) for r in (evidence.original, evidence.anonymized))
    out = []
    for i, probe in enumerate(probes):
        entries = [j for j in range(len(gallery)) if same_photo or evidence.faces.sample[j] != evidence.faces.sample[i]]
        nearest = sorted(entries, key=lambda j: 1 - probe @ gallery[j])[:k]
        names = evidence.truth.identity
        out.append(float(any(names[j] == names[i] for j in nearest)))
    return out


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("protocol", ["same_photo", "cross_photo"])
def test_equals_brute_force(k: int, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmask.metrics.privacy.attack.FACES_AT_ONCE", 13)
    evidence = make_evidence(12, 3, noise=2.5)
    expected = brute_force(evidence, k, protocol == "same_photo")
    assert 0 < np.mean(expected) < 1
    assert ask(evidence)[f"rank{k}_{protocol}"].values.tolist() == expected


def test_control_is_found_in_its_own_photo_always_and_elsewhere_nearly_always() -> None:
    found = ask(make_evidence(12, 3, outcomes=["missed"] * 36))
    assert found["rank1_same_photo"].values.mean() == 1.0
    assert found["rank1_cross_photo"].values.mean() > 0.9


def test_destroyed_faces_are_never_found_and_errors_always() -> None:
    found = ask(make_evidence(3, 2, outcomes=["destroyed"] * 3 + ["error"] * 3))
    for values in found.values():
        assert values.values.tolist() == [0.0] * 3 + [1.0] * 3


def test_cross_photo_asks_only_people_with_another_photo() -> None:
    alone = ask(make_evidence(6, 1))["rank1_cross_photo"]
    assert alone.eligible is not None
    assert not alone.eligible.any()
    assert alone.chance is None
    unlabelled = ask(make_evidence(6, 2, labelled=False))["rank1_cross_photo"]
    assert unlabelled.eligible is not None
    assert not unlabelled.eligible.any()


def test_a_face_whose_other_photo_cannot_be_read_is_unscored_not_safe() -> None:
    evidence = make_evidence(4, 2)
    evidence.original["sface"]["embedding"][1] = np.nan
    found = ask(evidence)["rank1_cross_photo"]
    assert found.eligible is not None
    assert found.eligible.all()
    assert np.flatnonzero(np.isnan(found.values)).tolist() == [0, 1]


def test_chance_follows_from_the_gallery() -> None:
    found = ask(make_evidence(10, 3))
    assert found["rank1_same_photo"].chance == pytest.approx(3 / 30)
    assert found["rank5_same_photo"].chance == pytest.approx(1 - np.prod([(27 - t) / (30 - t) for t in range(5)]))
    assert found["rank1_cross_photo"].chance == pytest.approx(2 / 29)
    assert found["rank5_cross_photo"].chance == pytest.approx(1 - (24 * 23) / (29 * 28))


def test_another_photo_of_the_person_is_the_right_person() -> None:
    evidence = make_evidence(10, 2)
    for name in ("sface", "mobilefacenet"):
        rows = evidence.original[name]["embedding"]
        evidence.anonymized[name]["embedding"][:] = rows[np.arange(20) ^ 1]
    assert ask(evidence)["rank1_same_photo"].values.tolist() == [1.0] * 20


def test_a_likely_repeat_of_an_unlabelled_person_is_neither_right_nor_wrong() -> None:
    evidence = make_evidence(10, 2, labelled=False, photo_noise=0.4)
    for name in ("sface", "mobilefacenet"):
        rows = evidence.original[name]["embedding"]
        evidence.anonymized[name]["embedding"][:] = rows[np.arange(20) ^ 1]
    assert ask(evidence)["rank1_same_photo"].values.mean() > 0.8
    assert ask(evidence)["rank1_same_photo"].chance == pytest.approx(1 / 19, abs=0.002)


def test_unrelated_outputs_score_about_chance() -> None:
    found = ask(make_evidence(60, 3, noise=100.0))["rank5_same_photo"]
    assert found.chance is not None
    assert found.values.mean() == pytest.approx(found.chance, abs=0.05)
