"""What every registered attacker must keep, and what the harness makes of those that do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tests.contract.test_metrics import EVIDENCES, METRICS, evidence_of, metrics_asked_of
from unmask.bench.core import registry
from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.evidence import Evidence, Readings
from unmask.bench.core.protocols import Attacker, Background, Columns
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.views import ACTIVATIONS
from unmask.bench.run.contracts.made_up import RECOGNISERS, make_evidence
from unmask.bench.run.figures.attacking import IGNORANT
from unmask.bench.run.figures.attacking import read_by as readings_by

ATTACKERS = [
    name
    for name in registry.names("attacker")
    if registry.create_attacker(parse_spec(name)).card.view != ACTIVATIONS  # no embeddings: see test_fine_tuned
]
DIM = 16


def read_by(attacker: Attacker, evidence: Evidence, states: Mapping[str, Columns] | None = None) -> Evidence:
    """The evidence with the recognisers' readings as ``attacker`` reads them, by what it learned of each."""

    def read(readings: Readings, *, released: bool) -> dict[str, Columns]:
        return {
            name: readings_by(attacker, (states or {}).get(name, {}), columns, released=released)
            if name in evidence.recognisers
            else columns
            for name, columns in readings.items()
        }

    return replace(
        evidence, original=read(evidence.original, released=False), anonymized=read(evidence.anonymized, released=True)
    )


def answers(name: str, evidence: Evidence) -> list[dict[str, Any]]:
    return [
        {field.name: plain(getattr(item, field.name), item) for field in fields(item)}
        for item in METRICS[name].ask(replace(evidence))
    ]


