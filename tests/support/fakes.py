"""Instruments, trackers and a metric for painted pictures, and the registry that holds them and `fake_methods`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest

from tests.support import painted
from tests.support.fake_methods import ByName, EditFaces
from unmask.bench.core import registry
from unmask.bench.core.cards import InstrumentCard, MetricCard, Role
from unmask.bench.core.evidence import LOOKS, Evidence, look_column
from unmask.bench.core.protocols import Columns
from unmask.bench.core.registry import TABLES as BUILTIN
from unmask.bench.core.types import Box, Detection, FaceView, Floats32, Image, RegionPair
from unmask.bench.core.values import Finding, Histogram, UnitValues
from unmask.bench.core.video import PersonBox, Tracks
from unmask.bench.run.jobs import opened

DIMENSION = 8


def _card(name: str, role: Role, **more: Any) -> InstrumentCard:
    return InstrumentCard(name, "1", role, "painted", "MIT", "a test", **more)


class _Opened:
    card: ClassVar[InstrumentCard]
    calls: ClassVar[dict[str, int]] = {}
    """Instrument -> faces, pictures or pairs that it has read."""

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        return cls()

    @classmethod
    def _count(cls, pieces: Sequence[Any]) -> None:
        _Opened.calls[cls.card.name] = _Opened.calls.get(cls.card.name, 0) + len(pieces)


class Judge(_Opened):
    card = _card("yunet", "detector")
    sees = painted.SEEN

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        self._count(images)
        return [painted.faces_seen(image, self.sees) for image in images]


class SecondDetector(Judge):
    card = _card("blazeface", "detector")
    sees = painted.BY_SECOND


class Recogniser(_Opened):
    """Reads who a face is; where no face begins, it reads `painted.NOBODY`."""

    card = _card("mobilefacenet", "recogniser", looks=True)
    blind: ClassVar[int | None] = None

    def read(self, faces: Sequence[FaceView]) -> Columns:
        self._count(faces)
        return {"embedding": self._embeddings([_who(face) for face in faces])}

    def read_looks(self, faces: Sequence[FaceView]) -> Columns:
        unmasked = [_who(face) % painted.DISGUISED for face in faces]
        plain = [_who(face) for face in faces]
        return {look_column(look): self._embeddings(unmasked if look == "mirrored" else plain) for look in LOOKS}

    def _embeddings(self, numbers: Sequence[int]) -> Floats32:
        rows = np.eye(DIMENSION, dtype=np.float32)[[n if n < DIMENSION else painted.NOBODY for n in numbers]]
        rows = rows.reshape(-1, DIMENSION)
        rows[[n == self.blind for n in numbers]] = np.nan
        return rows


class SFace(Recogniser):
    card = _card("sface", "recogniser")
    blind = painted.SFACE_BLIND


def _corner(face: FaceView) -> tuple[int, int]:
    return round(face.box.y), round(face.box.x)


def _who(face: FaceView) -> int:
    red, who, _ = face.image[_corner(face)]
    return int(who) if red == 255 else painted.NOBODY


class Attributes(_Opened):
    card = _card("face-api", "attributes")

    def read(self, faces: Sequence[FaceView]) -> Columns:
        self._count(faces)
        pixels = np.array([f.image[_corner(f)[0], _corner(f)[1] + 1] for f in faces], np.float32).reshape(-1, 3)
        age = np.where(pixels[:, 2] == 255, np.nan, pixels[:, 0] / 2)
        female = np.where(pixels[:, 1] == 255, np.nan, pixels[:, 1] / 200)
        return {"age": age.astype(np.float32), "p_female": female.astype(np.float32)}


class Skin(_Opened):
    card = _card("skin-kmeans", "skin")

    def read(self, faces: Sequence[FaceView]) -> Columns:
        self._count(faces)
        pixels = np.array([f.image[_corner(f)[0], _corner(f)[1] + 2] for f in faces], np.float32).reshape(-1, 3)
        return {**{name: pixels[:, k] for k, name in enumerate("rgb")}, "ita": pixels[:, 0] - 128}


class Features(_Opened):
    """The mean colour of a picture."""

    card = _card("inception", "features")

    def read(self, images: Sequence[Image]) -> Columns:
        self._count(images)
        return {"features": np.array([i.mean(axis=(0, 1)) for i in images], np.float32).reshape(-1, 3)}


class Pixels(_Opened):
    """The mean absolute difference over the pixels that count."""

    card = _card("pixels", "pair")

    def compare(self, pairs: Sequence[RegionPair]) -> Columns:
        self._count(pairs)
        values = [np.abs(p.original.astype(int) - p.anonymized)[_mask(p)].mean() for p in pairs]
        return {"l1|standard": np.array(values, np.float32)}


def _mask(pair: RegionPair) -> Any:
    return np.ones(pair.original.shape[:2], np.bool_) if pair.mask is None else pair.mask


class People:
    """A person's number is their score."""

    @property
    def card(self) -> InstrumentCard:
        return _card("yolov3-tiny", "people")

    def load(self, files: Any, device: str) -> None: ...

    def detect(self, images: Sequence[Image]) -> list[list[PersonBox]]:
        return [[PersonBox(box, who / 100) for who, box in painted.people_seen(image)] for image in images]


