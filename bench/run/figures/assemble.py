"""Stored tables -> `Evidence`: all shards in one order, faces grouped and clustered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.clips import no_clips
from unmask.bench.core.evidence import (
    ANY_LOOK,
    KNOWN_PLACE,
    Evidence,
    ExtraFaces,
    FaceTruth,
    OperatingPoint,
    Units,
    point_at,
)
from unmask.bench.core.exposure import FMR, distances
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Floats32, Outcome, Strings, Unit, unit_of
from unmask.bench.core.views import nothing_to_restore
from unmask.bench.run.figures.audit import audit_of
from unmask.bench.run.figures.clips import OriginalClip, original_clips, released_clips
from unmask.bench.run.figures.units import clip_units, face_groups, photo_units, truth_of
from unmask.bench.run.jobs.shards import dataset_jobs
from unmask.bench.run.outputs.releases import output_rows, written_file
from unmask.bench.run.reading.explained import missed
from unmask.bench.run.reading.parts import BLANK, EXTRA, FACE_ROLES
from unmask.bench.run.reading.regions import regions_of
from unmask.bench.run.reading.views import original_views, released_views, view_table
from unmask.bench.store.detections import detection_columns
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import Table, concatenate, read_table

Points = Mapping[str, tuple[OperatingPoint, ...]]
_NO_OUTCOMES: Final[Table] = {
    **{name: np.zeros(0, np.str_) for name in ("outcome", "reason")},
    **{name: np.zeros(0, np.bool_) for name in ("explained", "equal")},
    "flicker": np.zeros(0, np.float32),
    **detection_columns([]),
}


@dataclass(frozen=True, slots=True)
class Originals:
    """Everything about a data set that is the same for every method."""

    dataset: str
    inputs: Mapping[str, NDArray[Any]]
    """images.parquet of all shards, unreadable ones included; of clips empty."""
    units: Mapping[Unit, Units]
    """Faces and images; of clips also tracks and clips."""
    truth: FaceTruth
    readings: dict[str, dict[str, NDArray[Any]]]
    features: dict[str, dict[str, dict[str, NDArray[Any]]]]
    """Region -> instrument -> columns."""
    faces_per_image: NDArray[np.int64]
    settings: Settings
    boxes: Floats32
    """(N, 4) the judge's boxes."""
    clips: Sequence[OriginalClip] = ()
    """Those that cannot be read included."""

    @property
    def faces(self) -> Units:
        return self.units["face"]

    @property
    def images(self) -> Units:
        return self.units["image"]


def assemble_originals(folder: RunFolder, plan: Plan, dataset: str, root: Path | None = None) -> Originals:
    """Reads what prepare left behind for a data set; ``root``: where the annotations of clips lie."""
    planned = plan.dataset(dataset)
    folders = [folder.prepare_dir(dataset, job.shard) for job in dataset_jobs(plan, planned)]
    shards = [read_table(path / "faces.parquet") for path in folders]
    rows = concatenate(shards)
    readings: dict[str, dict[str, NDArray[Any]]] = {}
    features: dict[str, dict[str, dict[str, NDArray[Any]]]] = {region: {} for region in regions_of(planned)}
    for card in plan.reading(planned).instruments:
        for part in _face_parts(card, plan.looks_closely(planned)):
            readings.setdefault(card.name, {}).update(_concatenated(folders, part))
        if card.role == "recogniser":
            for view in original_views(plan, planned, card.name):
                readings[card.name].update(_concatenated(folders, view_table(card.name, view)))
        if card.role == "features":
            for region in features:
                features[region][card.name] = _concatenated(folders, f"{card.name}@{region}")
    settings = plan.settings
    of_clips = planned.kind == "clips"
    clips = original_clips(folder, plan, planned, shards, root) if of_clips else []
    tracks = [f"{one.clip}#{track}" for one in clips for track in one.faces["track"]]
    truth = truth_of(rows, np.array(tracks, np.str_) if of_clips else rows["identity"])
    groups = face_groups(truth, readings, settings)
    inputs = {} if of_clips else _concatenated(folders, "images")
    units, per_image = clip_units(clips, rows, groups) if of_clips else photo_units(inputs, rows, truth, groups)
    boxes = rows["box"]
    return Originals(dataset, inputs, units, truth, readings, features, per_image, settings, boxes, clips)


def _concatenated(folders: Iterable[Storage], name: str) -> dict[str, NDArray[Any]]:
    return concatenate([read_table(path / f"{name}.parquet") for path in folders])


def _face_parts(card: InstrumentCard, looks: bool) -> list[str]:
    """The tables of an instrument's readings of faces."""
    if card.role not in FACE_ROLES:
        return []
    return [card.name, f"{card.name}{ANY_LOOK}"] if card.looks and looks else [card.name]


