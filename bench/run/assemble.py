"""Stored tables -> `Evidence`: all shards in one order, faces grouped and clustered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.canonical import digest
from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.demographics import GENDERS, age_group, gender_names, group_name
from unmask.bench.core.evidence import (
    ANY_LOOK,
    SKIN_TERCILES,
    Evidence,
    ExtraFaces,
    FaceTruth,
    OperatingPoint,
    Units,
)
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Bools, Outcome
from unmask.bench.core.values import Finding
from unmask.bench.run.attacking import attacker_of, read_by
from unmask.bench.run.reading.explained import missed
from unmask.bench.run.reading.parts import EXTRA, FACE_ROLES
from unmask.bench.run.reading.regions import REGIONS
from unmask.bench.run.shards import shard_jobs
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import concatenate, read_table


@dataclass(frozen=True, slots=True)
class Originals:
    """Everything about a data set that is the same for every method."""

    dataset: str
    inputs: Mapping[str, NDArray[Any]]
    """images.parquet of all shards, unreadable ones included."""
    faces: Units
    images: Units
    truth: FaceTruth
    readings: dict[str, dict[str, NDArray[Any]]]
    features: dict[str, dict[str, dict[str, NDArray[Any]]]]
    """Region -> instrument -> columns."""
    faces_per_image: NDArray[np.int64]
    settings: Settings
    boxes: NDArray[np.float32]
    """(N, 4) the judge's boxes."""


def assemble_originals(folder: RunFolder, plan: Plan, dataset: str) -> Originals:
    """Reads what prepare left behind for a data set."""
    folders = [folder.prepare_dir(job.dataset, job.shard) for job in shard_jobs(plan) if job.dataset == dataset]
    inputs = concatenate([read_table(path / "images.parquet") for path in folders])
    rows = concatenate([read_table(path / "faces.parquet") for path in folders])
    readings: dict[str, dict[str, NDArray[Any]]] = {}
    features: dict[str, dict[str, dict[str, NDArray[Any]]]] = {region: {} for region in REGIONS}
    for card in plan.reading(plan.dataset(dataset)).instruments:
        name = card.name
        if card.role in FACE_ROLES:
            readings[name] = _face_readings(folders, card)
        elif card.role == "features":
            for region in REGIONS:
                found = [read_table(path / f"{name}@{region}.parquet") for path in folders]
                features[region][name] = concatenate(found)
    settings = plan.settings
    points = rows["landmarks"].reshape(-1, 5, 2)
    truth = FaceTruth(
        identity=rows["identity"],
        age=rows["age"].astype(np.float64),
        gender=rows["gender"],
        race=rows["race"],
        landmarks=points,
        eye_distance=np.linalg.norm(points[:, 0] - points[:, 1], axis=1).astype(np.float64),
    )
    groups = face_groups(truth, readings, settings)
    readable = inputs["sample"][inputs["readable"]]
    number = {str(sample): k for k, sample in enumerate(readable)}
    of_image = np.array([number[str(sample)] for sample in rows["sample"]], np.int64)
    per_image = np.bincount(of_image, minlength=len(readable)).astype(np.int64)
    names = [f"id:{i}" if i else f"image:{s}" for i, s in zip(rows["identity"], rows["sample"], strict=True)]
    return Originals(
        dataset=dataset,
        inputs=inputs,
        faces=Units(rows["face"], rows["sample"], _clusters(names), groups),
        images=_image_units(readable, per_image, of_image, names, groups),
        truth=truth,
        readings=readings,
        features=features,
        faces_per_image=per_image,
        settings=settings,
        boxes=rows["box"],
    )


def _image_units(
    readable: NDArray[np.str_],
    per_image: NDArray[np.int64],
    of_image: NDArray[np.int64],
    face_clusters: Sequence[str],
    face_groups_: Mapping[str, Bools],
) -> Units:
    """Images with exactly one face inherit its person and its subgroups; other images stand for themselves."""
    clusters = [f"image:{sample}" for sample in readable]
    single = per_image[of_image] == 1
    groups = {name: np.zeros(len(readable), np.bool_) for name in face_groups_}
    for face in np.flatnonzero(single):
        clusters[int(of_image[face])] = face_clusters[int(face)]
        for name, member in face_groups_.items():
            groups[name][of_image[face]] = member[face]
    return Units(readable, readable, _clusters(clusters), groups)


def _clusters(names: Sequence[str]) -> NDArray[np.int64]:
    if not names:
        return np.zeros(0, np.int64)
    return np.unique(np.array(names, np.str_), return_inverse=True)[1].astype(np.int64)


def face_groups(
    truth: FaceTruth, readings: Mapping[str, Mapping[str, NDArray[Any]]], settings: Settings
) -> dict[str, Bools]:
    """Subgroup -> members. Labels decide where the data set has them for at least half of the faces; otherwise the
    default estimator's reading of the original does. Faces that neither speaks of are in no subgroup."""
    groups: dict[str, Bools] = {}
    estimated = readings.get(settings.default_attributes, {})
    gender = truth.gender
    if not _mostly(gender != "") and "p_female" in estimated:
        gender = gender_names(estimated["p_female"])
    for value in GENDERS:
        groups[f"gender={value}"] = gender == value
    age = truth.age
    if not _mostly(np.isfinite(age)) and "age" in estimated:
        age = estimated["age"].astype(np.float64)
    number = age_group(age, settings.age_groups)
    for index, group in enumerate(settings.age_groups):
        groups[f"age={group_name(group)}"] = number == index
    ita = next((columns["ita"] for columns in readings.values() if "ita" in columns), None)
    if ita is not None and np.isfinite(ita).sum() >= 3:
        cuts = np.nanquantile(ita, [1 / 3, 2 / 3])
        tercile = np.where(np.isnan(ita), -1, np.searchsorted(cuts, ita))
        for k, label in enumerate(SKIN_TERCILES):
            groups[f"skin={label}"] = tercile == k
    for value in sorted(set(truth.race.tolist()) - {""}):
        groups[f"race={value}"] = truth.race == value
    return {name: member for name, member in groups.items() if member.any()}


