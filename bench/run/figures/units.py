"""The units of a data set: faces, images, tracks, clips, with their resampling clusters and subgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.demographics import GENDERS, SKIN_TERCILES, age_group, gender_names, group_name
from unmask.bench.core.evidence import FaceTruth, Units
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Bools, Strings, Unit
from unmask.bench.run.figures.clips import OriginalClip, numbered_tracks
from unmask.bench.store.tables import Table


def truth_of(rows: Table, identity: Strings) -> FaceTruth:
    """What labels say of faces; of clips nothing but their tracks is known."""
    count, points = len(identity), rows["landmarks"].reshape(-1, 5, 2)
    return FaceTruth(
        identity=identity,
        age=rows["age"].astype(np.float64) if "age" in rows else np.full(count, np.nan),
        gender=rows.get("gender", np.full(count, "", np.str_)),
        race=rows.get("race", np.full(count, "", np.str_)),
        landmarks=points,
        eye_distance=np.linalg.norm(points[:, 0] - points[:, 1], axis=1).astype(np.float64),
    )


def photo_units(
    inputs: Table, rows: Table, truth: FaceTruth, groups: Mapping[str, Bools]
) -> tuple[dict[Unit, Units], NDArray[np.int64]]:
    """Faces and readable photos, and how many faces each photo has. Photos with exactly one face inherit its person and
    its subgroups; others stand for themselves."""
    readable = inputs["sample"][inputs["readable"]]
    number = {str(sample): k for k, sample in enumerate(readable)}
    of_image = np.array([number[str(sample)] for sample in rows["sample"]], np.int64)
    per_image = np.bincount(of_image, minlength=len(readable)).astype(np.int64)
    names = [f"id:{i}" if i else f"image:{s}" for i, s in zip(truth.identity, rows["sample"], strict=True)]
    clusters = [f"image:{sample}" for sample in readable]
    members = {name: np.zeros(len(readable), np.bool_) for name in groups}
    for face in np.flatnonzero(per_image[of_image] == 1):
        clusters[int(of_image[face])] = names[int(face)]
        for name, member in groups.items():
            members[name][of_image[face]] = member[face]
    faces = Units(rows["face"], rows["sample"], _clusters(names), groups)
    return {"face": faces, "image": Units(readable, readable, _clusters(clusters), members)}, per_image


def _clusters(names: Sequence[str]) -> NDArray[np.int64]:
    if not names:
        return np.zeros(0, np.int64)
    return np.unique(np.array(names, np.str_), return_inverse=True)[1].astype(np.int64)


def clip_units(
    clips: Sequence[OriginalClip], rows: Table, groups: Mapping[str, Bools]
) -> tuple[dict[Unit, Units], NDArray[np.int64]]:
    """Faces, frames, tracks and clips, whose cluster is their clip, and how many faces each frame has."""
    readable = [one for one in clips if not one.problem]
    number = np.arange(len(readable), dtype=np.int64)
    frames = np.array([len(one.seconds) for one in readable], np.int64)
    faces = np.array([len(one.faces["frame"]) for one in readable], np.int64)
    tracks = np.array([one.face_tracks for one in readable], np.int64)
    images = np.array([f"{one.clip}/{k:06d}" for one in readable for k in range(len(one.seconds))], np.str_)
    of_image = np.repeat(np.cumsum(frames) - frames, faces) + rows["frame"]
    track = numbered_tracks(readable)
    ids = np.array([f"{image}#{k}" for image, k in zip(images[of_image], track, strict=True)], np.str_)
    names = np.array([one.clip for one in readable], np.str_)
    said = np.array([one.group for one in readable], np.str_)

    def units(ids: Strings, samples: Strings, clip: NDArray[np.int64], more: Mapping[str, Bools]) -> Units:
        stated = {f"group={name}": said[clip] == name for name in sorted(set(said.tolist()) - {""})}
        return Units(ids, samples, clip, {**stated, **more})

    of_track = np.repeat(number, tracks)
    each: dict[Unit, Units] = {
        "face": units(ids, images[of_image], np.repeat(number, faces), groups),
        "image": units(images, images, np.repeat(number, frames), {}),
        "track": units(np.arange(len(of_track)).astype(np.str_), names[of_track], of_track, {}),
        "clip": units(names, names, number, {}),
    }
    return each, np.bincount(of_image, minlength=len(images)).astype(np.int64)


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
