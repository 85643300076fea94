"""The contract of an instrument, checked on drawn faces; of trackers on people who walk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, get_args

import numpy as np

from unmask.bench.core.cards import Role
from unmask.bench.core.types import Box, FaceView, RegionPair
from unmask.bench.fetch.packages import fetch_all
from unmask.bench.run.contracts import drawn, people
from unmask.bench.run.contracts.trying import check_texts, copied, is_same, tried
from unmask.bench.run.contracts.verdicts import Ledger

COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    "recogniser": frozenset({"embedding"}),
    "attributes": frozenset({"age", "p_female"}),
    "skin": frozenset({"r", "g", "b", "ita"}),
    "photometry": frozenset({"statistics", "around"}),
    "features": frozenset({"features"}),
}
"""What each role must give at least."""
TOLERANCE: Final = 2e-3
"""Share of the largest value: the sums of a convolution may be added up in another order in another batch."""
_PAIR_COLUMN: Final = re.compile(r"[a-z0-9_]+\|[a-z0-9-]+")
_READ_FACES: Final = ("recogniser", "attributes", "skin", "expression", "pose", "photometry")
Columns = Mapping[str, Any]


def check(ledger: Ledger, create: Callable[[], Any], device: str) -> None:
    """``create``: the instrument's class, or a new instance of one with parameters."""
    maker = create()
    card = maker.card
    check_texts(ledger, card, "name", "version", "role", "description", "licence", "source", "limits")
    if card.role not in get_args(Role):
        ledger.break_("card", f"its role is {card.role!r}; it must be one of {', '.join(get_args(Role))}")
    for file in card.files:
        if not re.fullmatch(r"[0-9a-f]{64}", file.sha256) or file.size <= 0:
            ledger.break_("card", f"its file {file.key!r} has no sha256 and size")
    ledger.keep("card")
    if ledger.is_broken("card"):
        return
    files = fetch_all(card.files)
    if isinstance(maker, type):
        instrument = maker.open(files, device)  # type: ignore[attr-defined]
    else:
        maker.load(files, device)
        instrument = maker
    if card.role == "detector":
        _check_detector(ledger, instrument)
    elif card.role == "people":
        people.check_detector(ledger, instrument)
    elif card.role == "tracker":
        people.check_tracker(ledger, instrument)
    else:
        _check_columns(ledger, instrument, card.role)


def _items(role: str) -> list[Any]:
    photos = drawn.faces()
    if role == "features":
        return [photo.sample.image[40:200, 20:180] for photo in photos]
    if role == "pair":
        images = [photo.sample.image[:200, :200] for photo in photos]
        return [RegionPair(image, (image * 0.8 + 20).astype(np.uint8)) for image in images]
    return [FaceView(photo.sample.image, photo.faces[0], drawn.landmarks(photo.faces[0])) for photo in photos]


def _check_columns(ledger: Ledger, instrument: Any, role: str) -> None:
    read: Callable[[list[Any]], Columns] = instrument.compare if role == "pair" else instrument.read
    items = _items(role)
    before = copied([_plain(item) for item in items])
    together = tried(ledger, "answers", "ordinary faces", lambda: read(items))
    if together is None:
        return
    empty = tried(ledger, "shapes", "an empty list", lambda: read([]))
    if wrong := _wrong_columns(together, len(items), role) or (
        _wrong_columns(empty, 0, role) or _unlike(together, empty) if empty is not None else ""
    ):
        ledger.break_("shapes", wrong)
        return
    ledger.keep("answers", "shapes")
    if role in _READ_FACES:
        _check_rows(ledger, read, together, role)
    else:
        if any(np.isnan(column).any() for column in together.values()):
            ledger.break_("nan", "it gives NaN for ordinary regions")
        ledger.keep("nan", "norm")
    _check_batch(ledger, read, items, together)
    if not is_same(before, [_plain(item) for item in items]):
        ledger.break_("inputs", "it wrote into images or landmarks")
    ledger.keep("inputs")


def _plain(item: Any) -> Any:
    if isinstance(item, FaceView):
        return [item.image, item.landmarks]
    return [item.original, item.anonymized] if isinstance(item, RegionPair) else [item]


