"""What is said about a data set and about methods that look private without being so; and when nothing is said."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.values import Finding
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.findings import realised_rate
from unmask.metrics.privacy.stranger_match import StrangerMatch

NAMES = ("mobilefacenet", "sface")


def said(evidence: Evidence) -> dict[str, Finding]:
    return {item.kind: item for item in StrangerMatch().ask(evidence) if isinstance(item, Finding)}


def control(**options: int) -> Evidence:
    people = options.pop("people", 60)
    return make_evidence(people, 1, outcomes=["missed"] * people, **options)  # type: ignore[arg-type]


def released(evidence: Evidence, order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Evidence:
    """Outputs that show the originals in another order."""
    for name in NAMES:
        evidence.anonymized[name]["embedding"][:] = evidence.original[name]["embedding"][order]
    return evidence


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.5, 2.0, 5.0, 50.0])
def test_nothing_is_said_of_ordinary_methods(noise: float, seed: int) -> None:
    assert said(make_evidence(40, 2, noise=noise, seed=seed)) == {}


@pytest.mark.parametrize("order", [np.roll(np.arange(30), 1), np.random.default_rng(1).permutation(30)])
def test_pasted_and_shuffled_faces_match_somebody_else(order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    finding = said(released(make_evidence(30, 1), order))["matches-others"]
    moved = int((order != np.arange(30)).sum())
    assert (finding.count, finding.of) == (moved, 30)
    assert f"{moved} of 30 outputs match another person of the set" in finding.text


def test_a_set_of_lookalikes_is_no_proof_of_donors() -> None:
    """In four dimensions nearly everybody has somebody as near as the threshold."""
    for noise in (0.5, 3.0):
        assert "matches-others" not in said(make_evidence(100, 1, noise=noise, dim=4))
    assert "matches-others" in said(released(make_evidence(100, 1, dim=4), np.roll(np.arange(100), 1)))


def test_outputs_between_two_people_that_are_nearer_to_their_own_match_nobody_else() -> None:
    evidence = make_evidence(30, 1)
    for name in NAMES:
        rows = evidence.original[name]["embedding"]
        evidence.anonymized[name]["embedding"][:] = 0.55 * rows + 0.45 * np.roll(rows, 1, axis=0)
    assert "matches-others" not in said(evidence)
    for name in NAMES:
        rows = evidence.original[name]["embedding"]
        evidence.anonymized[name]["embedding"][:] = 0.45 * rows + 0.55 * np.roll(rows, 1, axis=0)
    assert said(dataclasses.replace(evidence))["matches-others"].count == 30


def test_a_constant_face_is_one_person() -> None:
    evidence = make_evidence(30, 1)
    for name in NAMES:
        evidence.anonymized[name]["embedding"][:] = evidence.anonymized[name]["embedding"][0]
    finding = said(evidence)["one-face"]
    assert (finding.count, finding.of) == (30, 30)


def groups_of(people: int, each: int) -> Evidence:
    evidence = make_evidence(people * each, 1)
    sample = np.array([f"group{k // each}" for k in range(people * each)])
    return dataclasses.replace(evidence, faces=dataclasses.replace(evidence.faces, sample=sample))


def test_swapped_within_a_photo_is_flagged_and_counts_as_de_identified() -> None:
    swapped = released(groups_of(10, 2), np.arange(20) ^ 1)
    finding = said(swapped)["other-place"]
    assert (finding.count, finding.of) == (20, 20)
    assert "other-place" not in said(groups_of(10, 2))


def test_pictures_that_stay_alike_while_recognisers_lose_the_person() -> None:
    def cloak(ssim: float, lpips: float, noise: float) -> Evidence:
        evidence = make_evidence(20, 1, noise=noise)
        evidence.pairs["face"]["pixels"]["ssim|standard"][:] = ssim
        evidence.pairs["face"]["lpips-alex"]["lpips_alex|standard"][:] = lpips
        return evidence

    assert said(cloak(0.92, 0.08, 5.0))["alike-yet-private"].count == 20
    assert "alike-yet-private" not in said(cloak(0.92, 0.08, 0.1))
    assert "alike-yet-private" not in said(cloak(0.6, 0.08, 5.0))
    assert "alike-yet-private" not in said(cloak(0.92, 0.4, 5.0))


def test_the_control_says_where_chance_is_far_from_what_thresholds_promise() -> None:
    often = said(control(dim=5))
    assert (often["chance-off"].count, often["chance-off"].of) == (2, 2)
    assert "another rate than the stated 0.1 %" in often["chance-off"].text
    assert "e+" not in often["chance-off"].text
    assert "chance-off" not in said(control(people=12))
    assert "chance-off" not in said(make_evidence(60, 1, dim=5))


def test_the_control_names_copies_and_counts_likely_repeats() -> None:
    def twice() -> Iterator[Evidence]:
        for labelled in (True, False):
            evidence = make_evidence(30, 1, outcomes=["missed"] * 30, labelled=labelled)
            for readings in (evidence.original, evidence.anonymized):
                for name in NAMES:
                    readings[name]["embedding"][25:] = readings[name]["embedding"][:5]
            yield evidence

    for evidence in twice():
        finding = said(evidence)["copies"]
        assert (finding.count, finding.of) == (10, 30)
        assert "person000/0.png#0 = person025/0.png#0" in finding.text
        assert "and 2 more" in finding.text
    repeats = said(make_evidence(30, 2, outcomes=["missed"] * 60, labelled=False))["likely-repeats"]
    assert (repeats.count, repeats.of) == (60, 60)


def test_the_interval_of_the_realised_rate_holds_the_true_one() -> None:
    """Pairs share people: with the standard error of independent shares it would hold it far too rarely."""
    rng = np.random.default_rng(0)

    def shares(n: int) -> tuple[float, float, float]:
        rows = rng.normal(size=(n, 4))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        hits = (1 - rows @ rows.T <= 0.3) & ~np.eye(n, dtype=bool)
        return realised_rate(hits.sum(1) / (n - 1), np.arange(n))

    true = np.mean([shares(300)[0] for _ in range(40)])
    held = [low <= true <= high for _, low, high in (shares(60) for _ in range(200))]
    assert np.mean(held) > 0.88
