"""Residual risk, floors, and what speaks against an attack: by hand, by simulation, and with broken attackers."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.core.stats.identification import search
from unmask.bench.core.stats.resampling import ClusterResamples, Replicates, replicate_means
from unmask.bench.core.stats.strongest import strongest
from unmask.bench.core.stats.trust import (
    Belief,
    Doubt,
    Learning,
    believe,
    label_permutations,
    permuted_floor,
    residual_risk,
)
from unmask.bench.core.types import Float
from unmask.bench.core.values import UnitValues

PEOPLE = 100
DESIGN = ClusterResamples(np.arange(PEOPLE), replicates=500, seed=1)


def success(share: float, seed: int = 0, design: ClusterResamples = DESIGN) -> Replicates:
    named = np.random.default_rng(seed).permutation(PEOPLE) < round(share * PEOPLE)
    return replicate_means(UnitValues("rank1", "a", named.astype(np.float64), share=True), design)


def embeddings(noise: float, seed: int = 0, design: str = "") -> tuple[Float, Float]:
    """Two photos of everybody: (P, 16) each."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(PEOPLE, 16))
    probe, gallery = (people + noise * rng.normal(size=people.shape) for _ in range(2))
    return tuple(each / np.linalg.norm(each, axis=1, keepdims=True) for each in (probe, gallery))  # type: ignore[return-value]


def naming(probe: Float, gallery: Float, labels: np.ndarray | None = None) -> Replicates:
    own = np.arange(PEOPLE) if labels is None else labels
    rank = search(probe @ gallery.T, own).rank
    return replicate_means(UnitValues("rank1", "a", (rank <= 1).astype(np.float64), share=True), DESIGN)


def test_residual_risk_by_hand() -> None:
    (risk,) = residual_risk(success(0.43), success(0.01), success(0.98))
    assert risk.value == pytest.approx(0.42 / 0.97)
    assert risk.low < risk.value < risk.high
    assert risk.n == 100
    # As it comes: below 0, and above 1.
    assert residual_risk(success(0.0), success(0.1), success(0.6))[0].value == pytest.approx(-0.2)
    assert residual_risk(success(0.8), success(0.1), success(0.6))[0].value == pytest.approx(1.4)
    (nothing,) = residual_risk(success(0.4), success(0.6), success(0.6))
    assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    with pytest.raises(ValueError, match="same sets and replicates"):
        residual_risk(success(0.4), success(0.1), success(0.9, design=ClusterResamples(np.arange(PEOPLE), 20)))


def test_nobody_named_is_no_proof() -> None:
    (none,) = residual_risk(success(0.0), success(0.0), success(1.0))
    assert (none.value, none.low) == (0, 0)
    # 0 of 100 people: Clopper and Pearson's upper end.
    assert none.high == pytest.approx(0.0362, abs=1e-4)
    (all_of,) = residual_risk(success(1.0), success(0.0), success(1.0))
    assert (all_of.value, all_of.high) == (1, 1)
    assert all_of.low == pytest.approx(1 - 0.0362, abs=1e-4)


def test_the_interval_of_a_residual_risk_covers() -> None:
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        # Who is named in spite of anonymization is named without it, too.
        ease = rng.uniform(size=PEOPLE)
        design = ClusterResamples(np.arange(PEOPLE), 400, seed)
        attack, floor, ceiling = (
            replicate_means(UnitValues("rank1", "a", (level).astype(np.float64), share=True), design)
            for level in (ease < 0.4, rng.uniform(size=PEOPLE) < 0.05, ease < 0.85)
        )
        (risk,) = residual_risk(attack, floor, ceiling)
        covered += risk.low <= 0.35 / 0.8 <= risk.high
    assert 0.92 <= covered / 200 <= 0.985


def test_the_strongest_attack_has_the_interval_of_the_worst_of_several() -> None:
    rng = np.random.default_rng(0)
    several = [UnitValues("rank1", f"a{k}", (rng.uniform(size=PEOPLE) < 0.4) * 1.0, share=True) for k in range(6)]
    best = strongest(several, DESIGN)
    floor, ceiling = success(0.01), success(0.98)
    (risk,) = residual_risk(best, floor, ceiling)
    each = [residual_risk(replicate_means(one, DESIGN), floor, ceiling)[0] for one in several]
    assert risk.value == pytest.approx((best.point[0] - 0.01) / 0.97)
    assert risk.high == pytest.approx(max(one.high for one in each))
    assert risk.low < max(one.low for one in each)


