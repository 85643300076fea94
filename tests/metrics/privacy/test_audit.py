"""What attackers reach who know the method, by made-up methods of which it is known what they keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tests.support.audits import DIM, Release, audited, unit
from tests.support.broken_attackers import BROKEN, installed
from unmask.bench.core import registry
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.headlines import WORST
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.stats.fusion import FUSED
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.stats.trust import Doubt
from unmask.bench.core.types import Floats32, Outcome
from unmask.bench.core.values import AttackTrial, SetStatistic, UnitValues
from unmask.bench.run.contracts.made_up import RECOGNISERS
from unmask.bench.run.figures.audited import NAMED, RISK, Auditing
from unmask.bench.run.figures.rows import Answer, answer
from unmask.bench.store.results import AttackRow
from unmask.metrics.privacy.audit import AuditedAttacks
from unmask.metrics.privacy.audit_cards import PERSON
from unmask.metrics.privacy.searching import gallery_of

CARDS = {card.name: card for card in AuditedAttacks.cards}
LINEAR = ("ignorant", "mean-shift", "procrustes", "ridge")
REPLICATES = 300


def turned(rows: Floats32, seed: int) -> Floats32:
    turn = np.linalg.qr(np.random.default_rng(11).normal(size=(DIM, DIM)))[0]
    return unit((rows @ turn).astype(np.float32))


def unrelated(rows: Floats32, seed: int) -> Floats32:
    return unit(np.random.default_rng([5, seed, len(rows)]).normal(size=rows.shape).astype(np.float32))


def one_face(rows: Floats32, seed: int) -> Floats32:
    noise = np.random.default_rng([5, seed, len(rows)]).normal(size=rows.shape)
    return unit((np.eye(1, DIM) + 1e-4 * noise).astype(np.float32))


def keyed(rows: Floats32, seed: int) -> Floats32:
    """What is kept of a person lies where no recogniser looks: only outputs are like outputs."""
    mixed = np.tanh(rows @ np.random.default_rng(7).normal(size=(DIM, DIM)) * 4)
    noise = np.random.default_rng([9, seed]).normal(size=rows.shape)
    return unit((mixed + 0.1 * noise).astype(np.float32))


def judged(
    tested: Evidence, control: Evidence
) -> tuple[dict[tuple[str, str], Answer], dict[tuple[str, str], AttackRow]]:
    """Answers by metric and instrument, and rows by attacker and channel, as a run makes them."""
    resamples = ClusterResamples(tested.faces.cluster, REPLICATES, 0)
    masks = np.ones((1, len(tested.faces)), np.bool_)
    auditing = Auditing("made-up", resamples, masks, 0)
    for label, evidence in (("none", control), ("tested", tested)):
        items = list(AuditedAttacks().ask(evidence))
        trials = [item for item in items if isinstance(item, AttackTrial)]
        asked = [item for item in items if isinstance(item, UnitValues)]
        answers = [answer(item, resamples, masks, CARDS[item.metric]) for item in asked]
        answers, rows = auditing.judged(label, answers, trials, CARDS)
    return {(a.metric, a.instrument): a for a in answers}, {(r.attacker, r.channel): r for r in rows}


def value(answers: Mapping[tuple[str, str], Answer], metric: str, instrument: str) -> float:
    return answers[metric, instrument].estimates[0].value


def test_a_rotation_hides_from_recognisers_and_falls_to_who_learns_it() -> None:
    answers, rows = judged(*audited(turned, LINEAR))
    for name in RECOGNISERS:
        assert value(answers, NAMED, f"ignorant/{name}") < 0.1
        assert value(answers, NAMED, f"procrustes/{name}") > 0.9
        assert value(answers, NAMED, f"ridge/{name}") > 0.9
        ridge = rows["ridge", name]
        assert ridge.doubts == []
        assert ridge.risk is not None
        assert ridge.risk > 0.9
        assert ridge.trained is not None
        assert ridge.trained > 0.9
        assert ridge.shares["0.25"] is not None
    assert value(answers, NAMED, WORST) > 0.9
    risk = answers[RISK, WORST].estimates[0]
    assert risk.value > 0.9
    assert risk.low > 0.8


@pytest.mark.parametrize("release", [unrelated, one_face])
def test_where_nothing_is_kept_nobody_is_beyond_the_floor(release: Release) -> None:
    answers, rows = judged(*audited(release, LINEAR))
    for name in RECOGNISERS:
        shift = rows["mean-shift", name]
        assert shift.doubts == [Doubt.LEARNED_NOTHING.sentence]
        assert shift.named is None
        assert np.isnan(value(answers, NAMED, f"mean-shift/{name}"))
        assert "not trustworthy" in answers[NAMED, f"mean-shift/{name}"].notes[0]
        assert rows["ignorant", name].doubts == []
        assert rows["ignorant", name].floor == pytest.approx(1 / 60, abs=0.03)
    risk = answers[RISK, WORST].estimates[0]
    assert risk.low < 0.02 < risk.high
    assert risk.value == pytest.approx(0, abs=0.05)


def test_outputs_that_are_like_each_other_fall_to_the_parrot() -> None:
    answers, rows = judged(*audited(keyed, ("ignorant", "parrot")))
    for name in RECOGNISERS:
        assert value(answers, NAMED, f"ignorant/{name}") < 0.2
        assert value(answers, NAMED, f"parrot/{name}") > 0.7
    assert rows["parrot", "sface"].ceiling == pytest.approx(1.0, abs=0.05)


def test_one_face_for_everybody_leaves_the_parrot_to_guess() -> None:
    def same(rows: Floats32, seed: int) -> Floats32:
        return np.tile(np.eye(1, DIM, dtype=np.float32), (len(rows), 1))

    answers, _ = judged(*audited(same, ("ignorant", "parrot")))
    for name in RECOGNISERS:
        assert value(answers, NAMED, f"parrot/{name}") == pytest.approx(1 / 60, abs=0.04)


def test_a_method_that_cannot_be_run_leaves_the_attacker_without_the_method() -> None:
    answers, rows = judged(*audited(keyed, ("ignorant", "parrot", "ridge"), runnable=False))
    assert "no outputs of the gallery's photos" in rows["parrot", "sface"].problem
    assert "background people" in rows["ridge", "sface"].problem
    assert (NAMED, "parrot/sface") not in answers
    assert value(answers, NAMED, WORST) < 0.2


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_attacker_is_not_believed_and_never_looks_like_privacy(name: str) -> None:
    """Of a method that changes nothing: the failure is the attacker's."""
    plain: Release = lambda rows, seed: rows  # noqa: E731
    answers, rows = judged(*audited(plain, ("ignorant", BROKEN[name]())))
    for recogniser in RECOGNISERS:
        row = rows[name, recogniser]
        assert row.doubts
        assert row.named is None
        assert row.risk is None
        assert np.isnan(value(answers, NAMED, f"{name}/{recogniser}"))
    assert value(answers, NAMED, WORST) > 0.95


