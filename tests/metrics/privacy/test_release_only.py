"""Linking released faces with nothing to compare them with: who counts, against scikit-learn, and by simulation."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, roc_auc_score

from unmask.bench.core.evidence import KNOWN_PLACE, Audit, Evidence
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.linking import pseudonymous
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_means, replicate_statistic
from unmask.bench.core.values import Estimate, Finding, SetStatistic, UnitValues
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.bench.run.planning.choosing import choose_metrics
from unmask.metrics.privacy.channels import channels, geometry, on_one_scale
from unmask.metrics.privacy.release_only import ReleaseOnly, released_pairs

Item = UnitValues | SetStatistic


def ask(evidence: Evidence, channel: str = "sface") -> dict[str, Item]:
    return {
        s.metric.removeprefix("release_"): s
        for s in ReleaseOnly().ask(evidence)
        if not isinstance(s, Finding) and s.instrument == channel
    }


def estimate(item: Item, evidence: Evidence, replicates: int = 200) -> Estimate:
    resamples = ClusterResamples(evidence.faces.cluster, replicates, 0)
    replicate = replicate_means if isinstance(item, UnitValues) else replicate_statistic
    return estimates(replicate(item, resamples))[0]  # type: ignore[arg-type]


def chance(item: Item) -> float:
    assert isinstance(item, UnitValues)
    assert item.chance_values is not None
    return float(np.nanmean(item.chance_values))


def values(evidence: Evidence, channel: str = "sface") -> dict[str, float]:
    return {name: estimate(s, evidence, 2).value for name, s in ask(evidence, channel).items()}


def test_pairs_are_those_of_the_release_alone() -> None:
    evidence = make_evidence(20, 3, noise=1.2)
    rows, names = evidence.anonymized["sface"]["embedding"].astype(float), evidence.truth.identity
    pairs = list(combinations(range(60), 2))
    same = [names[i] == names[j] for i, j in pairs]
    expected = roc_auc_score(same, [rows[i] @ rows[j] for i, j in pairs])
    assert 0.6 < expected < 0.99
    assert values(evidence)["auc"] == pytest.approx(expected, abs=1e-4)
    others = make_evidence(20, 3, noise=1.2)
    others.original["sface"]["embedding"][:] = np.roll(others.original["sface"]["embedding"], 7, axis=0)
    assert values(others)["auc"] == pytest.approx(expected, abs=1e-4)


def test_unprotected_faces_are_people_and_unrelated_ones_are_chance() -> None:
    control = values(make_evidence(20, 3, noise=0.0))
    assert control["auc"] > 0.99
    assert control["tar@1e-3"] > 0.9
    assert control["ari"] > 0.95
    assert control["ari_chosen"] > 0.8
    assert control["clusters_chosen"] == pytest.approx(1, abs=0.3)
    nothing = make_evidence(20, 3, noise=100.0)
    statistics = ask(nothing)
    assert estimate(statistics["auc"], nothing).low == 0.5
    assert estimate(statistics["eer"], nothing).value == pytest.approx(0.5, abs=0.08)
    ari = estimate(statistics["ari"], nothing)
    assert ari.low < 0 < ari.high
    assert statistics["ari"].chance == 0
    assert chance(statistics["purity"]) == pytest.approx(estimate(statistics["purity"], nothing).value, abs=0.06)


def test_the_clusters_are_those_of_the_distances() -> None:
    evidence = make_evidence(15, 4, noise=1.0)
    rows = evidence.anonymized["sface"]["embedding"].astype(float)
    from sklearn.cluster import AgglomerativeClustering

    theirs = AgglomerativeClustering(15, metric="cosine", linkage="average").fit_predict(rows)
    expected = adjusted_rand_score(evidence.truth.identity, theirs)
    assert 0.1 < expected < 0.95
    assert values(evidence)["ari"] == pytest.approx(expected, abs=1e-6)


def test_faces_further_apart_than_strangers_are_linked_by_turning_the_rule_round() -> None:
    evidence = make_evidence(10, 2, noise=0.0, photo_noise=0.1)
    evidence.anonymized["sface"]["embedding"][1::2] *= -1
    result = estimate(ask(evidence)["auc"], evidence)
    assert result.value > 0.95
    assert 0.5 <= result.low <= result.value <= result.high <= 1


def test_what_is_compared_of_a_face() -> None:
    """Found again; else its place; of an error the original; else nothing, which is linked to nothing."""
    outcomes = ["anonymized"] * 6 + ["destroyed"] * 3 + ["error"] * 3
    evidence = make_evidence(4, 3, outcomes=outcomes, noise=5.0)
    gone = {channel.name: channel.gone for channel in channels(evidence)}
    assert np.flatnonzero(gone["sface"]).tolist() == [6, 7, 8]
    placed = make_evidence(4, 3, outcomes=outcomes, noise=5.0, known_place=0.0)
    channel = next(each for each in channels(placed) if each.name == "sface")
    assert not channel.gone.any()
    np.testing.assert_allclose(channel.rows[6:], placed.original["sface"]["embedding"][6:], atol=1e-6)
    np.testing.assert_allclose(channel.rows[:6], placed.anonymized["sface"]["embedding"][:6], atol=1e-6)
    lost = make_evidence(4, 3, unscored=[0])
    lost.anonymized["sface"][KNOWN_PLACE] = np.full_like(lost.anonymized["sface"]["embedding"], np.nan)
    statistics = ask(lost)
    assert [estimate(statistics[name], lost, 2).unscored for name in ("auc", "ari", "purity")] == [1, 1, 1]


def test_faces_that_are_gone_are_chance_not_perfect() -> None:
    result = values(make_evidence(15, 3, outcomes=["destroyed"] * 45))
    assert result["auc"] == result["eer"] == 0.5
    assert result["tar@1e-2"] == result["ari"] == result["ari_chosen"] == 0
    assert result["purity"] == 1  # each is alone: its chance says the same
    assert chance(ask(make_evidence(15, 3, outcomes=["destroyed"] * 45))["purity"]) == 1


@pytest.mark.parametrize(
    "evidence",
    [make_evidence(10, 3, labelled=False), make_evidence(10, 1), make_evidence(1, 5)],
    ids=["no labels", "one photo each", "one person"],
)
def test_what_means_nothing_is_not_measured(evidence: Evidence) -> None:
    items = list(ReleaseOnly().ask(evidence))
    assert items
    for item in items:
        result = estimate(item, evidence, 2)
        assert np.isnan(result.value), item.metric
        assert result.n == 0


def test_rates_need_as_many_pairs_of_two_people() -> None:
    result = values(make_evidence(6, 3))  # 135 pairs, each once
    assert np.isfinite(result["tar@1e-2"])
    assert np.isnan(result["tar@1e-3"])


def with_photometry(statistics: np.ndarray, **more: object) -> Evidence:
    evidence = make_evidence(12, 3, **more)  # type: ignore[arg-type]
    columns = {"statistics": statistics[:, :-2].astype(np.float32), "around": statistics[:, -2:].astype(np.float32)}
    return replace(
        evidence,
        original={**evidence.original, "photometric": columns},
        anonymized={**evidence.anonymized, "photometric": columns},
    )


def test_light_that_differs_from_session_to_session_links_whoever_is_in_it() -> None:
    rng = np.random.default_rng(0)
    session = np.repeat(rng.normal(size=(12, 4)), 3, axis=0)
    statistics = np.hstack([100 * (session + 0.1 * rng.normal(size=(36, 4))), np.full((36, 2), 7.0)])
    evidence = with_photometry(statistics, noise=100.0)
    result = values(evidence, "photometric")
    assert result["auc"] > 0.98
    assert result["ari"] > 0.8
    assert not ask(evidence, "surroundings")  # it is the same for all
    assert not ask(with_photometry(np.full((36, 5), 3.0)), "photometric")
    outside = with_photometry(statistics[:, ::-1], noise=100.0)
    assert values(outside, "surroundings")["auc"] > 0.95


def test_numbers_on_one_scale() -> None:
    table = np.stack([np.arange(9.0), np.full(9, 4.0), [0, 0, 0, 0, 0, 0, 0, 0, 1e6]], axis=1)
    table[2] = np.nan
    scaled = on_one_scale(table)
    assert scaled.shape == (9, 2)
    assert np.isnan(scaled[2]).all()
    rest = np.delete(table[:, 0], 2)
    spread = (np.quantile(rest, 0.75) - np.quantile(rest, 0.25)) / 1.349
    np.testing.assert_allclose(np.delete(scaled[:, 0], 2), (rest - np.median(rest)) / spread)
    assert scaled[8, 1] == pytest.approx(1e6 / np.std([*[0] * 7, 1e6]))
    assert np.abs(on_one_scale(np.array([[0.0], [1], [2], [3], [1e9]]))).max() <= 5


def test_geometry_by_hand() -> None:
    face = np.array([[10, 20], [50, 20], [30, 40], [15, 60], [45, 60]], float)
    turned = face @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    (upright, sideways, broken) = geometry(np.stack([face, turned, np.full((5, 2), np.nan)]))
    np.testing.assert_allclose(upright, [np.log(40), np.log(40), 0, np.log(40), 0, 30, 40], atol=1e-12)
    assert abs(sideways[4]) == pytest.approx(90)
    assert np.isnan(broken).all()


@pytest.mark.parametrize(
    ("noise", "metric"), [(3.0, "auc"), (100.0, "auc"), (0.5, "ari"), (1.0, "ari"), (1.0, "purity")]
)
def test_intervals_cover(noise: float, metric: str) -> None:
    """People are drawn anew each time; the truth is the mean of many more such draws."""
    name = f"release_{metric}"
    intervals = []
    for seed in range(40):
        evidence = make_evidence(25, 3, noise=noise, seed=seed)
        alone = replace(evidence, **{f: {"sface": getattr(evidence, f)["sface"]} for f in ("original", "anonymized")})
        item = next(s for s in ReleaseOnly().ask(alone) if (s.metric, s.instrument) == (name, "sface"))
        intervals.append(estimate(item, evidence, 100))
    truth = 0.5 if noise == 100 else np.mean([each.value for each in intervals])
    covered = np.mean([each.low <= truth <= each.high for each in intervals])
    assert covered >= 0.88, covered


def test_it_is_asked_only_by_name() -> None:
    usual = [name for name, _ in choose_metrics([])]
    assert "release_only" not in usual
    assert "release_only" not in [name for name, _ in choose_metrics(["privacy"])]
    assert [name for name, _ in choose_metrics(["release_only"])] == ["release_only"]
    assert [name for name, _ in choose_metrics(["release_auc"])] == ["release_only"]


def test_pairs_are_of_two_photos_and_each_is_compared_once() -> None:
    evidence = make_evidence(8, 3)
    crowd = replace(evidence.faces, sample=np.where(np.arange(24) % 3 == 0, "crowd.png", evidence.faces.sample))
    pairs = released_pairs(replace(evidence, faces=crowd))
    names = evidence.truth.identity
    impostor = set(zip(pairs.impostor_i.tolist(), pairs.impostor_j.tolist(), strict=True))
    expected = {
        (i, j) for i, j in combinations(range(24), 2) if names[i] != names[j] and not (i % 3 == 0 and j % 3 == 0)
    }
    assert impostor == expected
    assert len(pairs.impostor_i) == len(expected)
    assert (names[pairs.i] == names[pairs.j]).all()


def test_a_face_weighs_the_same_however_many_photos_its_person_has() -> None:
    """One person with 18 photos that look alike, six people with two that do not."""
    evidence = make_evidence(15, 2, noise=0.0)
    evidence.truth.identity[:18] = "often"
    rows = evidence.anonymized["sface"]["embedding"]
    rows[:18] = rows[0]
    names, n = evidence.truth.identity, 30
    distance = 1 - rows.astype(float) @ rows.T.astype(float)
    impostor = distance[np.triu(names[:, None] != names[None, :], 1)]
    shares = [
        np.mean([(impostor > d).mean() for d in distance[i, (names == names[i]) & (np.arange(n) != i)]])
        for i in range(n)
    ]
    assert values(evidence)["auc"] == pytest.approx(np.mean(shares), abs=2e-3)


def test_one_draw_a_person_is_a_pseudonym() -> None:
    """A method that paints everybody a new face: photos are linked only where they share its draw."""
    regimes = []
    for draws in (12, 36):
        evidence = make_evidence(12, 3)
        drawn = np.repeat(np.random.default_rng(0).normal(size=(draws, 32)), 36 // draws, axis=0)
        evidence.anonymized["sface"]["embedding"][:] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        regimes.append(estimate(ask(evidence)["auc"], evidence))
    verdict = pseudonymous(*regimes)
    assert verdict.kind == "pseudonymous"
    assert "AUC 1.00" in verdict.text
    assert pseudonymous(regimes[1], regimes[1]).kind == "unlinkable"
    assert pseudonymous(regimes[0], regimes[0]).kind == "linkable"


def test_one_draw_a_person_is_another_regime() -> None:
    """Where it links and one draw a photo does not, the method is pseudonymous."""
    evidence = make_evidence(20, 3, noise=100.0, outcomes=["anonymized"] * 55 + ["destroyed"] * 5)
    destroyed = evidence.outcome == "destroyed"
    person = np.random.default_rng(0).normal(size=(20, 32))[evidence.faces.cluster]
    rows = person + 0.3 * np.random.default_rng(1).normal(size=(60, 32))
    rows[destroyed] = np.nan
    alike = {"embedding": (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)}
    audit = Audit([], {}, np.zeros(0, np.int64), {}, one_draw={"sface": {**alike, "destroyed": destroyed}})
    audited = replace(evidence, audit=audit)
    auc = estimate(ask(audited, "sface+one-draw")["auc"], audited)
    assert auc.low > 0.5
    assert (auc.n, auc.unscored) == (60, 0)
    assert estimate(ask(audited)["auc"], audited).low == 0.5
    (said,) = (item for item in ReleaseOnly().ask(audited) if isinstance(item, Finding))
    assert (said.kind, said.count, said.of) == ("pseudonymous", 1, 1)
    assert "sface" in said.text
    assert not ask(evidence, "sface+one-draw")
    everywhere = replace(evidence, anonymized={**evidence.anonymized, "sface": alike}, audit=audit)
    assert not [item for item in ReleaseOnly().ask(everywhere) if isinstance(item, Finding)]
