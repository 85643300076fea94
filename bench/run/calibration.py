"""Operating points: the shipped card, and cards measured on a run's own calibration set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import OWN_WEIGHTS, DatasetCard, InstrumentCard
from unmask.bench.core.errors import DataError
from unmask.bench.core.evidence import ANY_LOOK, LOOKS_VERSION, OperatingPoint
from unmask.bench.core.stats.verification import CALIBRATION_FMRS, CalibratedPoint, calibrate
from unmask.bench.data import Dataset
from unmask.bench.data.identities import person_key
from unmask.bench.store.schemas import Use

SHIPPED: Final = "shipped"
CARD_SCHEMA: Final = "unmask.operating-points/1"
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
            "schema": CARD_SCHEMA,
            "dataset": f"{own.name} {own.revision}",
            "fingerprint": own.fingerprint,
            "points": {},
        }
    card = shipped_card()
    for field in ("points", "instruments"):
        card[field] = {name: v for name, v in card[field].items() if name.removesuffix(ANY_LOOK) in recognisers}
    return card


def measure_card(
    dataset: DatasetCard,
    embeddings: Mapping[str, NDArray[np.float32]],
    identities: NDArray[np.str_],
    instruments: Mapping[str, InstrumentCard],
    *,
    seed: int,
    looks: Mapping[str, Sequence[NDArray[np.float32]]] | None = None,
) -> dict[str, Any]:
    """Calibrates every recogniser on labelled originals, and those with ``looks`` through their looks too.

    ``embeddings`` (N, D) per recogniser, NaN rows are left out and counted;
    ``identities`` (N,), '' = unlabelled and left out; ``looks`` (N, D) each, of the recognisers that read them. Points
    through looks are those of ``sface+any-look`` etc. Raises `DataError` with fewer than two people.
    """
    labelled = identities != ""
    people = len(set(identities[labelled].tolist()))
    if people < 2:
        raise DataError(f"{dataset.name} names {people} people; calibration needs photos of at least two")
    attacks = {name: [vectors] for name, vectors in embeddings.items()}
    attacks |= {f"{name}{ANY_LOOK}": [embeddings[name], *seen] for name, seen in (looks or {}).items()}
    points: dict[str, list[dict[str, Any]]] = {}
    for name, (vectors, *seen) in attacks.items():
        usable = labelled & np.isfinite(vectors).all(axis=1)
        found = calibrate(
            vectors[usable],
            identities[usable],
            fmrs=CALIBRATION_FMRS,
            seed=seed,
            looks=[look[usable] for look in seen],
        )
        points[name] = [_point(p) for p in found]
    return {
        "schema": CARD_SCHEMA,
        "dataset": f"{dataset.name} {dataset.revision}",
        "fingerprint": dataset.fingerprint,
        "people": people,
        "people_sha256": sorted(person_hash(name) for name in set(identities[labelled].tolist())),
        "faces": int(labelled.sum()),
        "instruments": {name: attack_identity(name, instruments[name.removesuffix(ANY_LOOK)]) for name in attacks},
        "points": points,
    }


def instrument_identity(card: InstrumentCard) -> str:
    """What a threshold depends on: our version of the instrument and the bytes of its weights."""
    own = [f"own:{str(card.params[OWN_WEIGHTS])[:16]}"] if OWN_WEIGHTS in card.params else []
    return "+".join([card.version, *(f"{file.key}:{file.sha256[:16]}" for file in card.files), *own])


def attack_identity(name: str, card: InstrumentCard) -> str:
    """The same for an attack by the recogniser of ``card``: through looks it depends on how they are made too."""
    looks = f"+looks:{LOOKS_VERSION}" if name.endswith(ANY_LOOK) else ""
    return instrument_identity(card) + looks


def usable_points(
    card: Mapping[str, Any], instruments: Mapping[str, InstrumentCard]
) -> dict[str, tuple[OperatingPoint, ...]]:
    """The card's thresholds for those recognisers, and their looks, that are still the ones it was measured with.

    A recogniser of another version gets none: its rates are then "not measured" instead of wrong.
    """
    found: dict[str, tuple[OperatingPoint, ...]] = {}
    for name, points in card.get("points", {}).items():
        recogniser = instruments.get(name.removesuffix(ANY_LOOK))
        if recogniser is not None and card["instruments"].get(name) == attack_identity(name, recogniser):
            found[name] = tuple(
                OperatingPoint(p["fmr"], p["threshold"], p["low"], p["high"])
                for p in points
                if p["threshold"] is not None
            )
    return found


def person_hash(identity: str) -> str:
    """Stands for a person without naming them; spelling variants (``Tom Hanks``, ``tom_hanks``) give one hash."""
    return hashlib.sha256(person_key(identity).encode("utf-8", "surrogatepass")).hexdigest()[:16]


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


def refuse_shared_people(tests: Mapping[str, set[str]], others: Mapping[tuple[Use, str], set[str]]) -> None:
    """Raises `DataError` where somebody in a test set is in a data set of another use.

    ``tests``: data set -> hashes of its people; ``others``: use and data set -> the same.
    """
    for (use, other), people in others.items():
        for dataset, present in tests.items():
            if shared := len(present & people):
                raise DataError(f"{shared} people of {dataset} {_SHARED[use].format(other)}")


def _point(point: CalibratedPoint) -> dict[str, Any]:
    values = point._asdict() if hasattr(point, "_asdict") else vars(point)
    return {
        key: (None if isinstance(value, float) and not np.isfinite(value) else value) for key, value in values.items()
    }