def plain(value: Any, item: Any) -> Any:
    """A field of an answer; of a statistic what it gives for all units and without the first."""
    if callable(value):
        weights = np.tile(item.scored.astype(np.float64), (2, 1))
        weights[1, :1] = 0
        return value(weights) if value is item.compute_all else [value(row) for row in weights]
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name), value) for field in fields(value)}
    if isinstance(value, Mapping):
        return {name: plain(each, item) for name, each in value.items()}
    return [plain(each, item) for each in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("kind", EVIDENCES)
def test_the_ignorant_attacker_leaves_every_number_as_it_is(kind: str) -> None:
    read = read_by(registry.create_attacker(parse_spec(IGNORANT)), evidence_of(kind))
    names = metrics_asked_of(kind)
    np.testing.assert_equal(
        {name: answers(name, read) for name in names}, {name: answers(name, evidence_of(kind)) for name in names}
    )


def background(seed: int, turn: NDArray[np.float32] | None = None, people: int = 40) -> Background:
    """Readings of people who are in no evidence; ``turn`` (D, D): what the method does to them."""
    faces = make_evidence(people, 2, noise=0.1, seed=seed, dim=DIM, known_place=0.2, looks={"mirrored": 0.3})
    name = next(iter(RECOGNISERS))
    matrix = np.eye(DIM, dtype=np.float32) if turn is None else turn
    released = {reading: rows @ matrix for reading, rows in faces.anonymized[name].items()}
    for side in (faces.original[name], released):
        for rows in side.values():
            rows.setflags(write=False)
    return Background(faces.original[name], released, faces.truth.identity)


def stored(state: Columns, folder: Path) -> Columns:
    """What comes back of a state that was written to the disk."""
    save_file(dict(state), folder / "state.safetensors")
    return load_file(folder / "state.safetensors")


@pytest.mark.parametrize("name", ATTACKERS)
def test_an_attacker_learns_the_same_again_and_reads_each_face(name: str, tmp_path: Path) -> None:
    attacker = registry.create_attacker(parse_spec(name))
    assert isinstance(attacker.card, AttackerCard)
    assert attacker.card.name == name
    assert attacker.card.knows
    people = background(7)
    state = stored(attacker.fit(people, seed=3), tmp_path)
    np.testing.assert_equal(registry.create_attacker(parse_spec(name)).fit(people, seed=3), state)
    evidence = make_evidence(unscored=(1, 8), dim=DIM, known_place=0.5, looks={})
    for readings in (evidence.original, evidence.anonymized):
        for recogniser in RECOGNISERS:
            for rows in readings[recogniser].values():
                rows.setflags(write=False)
    seen = read_by(attacker, evidence, dict.fromkeys(RECOGNISERS, state))
    lengths = set()
    for before, after in ((evidence.original, seen.original), (evidence.anonymized, seen.anonymized)):
        assert after.keys() == before.keys()
        for recogniser in RECOGNISERS:
            assert after[recogniser].keys() == before[recogniser].keys()
            for reading, rows in after[recogniser].items():
                lengths.add(rows.shape[1])
                unread = np.isnan(before[recogniser][reading]).any(axis=1)
                np.testing.assert_array_equal(np.isnan(rows).any(axis=1), unread)
                np.testing.assert_allclose(np.linalg.norm(rows[~unread], axis=1), 1, atol=1e-5)
    assert len(lengths) == 1


@pytest.mark.parametrize("name", ATTACKERS)
def test_an_attacker_that_has_not_learned_enough_says_so(name: str) -> None:
    """A map that changes nothing in its place would be the ignorant attacker under another name."""
    attacker = registry.create_attacker(parse_spec(name))
    if not attacker.fit(background(7), seed=0):
        pytest.skip("learns nothing")
    with pytest.raises(UnavailableError, match=rf"attacker '{name}' needs .* at least \d+ background people"):
        attacker.fit(background(7, people=5), seed=0)
    for released in (False, True):
        with pytest.raises(UnavailableError, match=f"attacker '{name}' has learned nothing"):
            attacker.read({}, background(7).released, released=released)


@pytest.mark.parametrize("name", ATTACKERS)
def test_an_attacker_reads_a_face_as_it_is_whoever_else_is_there(name: str) -> None:
    attacker = registry.create_attacker(parse_spec(name))
    people = background(7)
    state = attacker.fit(people, seed=0)
    for released in (False, True):
        rows = people.released["embedding"]
        everybody = attacker.read(state, {"embedding": rows}, released=released)["embedding"]
        few = attacker.read(state, {"embedding": rows[3:5]}, released=released)["embedding"]
        np.testing.assert_allclose(few, everybody[3:5], atol=1e-5)
        assert attacker.read(state, {"embedding": rows[:0]}, released=released)["embedding"].shape[0] == 0


class Turning:
    """Learns the rotation that a method turns readings by (orthogonal Procrustes)."""

    card = AttackerCard("turning", "1", "turning", "pairs of other people", "Procrustes", "-")

    def fit(self, background: Background, *, seed: int) -> Columns:
        u, _, v = np.linalg.svd(background.released["embedding"].T @ background.original["embedding"])
        return {"turn": (u @ v).astype(np.float32)}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        return {name: rows @ state["turn"] if released else rows for name, rows in readings.items()}


def mean_distance(evidence: Evidence) -> float:
    (values,) = [v for v in METRICS["own_distance"].ask(evidence) if v.instrument == "sface" and v.region == "face"]
    return float(np.nanmean(values.values))


def test_what_an_attacker_learns_of_others_is_what_the_metrics_ask_about() -> None:
    rng = np.random.default_rng(5)
    turn = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0].astype(np.float32)
    plain = make_evidence(noise=0.1, dim=DIM)
    turned = {name: {"embedding": plain.anonymized[name]["embedding"] @ turn} for name in RECOGNISERS}
    evidence = replace(plain, anonymized={**plain.anonymized, **turned})
    state = Turning().fit(background(7, turn), seed=0)
    ignorant = mean_distance(read_by(registry.create_attacker(parse_spec(IGNORANT)), evidence))
    informed = mean_distance(read_by(Turning(), evidence, dict.fromkeys(RECOGNISERS, state)))
    assert mean_distance(plain) == pytest.approx(informed, abs=0.05)
    assert ignorant > 0.8 > 0.2 > informed


class Broken(Turning):
    def __init__(self, how: str) -> None:
        self.how = how

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        rows = np.array(readings["embedding"])
        changed = {
            "drops": {"embedding": np.where(np.arange(len(rows))[:, None] == 0, np.nan, rows)},
            "invents": {"embedding": np.nan_to_num(rows)},
            "shortens": {"embedding": rows[1:]},
            "renames": {"face": rows},
        }
        return changed[self.how]


@pytest.mark.parametrize("how", ["drops", "invents", "shortens", "renames"])
def test_an_attacker_that_drops_or_invents_readings_is_refused(how: str) -> None:
    with pytest.raises(UnavailableError, match="attacker 'turning'"):
        read_by(Broken(how), make_evidence(unscored=(3,)))


def test_only_recognisers_are_read_anew() -> None:
    def others(readings: Readings) -> dict[str, Any]:
        return {name: columns for name, columns in readings.items() if name not in RECOGNISERS}

    evidence, attacker = make_evidence(dim=DIM), registry.create_attacker(parse_spec(IGNORANT))
    np.testing.assert_equal(others(read_by(attacker, evidence).anonymized), others(evidence.anonymized))
