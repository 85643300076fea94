"""The shipped thresholds: complete, for the recognisers as they are, and never for people they were chosen on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.cards import dataset_card
from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.errors import DataError
from unmask.bench.core.evidence import ANY_LOOK
from unmask.bench.core.registry import instrument_class
from unmask.bench.data import open_dataset
from unmask.bench.data.identities import person_hash, person_hashes
from unmask.bench.run.figures.operating_points import measure_card, usable_points
from unmask.bench.run.planning.choosing import calibration_for, shipped_card
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.run.planning.plan import make_plan, refuse_shared_people

RECOGNISERS = ("mobilefacenet", "sface", "facenet", "dlib")
ATTACKS = (*RECOGNISERS, *(f"{name}{ANY_LOOK}" for name in RECOGNISERS[:3]))


def test_the_shipped_card_fits_the_recognisers_as_they_are() -> None:
    cards = {name: instrument_class(name).card for name in RECOGNISERS}
    points = usable_points(shipped_card(), cards)
    for name in ATTACKS:
        assert [point.fmr for point in points[name]] == [1e-2, 1e-3, 1e-4]
        thresholds = [point.threshold for point in points[name]]
        assert thresholds == sorted(thresholds, reverse=True)
        assert all(point.low <= point.threshold <= point.high for point in points[name])
    # More chances to match a stranger: the same rate of false matches is a stricter threshold.
    for name in ATTACKS[len(RECOGNISERS) :]:
        for point, plain in zip(points[name], points[name.removesuffix(ANY_LOOK)], strict=True):
            assert point.threshold < plain.threshold


def test_another_version_of_a_recogniser_gets_no_threshold() -> None:
    cards = {name: instrument_class(name).card for name in RECOGNISERS}
    cards["sface"] = replace(cards["sface"], version="next")
    points = usable_points(shipped_card(), cards)
    assert "sface" not in points
    assert "dlib" in points
    assert set(calibration_for(None, ["dlib"])["points"]) == {"dlib"}
    assert set(calibration_for(None, ["sface"])["points"]) == {"sface", f"sface{ANY_LOOK}"}


def test_attacks_through_looks_have_points_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    plain, turned = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in rng.normal(size=(2, 60, 32)))
    names = np.repeat([f"p{k}" for k in range(30)], 2)
    dataset = DatasetCard(**dataset_card())
    cards = {name: instrument_class(name).card for name in ("sface", "dlib")}
    vectors = {"sface": plain.astype(np.float32), "dlib": plain.astype(np.float32)}
    card = measure_card(dataset, vectors, names, cards, seed=0, looks={"sface": [turned.astype(np.float32)]})
    assert set(card["points"]) == {"sface", "dlib", "sface+any-look"}
    found = usable_points(card, cards)
    assert found["sface+any-look"][0].threshold < found["sface"][0].threshold
    assert set(usable_points(card, {"dlib": cards["dlib"]})) == {"dlib"}
    newer = {**cards, "sface": replace(cards["sface"], version="next")}
    assert set(usable_points(card, newer)) == {"dlib"}
    monkeypatch.setattr("unmask.bench.run.figures.operating_points.LOOKS_VERSION", 2)
    assert set(usable_points(card, cards)) == {"sface", "dlib"}


def test_the_card_names_nobody() -> None:
    text = str(shipped_card())
    assert person_hash("Tom Hanks") == person_hash("tom_hanks")
    assert "_" not in "".join(shipped_card()["people_sha256"])
    assert "George" not in text


def test_people_of_a_test_set_took_no_part() -> None:
    card = {"dataset": "cal", "people_sha256": [person_hash("Ann Lee")]}
    used = {("calibrate", card["dataset"]): set(card["people_sha256"])}
    refuse_shared_people({"test": {person_hash("Bob")}}, used)
    with pytest.raises(DataError, match="1 people of test were used to calibrate"):
        refuse_shared_people({"test": {person_hash("ann_lee"), person_hash("Bob")}}, used)


@pytest.mark.data
def test_lfw_probe_is_accepted_and_the_calibration_half_refused(shared_data: Path) -> None:
    probe = open_dataset("lfw", root=shared_data)
    people = person_hashes(probe.refs)
    refuse_shared_people({"lfw": people}, {("calibrate", "lfw"): set(shipped_card()["people_sha256"])})
    with pytest.raises(DataError, match="were used to calibrate"):
        make_plan(RunConfig(datasets=("lfw:split=calibrate",), methods=("none",)), root=shared_data)


def test_calibration_measures_a_known_threshold() -> None:
    """Impostor distances spread evenly over [0.5, 1.5]: the threshold at FMR 1e-2 lies near their first percentile."""
    rng = np.random.default_rng(0)
    people = 60
    angles = rng.normal(size=(people, 64))
    vectors = np.repeat(angles / np.linalg.norm(angles, axis=1, keepdims=True), 2, axis=0).astype(np.float32)
    names = np.repeat([f"p{k}" for k in range(people)], 2)
    dataset = DatasetCard(**dataset_card())
    card = measure_card(dataset, {"sface": vectors}, names, {"sface": instrument_class("sface").card}, seed=0)
    similarity = vectors[::2] @ vectors[::2].T
    distances = 1 - similarity[np.triu_indices(people, 1)]
    point = card["points"]["sface"][0]
    assert (distances <= point["threshold"]).mean() <= 0.01
    assert point["threshold"] == pytest.approx(np.quantile(distances, 0.01), abs=0.02)
    assert point["tar"] == 1.0
    # 60 people give 7,080 pairs of different people: too few to speak of 1 in 10,000.
    assert card["points"]["sface"][2]["threshold"] is None
    assert card["people"] == people
