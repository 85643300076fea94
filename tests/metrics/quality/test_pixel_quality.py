"""Stored pixel readings become values of metrics."""

from __future__ import annotations

import dataclasses

import numpy as np

from unmask.bench.core.types import Outcome
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.instruments.pixels import COLUMNS
from unmask.metrics.quality.pairs import PixelQuality


def test_every_column_of_every_region() -> None:
    evidence = make_evidence(n_people=2, photos_each=2)
    found = {(v.metric, v.instrument, v.region): v for v in PixelQuality().ask(evidence)}
    for region, readings in evidence.pairs.items():
        for column, stored in readings["pixels"].items():
            metric, variant = column.split("|")
            values = found.pop((metric, variant, region))  # type: ignore[arg-type]
            np.testing.assert_array_equal(values.values, stored.astype(np.float64))
            assert values.unit == ("face" if region == "face" else "image")
            assert not values.share
    assert set(found) == {("psnr_changed", "standard", "face"), ("ssim_changed", "standard", "face")}


def test_there_is_a_card_for_whatever_the_instrument_measures() -> None:
    assert {column.split("|")[0] for column in COLUMNS} == {
        card.name for card in PixelQuality.cards if not card.name.endswith("_changed")
    }


def test_failures_are_unscored_and_destroyed_faces_are_not() -> None:
    outcomes = [Outcome.DESTROYED, Outcome.ERROR, Outcome.MISSED, Outcome.ANONYMIZED]
    for values in PixelQuality().ask(make_evidence(n_people=4, photos_each=1, outcomes=outcomes)):
        assert np.isnan(values.values).tolist() == [False, True, False, False]


def test_what_a_method_left_as_it_was_does_not_lift_the_quality_of_what_it_changed() -> None:
    outcomes = [Outcome.DESTROYED, Outcome.ERROR, Outcome.MISSED, Outcome.ANONYMIZED]
    made = make_evidence(n_people=4, photos_each=1, outcomes=outcomes)
    found = {v.metric: v for v in PixelQuality().ask(made) if v.region == "face" and v.instrument == "standard"}
    for name in ("psnr", "ssim"):
        changed = found[f"{name}_changed"]
        assert changed.eligible is not None
        assert changed.eligible.tolist() == [True, False, False, True]
        np.testing.assert_array_equal(changed.values, found[name].values)


def test_a_run_without_the_instrument_has_no_values() -> None:
    evidence = make_evidence(n_people=2, photos_each=1)
    assert list(PixelQuality().ask(dataclasses.replace(evidence, pairs={"face": {}}))) == []