def test_broken_attackers_can_be_installed_like_those_of_others() -> None:
    with installed():
        assert {name: type(registry.create_attacker(parse_spec(name))) for name in BROKEN} == BROKEN
    assert not set(BROKEN) & set(registry.names("attacker"))


@pytest.mark.parametrize("attacker", ["ignorant", "parrot", "lda"])
def test_a_photo_that_a_method_failed_on_gives_its_person_away(attacker: str) -> None:
    """Also where the method fails on it a second time, so that no gallery of outputs has it."""
    tested, _ = audited(unrelated, (attacker,))
    assert tested.audit is not None
    outcome = np.array(tested.outcome)
    outcome[:30] = Outcome.ERROR.value
    again = {name: {"embedding": np.array(columns["embedding"])} for name, columns in tested.audit.again.items()}
    for columns in again.values():
        columns["embedding"][:30] = np.nan
    tested = replace(tested, outcome=outcome, audit=replace(tested.audit, again=again))
    trials = [item for item in AuditedAttacks().ask(tested) if isinstance(item, AttackTrial)]
    assert trials
    for trial in trials:
        np.testing.assert_array_equal(trial.trainings[0][:30], 1.0)
        assert np.nanmean(trial.permuted[:, :30]) < 0.2


def test_thresholds_hold_their_rate_on_people_that_nobody_learned_from() -> None:
    tested, _ = audited(turned, ("procrustes",), background=400)
    (rate,) = [
        item.compute(item.scored.astype(np.float64))
        for item in AuditedAttacks().ask(tested)
        if isinstance(item, SetStatistic) and (item.metric, item.instrument) == ("attack_tar@1e-2", "procrustes/sface")
    ]
    assert rate > 0.5
    few, _ = audited(turned, ("procrustes",), background=40)
    for item in AuditedAttacks().ask(few):
        if isinstance(item, SetStatistic) and item.metric == "attack_tar@1e-4":
            assert not item.scored.any()