def assemble_evidence(
    folder: RunFolder, plan: Plan, originals: Originals, label: str, points: Points, control: Evidence | None = None
) -> tuple[Evidence, Strings, Table]:
    """The evidence on one release, with the reason of each face's error ('' = none) and its `output_rows`.

    ``control``: see `Evidence.control`.
    """
    planned = plan.dataset(originals.dataset)
    outputs = output_rows(folder, plan, originals.dataset, label)
    scores = _Scores(folder, plan, originals, label)
    ended = scores.table("outcomes", len(originals.faces), _NO_OUTCOMES)
    readings = _readings(folder, plan, originals, label, scores)
    features: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        region: (read, {}) for region, read in originals.features.items()
    }
    pairs: dict[str, dict[str, dict[str, NDArray[Any]]]] = {region: {} for region in features}
    for card in plan.reading(planned).instruments_of("features", "pair"):
        for region in features:
            count = len(originals.units[unit_of(region)])
            like = originals.features[region].get(card.name, {})
            columns = scores.table(f"{card.name}@{region}", count, like)
            (features[region][1] if card.role == "features" else pairs[region])[card.name] = columns
    left = missed(ended["explained"], ended["equal"], originals.readings, readings, points)
    evidence = Evidence(
        dataset=originals.dataset,
        method=label,
        faces=originals.faces,
        images=originals.images,
        truth=originals.truth,
        outcome=np.where(left, Outcome.MISSED.value, ended["outcome"]),
        landmarks=ended["landmarks"].reshape(-1, 5, 2),
        original=originals.readings,
        anonymized={
            name: _at_place(originals.readings[name], columns, point_at(points.get(name, ()), FMR).threshold)
            for name, columns in readings.items()
        },
        features=features,
        pairs=pairs,
        ms=outputs["ms"].astype(np.float64),
        faces_per_image=originals.faces_per_image,
        peak_memory_mib=float(memory.max()) if len(memory := outputs["peak_memory_mib"]) else float("nan"),
        operating_points=points,
        settings=originals.settings,
        extra=scores.extra_faces(plan, planned),
        equal=ended["equal"],
        explained=ended["explained"],
        clips=released_clips(folder, plan, originals.dataset, originals.clips, label, ended["flicker"])
        if originals.clips
        else no_clips(),
        audit=audit_of(folder, plan, originals.dataset, label, originals.readings),
        control=control,
    )
    return evidence, ended["reason"], outputs


def _readings(
    folder: RunFolder, plan: Plan, originals: Originals, label: str, scores: _Scores
) -> dict[str, dict[str, NDArray[Any]]]:
    """What every instrument read of a release's faces, recognisers also in the views of attackers."""
    planned, count = plan.dataset(originals.dataset), len(originals.faces)
    readings: dict[str, dict[str, NDArray[Any]]] = {}
    for card in plan.reading(planned).instruments:
        for part in _face_parts(card, plan.looks_closely(planned)):
            like = originals.readings[card.name]
            if "embedding" in like:  # the columns that a recogniser has on outputs
                like = {**like, KNOWN_PLACE: like["embedding"], BLANK: like["embedding"]}
            readings.setdefault(card.name, {}).update(scores.table(part, count, like))
        if card.role == "recogniser":
            for view in released_views(folder, plan, planned, label, card.name):
                readings[card.name].update(scores.table(view_table(card.name, view), count, {}))
    if label == plan.releases[0].method:
        return {
            name: nothing_to_restore(columns, plan.views) if KNOWN_PLACE in columns else columns
            for name, columns in readings.items()
        }
    return readings


class _Scores:
    """The tables of a release, shard by shard; a clip that could not be written has none."""

    def __init__(self, folder: RunFolder, plan: Plan, originals: Originals, label: str) -> None:
        planned = plan.dataset(originals.dataset)
        shards = [job.shard for job in dataset_jobs(plan, planned, label)]
        self._places: list[Storage | None] = [folder.score_dir(planned.label, label, shard) for shard in shards]
        self._clips = originals.clips
        if originals.clips:
            release = plan.release(label)
            for shard in shards:
                if written_file(folder.outputs_dir(planned.label, release.method, shard), release.variant).problem:
                    self._places[shard] = None

    def table(self, name: str, count: int, like: Table) -> dict[str, NDArray[Any]]:
        """The table of all shards. Where there is none: rows of ``like`` without values, ``count`` in all; nothing is
        known of what became of them."""
        tables = [None if place is None else read_table(place / f"{name}.parquet") for place in self._places]
        there = [table for table in tables if table is not None]
        if len(there) == len(tables):
            return concatenate(there)
        template = next(iter(there), like)
        by_face = count == sum(len(one.faces["frame"]) for one in self._clips)
        counts = [len(one.faces["frame"]) if by_face else len(one.seconds) for one in self._clips]
        return concatenate(
            [_unknown(template, n) if table is None else table for table, n in zip(tables, counts, strict=True)]
        )

    def extra_faces(self, plan: Plan, dataset: PlannedDataset) -> ExtraFaces:
        """The faces at places where no original face is."""
        names = plan.reading(dataset).recognisers if plan.looks_closely(dataset) else []
        there = [(shard, place) for shard, place in enumerate(self._places) if place is not None]
        samples = [np.zeros(0, np.str_)]
        for shard, place in there:
            rows = read_table(place / "extras.parquet")
            of_clip = (f"{self._clips[shard].clip}/{k:06d}" for k in rows["frame"]) if self._clips else rows["sample"]
            samples.append(np.array(list(of_clip), np.str_))
        readings = {name: _concatenated([place for _, place in there], f"{name}{EXTRA}") for name in names}
        return ExtraFaces(np.concatenate(samples), readings)


def _unknown(like: Table, count: int) -> dict[str, NDArray[Any]]:
    """``count`` rows without values: '', NaN, False."""
    empty = {"U": "", "f": np.nan, "b": False}
    return {name: np.full((count, *v.shape[1:]), empty[v.dtype.kind], v.dtype) for name, v in like.items()}


def _at_place(own: Table, released: Table, threshold: float) -> Table:
    """An instrument's readings of outputs, those at the known place as far as they say anything."""
    if BLANK not in released:
        return released
    columns = {name: values for name, values in released.items() if name != BLANK}
    return {**columns, KNOWN_PLACE: readable_at_place(own["embedding"], released, threshold)}


def readable_at_place(originals: Floats32, table: Table, threshold: float) -> Floats32:
    """(N, D) the readings at the original's place; NaN where a black picture would match the original just as well, as
    it does faces of a few pixels: such a match says nothing."""
    unreadable = distances(originals, table[BLANK]) <= threshold
    return np.where(unreadable[:, None], np.float32(np.nan), table[KNOWN_PLACE])
