"""Operating points: the shipped card, and cards measured on a run's own calibration set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.core.cards import OWN_WEIGHTS, DatasetCard, InstrumentCard
from bench.core.errors import DataError
from bench.core.evidence import OperatingPoint
from bench.core.stats.verification import CALIBRATION_FMRS, CalibratedPoint, calibrate
from bench.data import Dataset

SHIPPED: Final = "shipped"
CARD_SCHEMA: Final = "unmask.operating-points/1"


def shipped_card() -> dict[str, Any]:
    """The card measured on lfw's calibration half, as it lies in the package."""
    text = files("bench.run").joinpath("operating_points", "lfw.json").read_text("utf-8")
    card: dict[str, Any] = json.loads(text)
    return card


def calibration_for(own: DatasetCard | None, recognisers: Sequence[str]) -> dict[str, Any]:
    """What the plan records: the shipped card cut down to ``recognisers``, or a promise to measure one on the run's
    own calibration set."""
    if own is not None:
        return {
            "schema": CARD_SCHEMA,
            "dataset": f"{own.name} {own.revision}",
            "fingerprint": own.fingerprint,
            "points": {},
        }
    card = shipped_card()
    card["points"] = {name: points for name, points in card["points"].items() if name in recognisers}
    card["instruments"] = {name: made for name, made in card["instruments"].items() if name in recognisers}
    return card


def measure_card(
    dataset: Mapping[str, Any],
    embeddings: Mapping[str, NDArray[np.float32]],
    identities: NDArray[np.str_],
    instruments: Mapping[str, InstrumentCard],
    *,
    seed: int,
) -> dict[str, Any]:
    """Calibrates every recogniser on labelled originals.

    ``dataset`` is its card as JSON; ``embeddings`` (N, D) per recogniser, NaN rows are left out and counted;
    ``identities`` (N,), '' = unlabelled and left out. Raises `DataError` with fewer than two people.
    """
    labelled = identities != ""
    people = len(set(identities[labelled].tolist()))
    if people < 2:
        raise DataError(f"{dataset['name']} names {people} people; calibration needs photos of at least two")
    points: dict[str, list[dict[str, Any]]] = {}
    for name, vectors in embeddings.items():
        usable = labelled & np.isfinite(vectors).all(axis=1)
        found = calibrate(vectors[usable], identities[usable], fmrs=CALIBRATION_FMRS, seed=seed)
        points[name] = [_point(p) for p in found]
    return {
        "schema": CARD_SCHEMA,
        "dataset": f"{dataset['name']} {dataset['revision']}",
        "fingerprint": dataset["fingerprint"],
        "people": people,
        "people_sha256": sorted(person_hash(name) for name in set(identities[labelled].tolist())),
        "faces": int(labelled.sum()),
        "instruments": {name: instrument_identity(instruments[name]) for name in embeddings},
        "points": points,
    }


def instrument_identity(card: InstrumentCard) -> str:
    """What a threshold depends on: our version of the instrument and the bytes of its weights."""
    own = [f"own:{str(card.params[OWN_WEIGHTS])[:16]}"] if OWN_WEIGHTS in card.params else []
    return "+".join([card.version, *(f"{file.key}:{file.sha256[:16]}" for file in card.files), *own])


def usable_points(
    card: Mapping[str, Any], instruments: Mapping[str, InstrumentCard]
) -> dict[str, tuple[OperatingPoint, ...]]:
    """The card's thresholds for those recognisers that are still the ones it was measured with.

    A recogniser of another version gets none: its rates are then "not measured" instead of wrong.
    """
    found: dict[str, tuple[OperatingPoint, ...]] = {}
    for name, points in card.get("points", {}).items():
        if name in instruments and card["instruments"].get(name) == instrument_identity(instruments[name]):
            found[name] = tuple(
                OperatingPoint(p["fmr"], p["threshold"], p["low"], p["high"])
                for p in points
                if p["threshold"] is not None
            )
    return found


def person_hash(identity: str) -> str:
    """Stands for a person without naming them; spelling variants (``Tom Hanks``, ``tom_hanks``) give one hash."""
    plainly = " ".join(identity.casefold().replace("_", " ").split())
    return hashlib.sha256(plainly.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def people_of(dataset: Dataset, samples: Sequence[str]) -> set[str]:
    """The hashes of all people whom the data set names in the given samples."""
    wanted = set(samples)
    return {
        person_hash(label.identity)
        for ref in dataset.refs
        if ref.id in wanted
        for label in ref.labels
        if label.identity
    }


def refuse_shared_people(card: Mapping[str, Any], people: Mapping[str, set[str]]) -> None:
    """Raises `DataError` where somebody in a test set was used to choose the thresholds."""
    used = set(card.get("people_sha256", []))
    for dataset, present in people.items():
        shared = len(present & used)
        if shared:
            raise DataError(
                f"{shared} people of {dataset} were used to calibrate ({card['dataset']}); "
                "use its probe split, or calibrate on other people with --calibrate-on"
            )


def _point(point: CalibratedPoint) -> dict[str, Any]:
    values = point._asdict() if hasattr(point, "_asdict") else vars(point)
    return {
        key: (None if isinstance(value, float) and not np.isfinite(value) else value) for key, value in values.items()
    }
