"""Metrics, instruments and attackers that each break one rule of their contract; the templates break none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from unmask.bench.core.types import FaceView
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.templates import attacker, instrument, metric


class Untitled(metric.Example):
    cards = (replace(metric.Example.cards[0], title=""),)


class Raises(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        _ = evidence.anonymized["sface"]
        return super().ask(evidence)


class Nameless(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        for item in super().ask(evidence):
            yield replace(item, metric="another")


class Twice(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        yield from super().ask(evidence)
        yield from super().ask(evidence)


class Short(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        for item in super().ask(evidence):
            yield replace(item, values=item.values[1:])


class OutOfBounds(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        for item in super().ask(evidence):
            yield replace(item, values=item.values + 2)


class DividesByNothing(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        scored = np.ones(len(evidence.faces), np.bool_)
        yield SetStatistic("example", "sface", lambda weights: float(1 // float(weights.sum())), scored)


class Random(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        n = len(evidence.faces)
        yield UnitValues("example", "sface", np.random.default_rng(time.time_ns()).random(n))


class WritesEvidence(metric.Example):
    def ask(self, evidence: Any) -> Iterator[Any]:
        items = list(super().ask(evidence))
        evidence.ms[:] = 0
        return iter(items)


class Unlimited(instrument.Example):
    card = replace(instrument.Example.card, limits="")


class RaisesOnFaces(instrument.Example):
    def _embedding(self, face: FaceView) -> Any:
        raise ValueError("no")


class WrongDtype(instrument.Example):
    def read(self, faces: Sequence[FaceView]) -> Any:
        return {"embedding": super().read(faces)["embedding"].astype(np.float64)}


class Guesses(instrument.Example):
    def read(self, faces: Sequence[FaceView]) -> Any:
        return {"embedding": np.nan_to_num(super().read(faces)["embedding"], nan=1 / instrument.SIDE)}


class Long(instrument.Example):
    def read(self, faces: Sequence[FaceView]) -> Any:
        return {"embedding": super().read(faces)["embedding"] * 2}


class OverTheBatch(instrument.Example):
    def read(self, faces: Sequence[FaceView]) -> Any:
        rows = super().read(faces)["embedding"]
        moved = rows - 0.5 * np.nanmean(rows, axis=0, keepdims=True) if len(rows) else rows
        return {"embedding": (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)}


class WritesImages(instrument.Example):
    def read(self, faces: Sequence[FaceView]) -> Any:
        read = super().read(faces)
        for face in faces:
            face.image[-1, -1] = 0
        return read


class CannotOpen(instrument.Example):
    @classmethod
    def open(cls, files: Any, device: str) -> Any:
        raise FileNotFoundError("weights")


class NoKnowledge(attacker.Example):
    card = replace(attacker.Example.card, knows=" ")


class Lists(attacker.Example):
    def fit(self, background: Any, *, seed: int) -> Any:
        return {"shift": [1.0, 2.0]}


class FitsByChance(attacker.Example):
    def fit(self, background: Any, *, seed: int) -> Any:
        return {"shift": super().fit(background, seed=seed)["shift"] + np.float32(np.random.default_rng().random())}


class Drops(attacker.Example):
    def read(self, state: Any, readings: Any, *, released: bool) -> Any:
        rows = super().read(state, readings, released=released)
        return {name: np.where(np.arange(len(r))[:, None] == 3, np.nan, r) for name, r in rows.items()}


class Invents(attacker.Example):
    def read(self, state: Any, readings: Any, *, released: bool) -> Any:
        return {
            name: np.nan_to_num(r, nan=0.25) for name, r in super().read(state, readings, released=released).items()
        }


class Crowd(attacker.Example):
    def read(self, state: Any, readings: Any, *, released: bool) -> Any:
        means = {name: np.nanmean(rows, axis=0) if len(rows) else 0 for name, rows in readings.items()}
        moved = {name: rows - 0.5 * means[name] for name, rows in readings.items()}
        return super().read(state, moved, released=released)


class AlwaysLearns(attacker.Example):
    def fit(self, background: Any, *, seed: int) -> Any:
        difference = background.released["embedding"] - background.original["embedding"]
        return {"shift": np.nanmean(difference, axis=0).astype(np.float32)}


class WritesReadings(attacker.Example):
    def fit(self, background: Any, *, seed: int) -> Any:
        background.original["embedding"][0] = 0
        return super().fit(background, seed=seed)


class Dies(attacker.Example):
    def fit(self, background: Any, *, seed: int) -> Any:
        os._exit(9)


class Waits(attacker.Example):
    card: ClassVar[Any] = attacker.Example.card

    def read(self, state: Any, readings: Any, *, released: bool) -> Any:
        while True:
            time.sleep(1)