class ByScore:
    """Takes equal scores for one person; with embeddings, those that are near to each other."""

    def __init__(self, *, prefix: int = 0) -> None:
        self._prefix = prefix

    @property
    def card(self) -> InstrumentCard:
        return _card("sort", "tracker", params={"prefix": self._prefix})

    def load(self, files: Any, device: str) -> None: ...

    def start(self) -> _Session:
        return _Session(self._prefix)


class ByEmbedding(ByScore):
    def __init__(
        self, *, max_cosine_distance: float = 0, max_iou_distance: float = 0, n_init: int = 1, nn_budget: int = 1
    ) -> None:
        super().__init__()

    @property
    def card(self) -> InstrumentCard:
        return _card("deepsort", "tracker")


class _Session:
    def __init__(self, prefix: int) -> None:
        self._prefix, self._number = prefix, 0
        self._people: list[Floats32] = []
        self._rows: list[tuple[int, int, Box]] = []

    def update(self, image: Image, people: Sequence[PersonBox], embeddings: Floats32 | None = None) -> list[int]:
        if embeddings is None:
            tracks = [self._prefix + round(person.score * 100) for person in people]
        else:
            tracks = [self._track(row) for row in embeddings]
        self._rows += [(self._number, track, person.box) for track, person in zip(tracks, people, strict=True)]
        self._number += 1
        return tracks

    def _track(self, row: Floats32) -> int:
        """Numbers that do not start at 0, as real trackers give them."""
        for k, person in enumerate(self._people):
            if float(person @ row) > 0.9:
                return 10 + k
        self._people.append(row)
        return 9 + len(self._people)

    def tracks(self) -> Tracks:
        frame, track = ([row[k] for row in self._rows] for k in (0, 1))
        return Tracks.sorted(frame, track, [(b.x, b.y, b.w, b.h) for *_, b in self._rows])


class Marks:
    """Counts faces: a value for each, a histogram and a finding."""

    needs: ClassVar[tuple[str, ...]] = ("yunet",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard("marks", "1", "utility", "higher", "faces", (0.0, None), "Marks", "?", "", ""),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | Histogram | Finding]:
        faces = len(evidence.faces)
        yield UnitValues("marks", "counted", np.ones(faces))
        yield Histogram("marks", "counted", (0.0, 1.0, 2.0), {"faces": (0, faces)})
        yield Finding("marks", faces, faces, f"{faces} of {faces} faces were counted")


INSTRUMENTS = (Judge, SecondDetector, Recogniser, SFace, Attributes, Skin, Features, Pixels)
_HERE, _METHODS = "tests.support.fakes", "tests.support.fake_methods"
TABLES: Mapping[str, Mapping[str, str]] = {
    "instrument": {
        **{cls.card.name: f"{_HERE}:{cls.__name__}" for cls in INSTRUMENTS},
        "photometric": BUILTIN["instrument"]["photometric"],
        "yolov3-tiny": f"{_HERE}:People",
        "deepsort": f"{_HERE}:ByEmbedding",
        "sort": f"{_HERE}:ByScore",
    },
    "method": {
        **{name: BUILTIN["method"][name] for name in ("none", "outputs")},
        "edit": f"{_METHODS}:EditFaces",
        "noise": f"{_METHODS}:Noise",
        "drawn": f"{_METHODS}:Drawn",
        "by-name": f"{_METHODS}:ByName",
    },
    "metric": {**BUILTIN["metric"], "marks": f"{_HERE}:Marks"},
}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes these the registered ones, beside our metrics, and forgets what was opened before."""
    real = registry.targets
    monkeypatch.setattr(registry, "targets", lambda kind: TABLES.get(kind) or real(kind))
    for name in ("open_instrument", "method"):
        fresh = lru_cache(getattr(opened, name).__wrapped__)
        monkeypatch.setattr(opened, name, fresh)
    for record in (_Opened.calls, EditFaces.seen, EditFaces.batches, ByName.expected):
        record.clear()  # type: ignore[attr-defined]


def raise_version(monkeypatch: pytest.MonkeyPatch, cls: Any) -> None:
    """An instrument's next version, for plans that are made from now on."""
    monkeypatch.setattr(cls, "card", replace(cls.card, version=f"{cls.card.version}+"))


def workload() -> dict[str, int]:
    """How many faces, pictures or pairs each instrument read since `install`, or since the last call of this."""
    counts = {name: count for name, count in _Opened.calls.items() if count}
    _Opened.calls.clear()
    return counts