def _wrong_columns(columns: Any, n: int, role: str) -> str:
    if not isinstance(columns, Mapping):
        return f"it returned a {type(columns).__name__}, not a dict of arrays"
    if lacking := COLUMNS.get(role, frozenset()) - set(columns):
        return f"the column {sorted(lacking)[0]!r} of the role {role} is missing"
    for name, column in columns.items():
        if role == "pair" and not _PAIR_COLUMN.fullmatch(name):
            return f"the column {name!r} must be called metric|variant"
        if not isinstance(column, np.ndarray) or column.dtype != np.float32 or column.ndim == 0 or len(column) != n:
            dtype, shape = getattr(column, "dtype", type(column).__name__), getattr(column, "shape", "")
            return f"the column {name!r} is {dtype} {shape} for {n} items, float32 with {n} rows wanted"
    return ""


def _unlike(together: Columns, empty: Columns) -> str:
    return "" if set(together) == set(empty) else "an empty list has other columns than faces have"


def _check_rows(ledger: Ledger, read: Callable[[list[Any]], Columns], together: Columns, role: str) -> None:
    """NaN where a face cannot be read and nowhere else, and the length of embeddings."""
    readable = {name: np.isfinite(column).reshape(len(column), -1).all(axis=1) for name, column in together.items()}
    for name in COLUMNS.get(role, frozenset()) - {"around"}:
        if not readable[name].all():
            ledger.break_("nan", f"{name!r} is NaN for {int((~readable[name]).sum())} of 3 ordinary faces")
    photo = drawn.faces()[0]
    spoilt = FaceView(photo.sample.image, Box(5, 5, 0, 0), np.full((5, 2), np.nan, np.float32))
    rows = tried(ledger, "nan", "a box without an area", lambda: read([_items(role)[0], spoilt]))
    if rows is not None and role == "recogniser" and not np.isnan(rows["embedding"][1]).all():
        ledger.break_("nan", "a box without an area has an embedding")
    ledger.keep("nan")
    if role == "recogniser":
        lengths = np.linalg.norm(together["embedding"][readable["embedding"]], axis=1)
        if not np.allclose(lengths, 1, atol=1e-4):
            ledger.break_("norm", f"embeddings have lengths of {lengths.min():.3g} to {lengths.max():.3g}")
    ledger.keep("norm")


def _check_batch(ledger: Ledger, read: Callable[[list[Any]], Columns], items: list[Any], together: Columns) -> None:
    backwards = tried(ledger, "batch", "in another order", lambda: read(_fresh(items)[::-1]))
    alone = tried(ledger, "batch", "one by one", lambda: [read([item]) for item in _fresh(items)])
    if backwards is not None and alone is not None:
        for name, column in together.items():
            largest = TOLERANCE * float(np.nanmax(np.abs(column), initial=1e-6))
            parts = np.concatenate([part[name] for part in alone])
            for what, other in (("in another order", backwards[name][::-1]), ("one by one", parts)):
                if not np.allclose(column, other, atol=largest, equal_nan=True):
                    ledger.break_("batch", f"{name!r} is another one where the same faces come {what}")
    ledger.keep("batch")


def _fresh(items: list[Any]) -> list[Any]:
    """The same without crops that were kept."""
    return [FaceView(i.image, i.box, i.landmarks) if isinstance(i, FaceView) else i for i in items]


def _check_detector(ledger: Ledger, instrument: Any) -> None:
    photos = [*drawn.faces(), drawn.no_face(), drawn.many_faces()]
    images = [photo.sample.image for photo in photos]
    before = copied(images)
    detections = tried(ledger, "answers", "drawn photos", lambda: instrument.detect(images))
    nothing = tried(ledger, "shapes", "an empty list", lambda: instrument.detect([]))
    if detections is None or nothing is None:
        return
    if list(nothing) != [] or len(detections) != len(images):
        ledger.break_("shapes", f"it returned {len(detections)} lists for {len(images)} photos")
        return
    for faces in detections:
        for face in faces:
            if np.shape(face.landmarks) != (5, 2) or not 0 <= face.score <= 1:
                ledger.break_("shapes", "a detection needs landmarks of shape (5, 2) and a score of 0..1")
    ledger.keep("shapes", "norm", "nan")
    missed = [p.sample.id for p, faces in zip(photos, detections, strict=True) if len(faces) < len(p.faces)]
    if missed:
        ledger.break_("answers", f"it misses faces of {len(missed)} of {len(photos)} drawn photos")
    ledger.keep("answers")
    alone = tried(ledger, "batch", "one by one", lambda: [instrument.detect([image])[0] for image in images[::-1]])
    if alone is not None and [len(faces) for faces in alone[::-1]] != [len(faces) for faces in detections]:
        ledger.break_("batch", "it sees another number of faces where the photos come one by one")
    ledger.keep("batch")
    if not is_same(before, images):
        ledger.break_("inputs", "it wrote into the images")
    ledger.keep("inputs")
