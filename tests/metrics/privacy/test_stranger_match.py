"""Strangers matched, of everybody and of the group, and own matches above them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_means
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.stranger_match import StrangerMatch
from unmask.metrics.privacy.strangers import strangers


def ask(evidence: Evidence, recogniser: str = "sface") -> dict[str, UnitValues]:
    said = [v for v in StrangerMatch().ask(evidence) if isinstance(v, UnitValues) and v.instrument == recogniser]
    return {v.metric.partition("@")[0]: v for v in said}


def grouped(evidence: Evidence) -> Evidence:
    """With two age groups that cut across gender."""
    old = np.arange(len(evidence.faces)) % 2 == 1
    groups: dict[str, Bools] = {**evidence.faces.groups, "age=0-19": ~old, "age=20+": old}
    return dataclasses.replace(evidence, faces=dataclasses.replace(evidence.faces, groups=groups))


def matched(evidence: Evidence) -> Bools:
    rows = [r["sface"]["embedding"].astype(float) for r in (evidence.anonymized, evidence.original)]
    return np.asarray(1 - rows[0] @ rows[1].T <= 0.5)


def test_shares_among_all_strangers_and_among_those_of_the_same_age_group_and_gender() -> None:
    evidence = grouped(make_evidence(160, 1, dim=5))
    female, old = evidence.faces.groups["gender=female"], evidence.faces.groups["age=20+"]
    code = female * 2 + old
    hits, n = matched(evidence), 160
    apart = ~np.eye(n, dtype=bool)
    alike = apart & (code[:, None] == code)
    found = ask(evidence)
    own = np.diag(hits).astype(float)
    group: Float = (hits & alike).sum(1) / alike.sum(1)
    assert 0 < group.mean() < 0.5
    assert found["stranger_match"].values == pytest.approx((hits & apart).sum(1) / (n - 1))
    assert found["stranger_match_group"].values == pytest.approx(group)
    assert found["excess_match"].values == pytest.approx(own - group)


def test_groups_of_fewer_than_twenty_people_are_not_measured() -> None:
    small = ask(make_evidence(12, 3))
    assert np.isnan(small["stranger_match_group"].values).all()
    assert np.isnan(small["excess_match"].values).all()
    assert np.isfinite(small["stranger_match"].values).all()


def test_a_perfect_method_has_no_excess_though_strangers_are_often_matched() -> None:
    """Everybody becomes another person of the same group: the rates suffer by chance, the excess does not."""
    excess, strangers_matched = [], []
    for seed in range(8):
        evidence = make_evidence(100, 1, dim=4, seed=seed)
        rows = {
            name: reading["embedding"].copy() for name, reading in evidence.original.items() if "embedding" in reading
        }
        female = evidence.faces.groups["gender=female"]
        for members in (np.flatnonzero(female), np.flatnonzero(~female)):
            for name, original in rows.items():
                evidence.anonymized[name]["embedding"][members] = original[np.roll(members, 1)]
        found = ask(evidence)
        excess.append(np.nanmean(found["excess_match"].values))
        strangers_matched.append(np.nanmean(found["stranger_match_group"].values))
    assert np.mean(strangers_matched) > 0.1
    assert np.mean(excess) == pytest.approx(0.0, abs=0.03)


def test_what_is_left_of_a_person_is_excess() -> None:
    assert np.nanmean(ask(make_evidence(80, 1, noise=0.3))["excess_match"].values) > 0.95
    assert abs(np.nanmean(ask(make_evidence(80, 1, noise=60.0))["excess_match"].values)) < 0.05


def test_no_match_among_few_people_is_no_proof() -> None:
    """Neither the rate of strangers matched nor the excess is known to be 0 because 0 was seen."""
    evidence = make_evidence(50, 1, noise=60.0, dim=200)
    groups = {"gender=female": np.ones(50, dtype=bool)}
    evidence = dataclasses.replace(evidence, faces=dataclasses.replace(evidence.faces, groups=groups))
    design = ClusterResamples(evidence.faces.cluster, 500, 0)
    found = ask(evidence)
    (excess,), (rate,) = (estimates(replicate_means(found[n], design)) for n in ("excess_match", "stranger_match"))
    assert (excess.value, rate.value) == (0.0, 0.0)
    assert excess.high > 0.05  # 0 of 50 people: up to 7 % by Clopper and Pearson
    assert 0.001 < rate.high < 0.01


def test_the_thresholds_own_interval_widens_the_excess() -> None:
    excess = ask(make_evidence(80, 1, noise=1.4))["excess_match"]
    low, high = excess.alternatives
    assert np.nanmean(low) < np.nanmean(excess.values) < np.nanmean(high)


def test_copies_are_left_out_of_strangers_whatever_the_labels_say() -> None:
    evidence = make_evidence(30, 1)
    for name in ("sface", "mobilefacenet"):
        evidence.original[name]["embedding"][1] = evidence.original[name]["embedding"][0]
    known = strangers(evidence)
    assert known.copies.tolist() == [[0, 1]]
    assert not known.different[0, 1]
    assert known.different.sum() == 30 * 29 - 2


def test_one_recogniser_that_errs_makes_nobody_a_copy() -> None:
    evidence = make_evidence(30, 1)
    evidence.original["sface"]["embedding"][1] = evidence.original["sface"]["embedding"][0]
    assert strangers(evidence).different[0, 1]


def test_unlabelled_originals_that_all_recognisers_clearly_take_for_one_person_are_repeats() -> None:
    labelled, unlabelled = (make_evidence(30, 2, labelled=known, photo_noise=0.4) for known in (True, False))
    assert strangers(labelled).repeats == 0
    known = strangers(unlabelled)
    assert known.repeats == pytest.approx(30, abs=4)
    assert not known.different[0, 1]
    alone = dataclasses.replace(unlabelled, original={"sface": unlabelled.original["sface"]})
    assert strangers(alone).repeats == 0  # one recogniser would only confirm its own false matches


def test_lookalikes_at_the_threshold_are_no_repeats() -> None:
    """Children match at half of the pairs; to leave those out would make chance look good."""
    evidence = make_evidence(60, 1, labelled=False, dim=5)
    rows = evidence.original["sface"]["embedding"].astype(float)
    near = (1 - rows @ rows.T <= 0.42) & ~np.eye(60, dtype=bool)
    assert near.mean() > 0.05
    assert strangers(evidence).repeats < near.sum() / 2 * 0.1


def test_two_faces_of_one_photo_are_two_people() -> None:
    evidence = make_evidence(30, 2, labelled=False, photo_noise=0.4)
    sample = np.array([f"photo{k // 2}" for k in range(60)])
    together = dataclasses.replace(evidence, faces=dataclasses.replace(evidence.faces, sample=sample))
    assert strangers(together).repeats == 0