def test_without_an_audit_nothing_is_said() -> None:
    tested, _ = audited(turned, ("ignorant",))
    assert list(AuditedAttacks().ask(replace(tested, audit=None))) == []


def half(rows: Floats32, seed: int) -> Floats32:
    """What is left of a face under noise that no two recognisers share."""
    own = int(1e6 * abs(float(rows[0, 0])))
    noise = np.random.default_rng([5, seed, len(rows), own]).normal(size=rows.shape)
    return unit((rows + 0.42 * noise).astype(np.float32))


def test_two_recognisers_that_each_know_half_know_more_together() -> None:
    answers, rows = judged(*audited(half, ("ignorant", "procrustes")))
    for attacker in ("ignorant", "procrustes"):
        single = [value(answers, NAMED, f"{attacker}/{name}") for name in RECOGNISERS]
        assert 0.2 < min(single) <= max(single) < 0.8
        fused = rows[attacker, FUSED]
        assert fused.doubts == []
        assert fused.named is not None
        assert fused.named > max(single) + 0.1
        assert fused.named == value(answers, NAMED, f"{attacker}/{FUSED}")
        assert fused.floor == pytest.approx(1 / 60, abs=0.03)
        assert fused.ceiling == pytest.approx(1, abs=0.02)
        assert len(fused.cmc) == 50
        assert (fused.fmr[0], fused.fnmr[0], fused.fmr[-1]) == (1, 0, 0)
    linear = rows["procrustes", FUSED]
    assert linear.trained is not None
    assert linear.trained > 0.5
    assert linear.shares["0.5"] is not None
    assert 0.2 < linear.shares["0.5"] < linear.named + 0.02
    assert value(answers, NAMED, WORST) == pytest.approx(
        max(value(answers, NAMED, f"{each}/{FUSED}") for each in ("ignorant", "procrustes")), abs=0.03
    )


def test_a_recogniser_that_sees_nothing_takes_nothing_from_the_other() -> None:
    first, second = RECOGNISERS
    for name, other in ((first, second), (second, first)):
        answers, rows = judged(*audited({name: half, other: unrelated}, ("ignorant", "procrustes", "parrot")))
        for attacker in ("ignorant", "procrustes"):
            assert rows[attacker, FUSED].doubts == []
            alone = value(answers, NAMED, f"{attacker}/{name}")
            assert value(answers, NAMED, f"{attacker}/{FUSED}") > alone - 0.03


@pytest.mark.parametrize("release", [unrelated, one_face])
def test_fused_recognisers_of_nothing_are_at_the_floor(release: Release) -> None:
    """Their floor, too: labels are permuted in what is learned, in what is fused and in the search."""
    answers, rows = judged(*audited(release, ("ignorant", "ridge", "parrot")))
    for attacker in ("ignorant", "parrot"):
        assert value(answers, NAMED, f"{attacker}/{FUSED}") == pytest.approx(1 / 60, abs=0.03)
        assert rows[attacker, FUSED].floor == pytest.approx(1 / 60, abs=0.03)
    assert rows["ridge", FUSED].floor == pytest.approx(1 / 60, abs=0.03)


def test_fused_recognisers_accept_pairs_at_their_rate_on_people_that_nobody_learned_from() -> None:
    tested, _ = audited(half, ("ignorant", "procrustes"), background=300)
    gallery = gallery_of(tested)
    for item in AuditedAttacks().ask(tested):
        if isinstance(item, AttackTrial) and item.channel == FUSED:
            assert item.scores is not None
            counts, edges = item.scores.histograms.impostor.sum(axis=0), item.scores.histograms.edges
            beyond = counts[edges[:-1] >= item.thresholds["1e-2"]].sum() / counts.sum()
            assert beyond == pytest.approx(0.01, abs=0.006)
            assert counts.sum() == (gallery.searched & ~gallery.right)[gallery.eligible].sum()
            assert np.isnan(item.thresholds["1e-4"])