def test_the_floor_is_chance_and_permutes_before_the_choice() -> None:
    probe, gallery = embeddings(0.3)
    assert naming(probe, gallery).point[0] > 0.9
    floor = permuted_floor(lambda labels: naming(probe, gallery, labels), PEOPLE, permutations=40)
    assert floor.point[0] == pytest.approx(0.01, abs=0.005)

    def best_of_many(labels: np.ndarray) -> Replicates:
        ranks = [search(probe[:, k:] @ gallery[:, k:].T, labels).rank <= 1 for k in range(8)]
        return strongest([UnitValues("rank1", f"a{k}", rank * 1.0) for k, rank in enumerate(ranks)], DESIGN, splits=2)

    chosen = permuted_floor(best_of_many, PEOPLE, permutations=40)
    assert chosen.point[0] == pytest.approx(0.01, abs=0.008)
    assert chosen.values.shape == (500, 1)
    orders = label_permutations(5, 200)
    assert (np.sort(orders, axis=1) == np.arange(5)).all()
    # A guess may be right: one fixed place in a permutation, on average.
    assert (orders == np.arange(5)).sum(axis=1).mean() == pytest.approx(1, abs=0.25)
    with pytest.raises(ValueError, match="at least one"):
        label_permutations(5, 0)


def learning(own: float = 0.9, half: float = 0.4, trainings: tuple[float, ...] = (0.4, 0.42, 0.41)) -> Learning:
    return Learning(success(own, seed=5), success(0.02, seed=6), success(half), trainings)


def test_a_sound_attack_is_believed() -> None:
    belief = believe(success(0.42), success(0.01, 1), success(0.95), success(0.1), learning(), learns=True)
    assert belief == Belief()
    assert belief.trustworthy
    assert not belief.lower_bound
    # A failing attack may be believed: its ceiling and its own people say that it works.
    assert believe(success(0.0), success(0.01, 1), success(0.95), None, learning(half=0.0)).trustworthy


@pytest.mark.parametrize(
    ("attack", "ceiling", "ignorant", "taught", "doubt"),
    [
        (0.4, 0.02, None, learning(), Doubt.CEILING),
        (np.nan, 0.95, None, learning(), Doubt.NOT_MEASURED),
        (0.4, 0.95, 0.7, learning(), Doubt.WORSE_THAN_IGNORANT),
        (0.4, 0.95, None, learning(own=0.03), Doubt.LEARNED_NOTHING),
        (0.4, 0.95, None, learning(trainings=(0.1, 0.4, 0.4)), Doubt.UNSTEADY),
        (0.4, 0.95, None, learning(trainings=(0.4, 0.4)), Doubt.UNCHECKED),
        (0.4, 0.95, None, learning(trainings=(0.4, 0.4, np.nan)), Doubt.UNCHECKED),
        (0.4, 0.95, None, None, Doubt.UNCHECKED),
    ],
)
def test_what_speaks_against_an_attack(
    attack: float, ceiling: float, ignorant: float | None, taught: Learning | None, doubt: Doubt
) -> None:
    measured = success(0.4 if np.isnan(attack) else attack)
    if np.isnan(attack):
        measured = replicate_means(UnitValues("rank1", "a", np.full(PEOPLE, np.nan), share=True), DESIGN)
    against = None if ignorant is None else success(ignorant)
    belief = believe(measured, success(0.01, 1), success(ceiling), against, taught, learns=True)
    assert doubt in belief.doubts
    assert not belief.trustworthy
    assert doubt.sentence in belief.reasons


def test_worse_than_the_ignorant_by_chance_is_no_doubt() -> None:
    assert believe(success(0.40, 1), success(0.01, 2), success(0.95), success(0.43, 3)).trustworthy


def test_still_rising_is_a_lower_bound() -> None:
    belief = believe(success(0.4), success(0.01, 1), success(0.95), None, learning(half=0.2))
    assert belief.doubts == (Doubt.STILL_RISING,)
    assert belief.trustworthy
    assert belief.lower_bound


def test_broken_attackers_are_not_believed() -> None:
    probe, gallery = embeddings(0.3)
    shuffled = np.random.default_rng(3).permutation(PEOPLE)
    for broken in (
        lambda a, b, labels=None: naming(a, b[shuffled], labels),  # labels shuffled
        lambda a, b, labels=None: naming(a * 0, b, labels),  # weights at zero: ties, all in the attacker's favour
    ):
        floor = permuted_floor(lambda labels, broken=broken: broken(probe, gallery, labels), PEOPLE, 5)  # type: ignore[misc]
        belief = believe(broken(probe, gallery), floor, broken(probe, gallery))
        assert belief.doubts == (Doubt.CEILING,)
        assert not belief.trustworthy
        assert np.isnan(residual_risk(broken(probe, gallery), floor, floor)[0].value)


def test_three_people_prove_nothing() -> None:
    design = ClusterResamples(np.arange(3), 100)
    everybody = replicate_means(UnitValues("rank1", "a", np.ones(3), share=True), design)
    guess = replicate_means(UnitValues("rank1", "a", np.full(3, 1 / 3)), design)
    assert believe(everybody, guess, everybody).doubts == (Doubt.CEILING,)
