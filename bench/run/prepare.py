"""Stage prepare: find the faces of the originals and take every reading of them, once per data set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.evidence import ANY_LOOK, LOOKS, LOOKS_VERSION
from unmask.bench.core.types import Box, Detection, FaceLabel, FaceView, Image, Region
from unmask.bench.run import opened
from unmask.bench.run.located import assign_labels
from unmask.bench.run.regions import REGIONS, region_images
from unmask.bench.run.shards import Decoded, Gather, ShardJob, decode_chunks
from unmask.bench.run.signatures import signature_of
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import Table, read_table, table_key, write_table

STAGE_VERSION: Final = 3
"""Raise it whenever this stage's results could change."""
FACE_ROLES: Final[tuple[Role, ...]] = ("recogniser", "attributes", "skin")


def instrument_parts(plan: Plan, roles: Sequence[Role]) -> dict[str, InstrumentCard]:
    """Part name (``sface``, ``sface+any-look``, ``inception@face``) -> instrument card, for the plan's instruments of
    some roles."""
    parts: dict[str, InstrumentCard] = {}
    for card in plan.instruments_of(*roles):
        if card.role in FACE_ROLES:
            parts[card.name] = card
            if card.looks:
                parts[f"{card.name}{ANY_LOOK}"] = card
        else:
            parts.update({f"{card.name}@{region}": card for region in REGIONS})
    return parts


def part_key(job: ShardJob, located: str, name: str, card: InstrumentCard) -> str:
    """The key of one part's readings on top of the faces that were located under ``located``."""
    looks = [LOOKS_VERSION, *LOOKS] if name.endswith(ANY_LOOK) else []
    return job.key("reading", STAGE_VERSION, located, card.identity, job.plan.settings.device, *looks)


def located_key(job: ShardJob) -> str:
    return job.key("located", STAGE_VERSION, job.plan.detector.identity)


def second_detectors(job: ShardJob) -> list[dict[str, Any]]:
    """What the detectors are that are asked after the judge's."""
    return [card.identity for card in job.plan.instruments_of("detector")]


def prepare_shard(job: ShardJob) -> bool:
    """Makes whatever is missing of a shard's tables; False if nothing was."""
    folder, plan = job.folder.prepare_dir(job.dataset, job.shard), job.plan
    located = located_key(job)
    parts = instrument_parts(plan.reading(job.planned), (*FACE_ROLES, "features"))
    keys = {name: part_key(job, located, name, card) for name, card in parts.items()}
    missing = [name for name, key in keys.items() if table_key(folder / f"{name}.parquet") != key]
    find = any(table_key(folder / f"{name}.parquet") != located for name in ("images", "faces", "signatures"))
    if not find and not missing:
        return False

    dataset, refs = job.open()
    known = None if find else faces_by_sample(read_table(folder / "faces.parquet"))
    images, faces, signatures = Gather(), Gather(), Gather()
    readings = {name: Gather() for name in missing}
    for chunk in decode_chunks(dataset, refs):
        found = _locate(chunk, plan) if known is None else [known.get(item.ref.id, []) for item in chunk]
        if find:
            images.add(_image_rows(chunk, found))
            faces.add(_face_rows(chunk, found))
            signatures.add({"signature": np.stack([signature_of(item.image) for item in chunk])})
        originals = [
            Original(i.image, located_faces)
            for i, located_faces in zip(chunk, found, strict=True)
            if i.image is not None
        ]
        for name in missing:
            readings[name].add(_read(name, parts[name], originals, plan.settings.device))
    if find:
        write_table(folder / "images.parquet", images.table(), located)
        write_table(folder / "faces.parquet", faces.table(), located)
        write_table(folder / "signatures.parquet", signatures.table(), located)
    for name in missing:
        write_table(folder / f"{name}.parquet", readings[name].table(), keys[name])
    return True


def _locate(chunk: Sequence[Decoded], plan: Plan) -> list[list[Detection]]:
    judge = opened.detector(plan.detector.name, plan.settings.device)
    pictures = [item.image for item in chunk if item.image is not None]
    results = iter(judge.detect(pictures))
    return [[] if item.image is None else as_stored(next(results)) for item in chunk]


def as_stored(found: Sequence[Detection]) -> list[Detection]:
    """The detections as they read back from disk (float32), so that a resumed shard sees the very same numbers."""
    return [detection for detection in detections_of(detection_columns(found)) if detection is not None]


