"""Operating points in a plan: the shipped card, or a set of other people to measure them on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.errors import DataError
from unmask.bench.core.evidence import ANY_LOOK
from unmask.bench.store.schemas import POINTS_SCHEMA, Use

SHIPPED: Final = "shipped"
_SHARED: Final[Mapping[Use, str]] = {
    "calibrate": "were used to calibrate ({}); use its probe split, or calibrate on other people with --calibrate-on",
    "background": "are among the people whom attackers learn from ({}); choose other people for one of them",
}


def shipped_card() -> dict[str, Any]:
    """The card measured on lfw's calibration half, as it lies in the package."""
    text = files("unmask.bench.run").joinpath("operating_points", "lfw.json").read_text("utf-8")
    card: dict[str, Any] = json.loads(text)
    return card


def calibration_for(own: DatasetCard | None, recognisers: Sequence[str]) -> dict[str, Any]:
    """What the plan records: the shipped card cut down to ``recognisers``, or a promise to measure one on the run's
    own calibration set."""
    if own is not None:
        return {
            "schema": POINTS_SCHEMA,
            "dataset": f"{own.name} {own.revision}",
            "fingerprint": own.fingerprint,
            "points": {},
        }
    card = shipped_card()
    for field in ("points", "instruments"):
        card[field] = {name: v for name, v in card[field].items() if name.removesuffix(ANY_LOOK) in recognisers}
    return card


def refuse_shared_people(tests: Mapping[str, set[str]], others: Mapping[tuple[Use, str], set[str]]) -> None:
    """Raises `DataError` where somebody in a test set is in a data set of another use.

    ``tests``: data set -> hashes of its people; ``others``: use and data set -> the same.
    """
    for (use, other), people in others.items():
        for dataset, present in tests.items():
            if shared := len(present & people):
                raise DataError(f"{shared} people of {dataset} {_SHARED[use].format(other)}")
