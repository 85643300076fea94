"""Operating points: thresholds of recognisers, measured on a data set of other people, and whether they still hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.cards import OWN_WEIGHTS, DatasetCard, InstrumentCard
from unmask.bench.core.errors import DataError
from unmask.bench.core.evidence import ANY_LOOK, LOOKS, LOOKS_VERSION, OperatingPoint, look_column
from unmask.bench.core.stats.verification import CALIBRATION_FMRS, calibrate
from unmask.bench.data.identities import person_hash
from unmask.bench.run.figures.assemble import Originals, assemble_originals
from unmask.bench.store.documents import write_json
from unmask.bench.store.run_folder import OWN_CARD, RunFolder
from unmask.bench.store.schemas import POINTS_SCHEMA, Plan


def measure_own_card(folder: RunFolder, plan: Plan) -> None:
    """Calibrates on the run's own calibration set, if it has one and recognisers."""
    for dataset in plan.used_to("calibrate") if plan.recognisers else ():
        originals = assemble_originals(folder, plan, dataset.label)
        write_json(folder.results / OWN_CARD, card_of(originals, plan, dataset.card))


def card_of(originals: Originals, plan: Plan, dataset: DatasetCard, left_out: Collection[str] = ()) -> dict[str, Any]:
    """The calibration card of the plan's recognisers by the readings of a data set; ``left_out``: hashes of people."""
    cards = {name: registry.instrument_card(name) for name in plan.recognisers}
    readings = originals.readings
    return measure_card(
        dataset,
        {name: readings[name]["embedding"] for name in cards},
        np.array(["" if person_hash(name) in left_out else name for name in originals.truth.identity], np.str_),
        cards,
        seed=plan.settings.seed,
        looks={n: [readings[n][look_column(look)] for look in LOOKS] for n, card in cards.items() if card.looks},
    )


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
        thresholds = calibrate(
            vectors[usable], identities[usable], fmrs=CALIBRATION_FMRS, seed=seed, looks=[look[usable] for look in seen]
        )
        points[name] = [{key: v if np.isfinite(v) else None for key, v in p._asdict().items()} for p in thresholds]
    return {
        "schema": POINTS_SCHEMA,
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
    """The card's thresholds for those recognisers, and their looks, that are still the ones it was measured with. A
    recogniser of another version gets none: its rates are then "not measured" instead of wrong."""
    usable: dict[str, tuple[OperatingPoint, ...]] = {}
    for name, points in card.get("points", {}).items():
        recogniser = instruments.get(name.removesuffix(ANY_LOOK))
        if recogniser is not None and card["instruments"].get(name) == attack_identity(name, recogniser):
            usable[name] = tuple(
                OperatingPoint(p["fmr"], p["threshold"], p["low"], p["high"])
                for p in points
                if p["threshold"] is not None
            )
    return usable