@dataclass(frozen=True)
class Original:
    """One readable image with its faces; views and crops are shared by all instruments."""

    image: Image
    found: Sequence[Detection]

    @cached_property
    def views(self) -> list[FaceView]:
        return [FaceView(self.image, detection.box, detection.landmarks) for detection in self.found]

    @cached_property
    def regions(self) -> dict[Region, list[Image]]:
        boxes = [detection.box for detection in self.found]
        return {region: region_images(self.image, boxes, region) for region in REGIONS}


def face_reader(
    name: str, card: InstrumentCard, device: str
) -> Callable[[Sequence[FaceView]], Mapping[str, NDArray[Any]]]:
    """What reads the faces of a part: the instrument, or its looks."""
    if name.endswith(ANY_LOOK):
        return opened.recogniser(card.name, device).read_looks
    return opened.face_instrument(card.name, device).read


def _read(name: str, card: InstrumentCard, originals: Sequence[Original], device: str) -> Mapping[str, NDArray[Any]]:
    if card.role in FACE_ROLES:
        views = [view for original in originals for view in original.views]
        return face_reader(name, card, device)(views)
    region = next(r for r in REGIONS if name.endswith(f"@{r}"))
    crops = [crop for original in originals for crop in original.regions[region]]
    return opened.image_instrument(card.name, device).read(crops)


def _image_rows(chunk: Sequence[Decoded], found: Sequence[Sequence[Detection]]) -> dict[str, NDArray[Any]]:
    shapes = [(0, 0) if item.image is None else item.image.shape[:2] for item in chunk]
    return {
        "sample": np.array([item.ref.id for item in chunk], np.str_),
        "readable": np.array([item.image is not None for item in chunk], np.bool_),
        "reason": np.array([item.reason for item in chunk], np.str_),
        "note": np.array([item.note for item in chunk], np.str_),
        "height": np.array([h for h, _ in shapes], np.int32),
        "width": np.array([w for _, w in shapes], np.int32),
        "unplaced_labels": np.array(
            [_unplaced(item, detections) for item, detections in zip(chunk, found, strict=True)], np.int32
        ),
    }


def _unplaced(item: Decoded, detections: Sequence[Detection]) -> int:
    """Labels with a point that no face answers to."""
    if item.image is None:
        return 0
    placed = assign_labels(detections, item.ref.labels, item.image.shape)
    return sum(label.at is not None for label in item.ref.labels) - sum(label.at is not None for label in placed)


def _face_rows(chunk: Sequence[Decoded], found: Sequence[Sequence[Detection]]) -> dict[str, NDArray[Any]]:
    rows: list[tuple[str, str, Detection, FaceLabel]] = []
    for item, detections in zip(chunk, found, strict=True):
        if item.image is None:
            continue
        labels = assign_labels(detections, item.ref.labels, item.image.shape)
        for k, (detection, label) in enumerate(zip(detections, labels, strict=True)):
            rows.append((f"{item.ref.id}#{k}", item.ref.id, detection, label))
    return {
        "face": np.array([row[0] for row in rows], np.str_),
        "sample": np.array([row[1] for row in rows], np.str_),
        **detection_columns([row[2] for row in rows]),
        "identity": np.array([row[3].identity or "" for row in rows], np.str_),
        "age": np.array([np.nan if row[3].age is None else row[3].age for row in rows], np.float32),
        "gender": np.array([row[3].gender or "" for row in rows], np.str_),
        "race": np.array([row[3].race or "" for row in rows], np.str_),
    }


def detection_columns(found: Sequence[Detection | None]) -> dict[str, NDArray[Any]]:
    """box (N, 4), landmarks (N, 10) and score (N,) as columns; NaN rows where there is no detection."""
    box = np.full((len(found), 4), np.nan, np.float32)
    points = np.full((len(found), 10), np.nan, np.float32)
    score = np.full(len(found), np.nan, np.float32)
    for k, item in enumerate(found):
        if item is not None:
            box[k] = item.box.x, item.box.y, item.box.w, item.box.h
            points[k] = item.landmarks.reshape(-1)
            score[k] = item.score
    return {"box": box, "landmarks": points, "score": score}


def detections_of(table: Table) -> list[Detection | None]:
    """The inverse of `detection_columns`."""
    return [
        Detection(Box(*map(float, box)), points.reshape(5, 2), float(score)) if np.isfinite(box).all() else None
        for box, points, score in zip(table["box"], table["landmarks"], table["score"], strict=True)
    ]


def faces_by_sample(table: Table) -> dict[str, list[Detection]]:
    """The stored faces of each sample, in order."""
    found: dict[str, list[Detection]] = {}
    for sample, detection in zip(table["sample"], detections_of(table), strict=True):
        if detection is not None:
            found.setdefault(str(sample), []).append(detection)
    return found