def test_what_is_gone_or_was_given_away_by_one_recogniser_is_so_by_all_fused() -> None:
    tested, _ = audited(half, ("ignorant",))
    outcome = np.array(tested.outcome)
    outcome[:30], outcome[30:60] = Outcome.ERROR.value, Outcome.DESTROYED.value
    nothing = {
        name: {
            column: np.where(np.arange(len(rows))[:, None] // 30 == 1, np.nan, rows) for column, rows in each.items()
        }
        for name, each in tested.anonymized.items()
        if name in RECOGNISERS
    }
    tested = replace(tested, outcome=outcome, anonymized={**tested.anonymized, **nothing})
    (fused,) = [t for t in AuditedAttacks().ask(tested) if isinstance(t, AttackTrial) and t.channel == FUSED]
    assert fused.scores is not None
    np.testing.assert_array_equal(fused.scores.searches.rank[:30], 1)
    np.testing.assert_array_equal(fused.scores.searches.genuine[:30], fused.scores.histograms.edges[-1])
    assert np.isinf(fused.scores.searches.rank[30:60]).all()
    assert np.isfinite(fused.scores.searches.rank[60:]).all()


def test_without_background_people_recognisers_are_not_fused_and_that_is_said() -> None:
    _, rows = judged(*audited(half, ("ignorant", "ridge"), runnable=False))
    assert "fusing recognisers needs" in rows["ignorant", FUSED].problem
    assert ("ridge", FUSED) not in rows


def test_who_holds_all_photos_of_somebody_searches_by_the_best_of_them() -> None:
    tested, control = audited(half, ("ignorant",))
    answers, _ = judged(tested, control)
    (trial,) = [t for t in AuditedAttacks().ask(tested) if isinstance(t, AttackTrial) and t.channel == "sface"]
    one, all_photos = (answers[metric, "ignorant/sface"].estimates[0] for metric in (NAMED, PERSON))
    assert all_photos.n == 60
    assert all_photos.unscored == 0
    assert all_photos.value > one.value + 0.1
    assert all_photos.low < all_photos.value < all_photos.high
    assert answers[PERSON, "ignorant/sface"].chances[0].value == 1 / 60
    assert value(answers, PERSON, WORST) >= all_photos.value
    # By hand: the largest cosine over a person's releases and a gallery person's photos, but for a photo's own.
    released, photos = tested.anonymized["sface"]["embedding"], tested.original["sface"]["embedding"]
    person = trial.scores.person if trial.scores is not None else np.zeros(0)
    cosine = np.round(released @ photos.T, 6)
    np.fill_diagonal(cosine, -2)
    named = [
        person[np.unravel_index(cosine[person == p].argmax(), cosine[person == p].shape)[1]] == p for p in range(60)
    ]
    assert all_photos.value == pytest.approx(np.mean(named), abs=1e-9)


def test_one_photo_that_was_given_away_names_its_person_and_nothing_left_names_nobody() -> None:
    tested, _ = audited(unrelated, ("ignorant",))
    identity = tested.truth.identity
    people = list(dict.fromkeys(identity.tolist()))
    outcome = np.array(tested.outcome)
    away, gone = np.flatnonzero(identity == people[0])[:1], np.flatnonzero(identity == people[1])
    outcome[away], outcome[gone] = Outcome.ERROR.value, Outcome.DESTROYED.value
    nothing = {
        name: {
            column: np.where((outcome == Outcome.DESTROYED.value)[:, None], np.nan, rows)
            for column, rows in each.items()
        }
        for name, each in tested.anonymized.items()
        if name in RECOGNISERS
    }
    tested = replace(tested, outcome=outcome, anonymized={**tested.anonymized, **nothing})
    for item in AuditedAttacks().ask(tested):
        if isinstance(item, UnitValues) and item.metric == PERSON:
            assert item.eligible is not None
            assert item.eligible.sum() == 60
            of_person = {identity[k]: item.values[k] for k in np.flatnonzero(item.eligible)}
            assert of_person[people[0]] == 1
            assert of_person[people[1]] == 0


def test_the_strongest_attack_has_rates_for_galleries_of_other_sizes_and_no_other_has() -> None:
    _, rows = judged(*audited(half, ("ignorant", "procrustes"), people=80))
    by_named = sorted(rows.values(), key=lambda row: row.named or 0)
    top = by_named[-1]
    assert all(row.galleries == [] and row.gallery_misfit is None for row in by_named[:-1])
    sizes = [point.size for point in top.galleries]
    assert sizes == sorted(set(sizes))
    assert sizes[0] == 2
    assert 80 in sizes
    (all_people,) = [point for point in top.galleries if point.size == 80]
    assert all_people.measured == pytest.approx(top.named)
    measured = [point.measured for point in top.galleries if point.measured is not None]
    assert len(measured) >= 5
    assert measured == sorted(measured, reverse=True)
    assert top.gallery_misfit is not None
    for point in top.galleries:
        assert point.size <= 80 or point.modelled is not None
        if point.modelled is not None:
            assert point.low is not None
            assert point.high is not None
            assert point.low <= point.modelled <= point.high
            if point.measured is not None:
                assert point.low <= point.measured <= point.high
