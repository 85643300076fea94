"""Metrics, instruments and attackers that each break one rule of their contract; the templates break none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from unmask.bench.core.types import Box, FaceView
from unmask.bench.core.values import AUDIT, CLIPS, SetStatistic, UnitValues
from unmask.bench.core.video import PersonBox, Tracks
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


class Seer:
    """A person detector that sees one person in every image that is large enough."""

    card = replace(instrument.Example.card, role="people")

    def load(self, files: Any, device: str) -> None: ...

    def detect(self, images: Sequence[Any]) -> list[list[PersonBox]]:
        return [[PersonBox(Box(1, 1, 8, 16), 0.5)] if min(image.shape[:2]) > 20 else [] for image in images]


class LeavesTheImage(Seer):
    def detect(self, images: Sequence[Any]) -> list[list[PersonBox]]:
        return [[PersonBox(Box(0, 0, image.shape[1] + 5, 1), 0.5)] for image in images]


class SeesByBatch(Seer):
    def detect(self, images: Sequence[Any]) -> list[list[PersonBox]]:
        return super().detect(images) if len(images) > 1 else [[] for _ in images]


class SeesNobody(Seer):
    def detect(self, images: Sequence[Any]) -> list[list[PersonBox]]:
        return [[] for _ in images]


class Follower:
    """A tracker that numbers people by their place in the list; what it keeps is the session's own."""

    card = replace(instrument.Example.card, role="tracker")

    def load(self, files: Any, device: str) -> None: ...

    def start(self) -> Any:
        return Following()


class Following:
    def __init__(self) -> None:
        self.rows: list[tuple[int, int, tuple[float, ...]]] = []
        self.frames = 0

    def update(self, image: Any, people: Sequence[PersonBox], embeddings: Any = None) -> list[int]:
        numbers = list(range(1, len(people) + 1))
        boxes = [(person.box.x, person.box.y, person.box.w, person.box.h) for person in people]
        self.rows += [(self.frames, number, box) for number, box in zip(numbers, boxes, strict=True)]
        self.frames += 1
        return numbers

    def tracks(self) -> Tracks:
        return Tracks.sorted([f for f, *_ in self.rows], [n for _, n, _ in self.rows], [b for *_, b in self.rows])


class Forgets(Follower):
    def start(self) -> Any:
        class Forgetting(Following):
            def update(self, image: Any, people: Sequence[PersonBox], embeddings: Any = None) -> list[int]:
                return [number + 2 * self.frames for number in super().update(image, people, embeddings)]

        return Forgetting()


class Shares(Follower):
    session = Following()

    def start(self) -> Any:
        return self.session


class Unnumbered(Follower):
    def start(self) -> Any:
        class Floats(Following):
            def update(self, image: Any, people: Sequence[PersonBox], embeddings: Any = None) -> Any:
                return [float(number) for number in super().update(image, people, embeddings)]

        return Floats()


class NoClipsAtAll(metric.Example):
    """A metric of clips that takes it for granted that there is a face."""

    needs = (CLIPS, "role:recogniser")

    def ask(self, evidence: Any) -> Iterator[Any]:
        _ = evidence.clips.tracks[0]
        return super().ask(evidence)


class NoAttackers(metric.Example):
    """A metric of audits that takes it for granted that the method could be run."""

    needs = (AUDIT, "role:recogniser")

    def ask(self, evidence: Any) -> Iterator[Any]:
        if evidence.audit is not None:
            _ = evidence.audit.again["sface"]
        return super().ask(evidence)