def _mostly(known: Bools) -> bool:
    return len(known) > 0 and float(known.mean()) >= 0.5


def assemble_evidence(
    folder: RunFolder,
    plan: Plan,
    originals: Originals,
    method: str,
    points: Mapping[str, tuple[OperatingPoint, ...]],
) -> tuple[Evidence, NDArray[np.str_], NDArray[np.str_]]:
    """The evidence on one method, with the reason of each face's error and of each image's failure ('' = none)."""
    jobs = [job for job in shard_jobs(plan, [method]) if job.dataset == originals.dataset]
    scores = [folder.score_dir(job.dataset, method, job.shard) for job in jobs]
    outputs = output_rows(folder, plan, originals.dataset, method)
    ended = concatenate([read_table(path / "outcomes.parquet") for path in scores])
    readings: dict[str, dict[str, NDArray[Any]]] = {}
    features: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        region: (originals.features[region], {}) for region in REGIONS
    }
    pairs: dict[str, dict[str, dict[str, NDArray[Any]]]] = {region: {} for region in REGIONS}
    for card in plan.instruments:
        name = card.name
        if card.role in FACE_ROLES:
            readings[name] = _face_readings(scores, card)
        elif card.role in ("features", "pair"):
            for region in REGIONS:
                columns = concatenate([read_table(path / f"{name}@{region}.parquet") for path in scores])
                (features[region][1] if card.role == "features" else pairs[region])[name] = columns
    left = missed(ended["explained"], ended["equal"], originals.readings, readings, points)
    memory = outputs["peak_memory_mib"]
    evidence = Evidence(
        dataset=originals.dataset,
        method=method,
        faces=originals.faces,
        images=originals.images,
        truth=originals.truth,
        outcome=np.where(left, Outcome.MISSED.value, ended["outcome"]),
        landmarks=ended["landmarks"].reshape(-1, 5, 2),
        original=originals.readings,
        anonymized=readings,
        features=features,
        pairs=pairs,
        ms=outputs["ms"].astype(np.float64),
        faces_per_image=originals.faces_per_image,
        peak_memory_mib=float(memory.max()) if len(memory) else float("nan"),
        operating_points=points,
        settings=originals.settings,
        extra=_extra_faces(scores, plan),
        equal=ended["equal"],
        explained=ended["explained"],
    )
    return read_by(attacker_of(), evidence), ended["reason"], outputs["error"]


def outputs_digest(folder: RunFolder, plan: Plan, dataset: str, method: str) -> str:
    """A digest of all that a method gave for a data set: methods with the same one gave the same images, byte for
    byte, and failed on the same. '' = it gave nothing."""
    digests = [str(name) for name in output_rows(folder, plan, dataset, method)["sha256"]]
    return digest(digests) if any(digests) else ""


def output_findings(
    folder: RunFolder, plan: Plan, dataset: str, method: str, inputs: Mapping[str, NDArray[Any]]
) -> Iterator[Finding]:
    """How many of a method's outputs are their inputs, pixel for pixel, and how many show nothing of them. ``inputs``:
    `output_rows` of the control."""
    outputs = output_rows(folder, plan, dataset, method)
    there = outputs["sha256"] != ""
    many, same = int(there.sum()), int((there & (outputs["sha256"] == inputs["sha256"])).sum())
    if same:
        text = f"{same} of {many} outputs are the inputs themselves, pixel for pixel: nothing was done to them"
        yield Finding("unchanged", same, many, text)
    unlike = int(outputs["unlike"].sum())
    if unlike:
        text = (
            f"{unlike} of {many} outputs show nothing of their inputs outside the faces either: other photos, or "
            "changed from edge to edge"
        )
        yield Finding("unlike", unlike, many, text)


def output_rows(folder: RunFolder, plan: Plan, dataset: str, method: str) -> dict[str, NDArray[Any]]:
    """outputs.parquet of all shards, a row an image."""
    jobs = [job for job in shard_jobs(plan, [method]) if job.dataset == dataset]
    folders = [folder.outputs_dir(dataset, method, job.shard) for job in jobs]
    return concatenate([read_table(path / "outputs.parquet") for path in folders])


def _face_readings(folders: Sequence[Storage], card: InstrumentCard) -> dict[str, NDArray[Any]]:
    """An instrument's readings of all shards, looks included; ``folders`` are those of the shards."""
    name = card.name
    parts = [name, f"{name}{ANY_LOOK}"] if card.looks else [name]
    return {
        column: values
        for part in parts
        for column, values in concatenate([read_table(path / f"{part}.parquet") for path in folders]).items()
    }


def _extra_faces(scores: Sequence[Storage], plan: Plan) -> ExtraFaces:
    """The faces at places where no original face is, of all shards; ``scores`` are the shards' folders."""
    names = [card.name for card in plan.instruments_of("recogniser")]
    return ExtraFaces(
        concatenate([read_table(path / "extras.parquet") for path in scores])["sample"],
        {name: concatenate([read_table(path / f"{name}{EXTRA}.parquet") for path in scores]) for name in names},
    )
