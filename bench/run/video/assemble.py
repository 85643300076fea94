"""Stored tables of clips -> `VideoEvidence`, and the timelines of what each face track showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import KNOWN_PLACE, OperatingPoint, Settings, point_at
from unmask.bench.core.exposure import FMR, distances, exposed, frame_seconds, own_distances
from unmask.bench.core.types import Floats32, Outcome
from unmask.bench.core.video import Tracks
from unmask.bench.core.video_evidence import NOT_MEASURED, ClipEvidence, FaceFrames, VideoEvidence
from unmask.bench.run.explained import missed
from unmask.bench.run.shards import opened_data
from unmask.bench.run.video.anonymize import written_problem
from unmask.bench.run.video.prepare import stored_tracks
from unmask.bench.run.video.score import BLANK
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan, PlannedDataset, Release
from unmask.bench.store.tables import Table, read_table

EXPOSED: Final = "exposed"
"""The state of an anonymized or destroyed face that a recogniser still matches; the others are outcomes' names."""


@dataclass(frozen=True, slots=True)
class OriginalClip:
    """What is known of a clip whatever the method."""

    number: int
    clip: str
    group: str
    row: Table
    """clip.parquet"""
    seconds: NDArray[np.float64]
    faces: Table
    readings: Mapping[str, NDArray[np.float32]]
    people: Mapping[str, Tracks]
    truth: Tracks | None

    @property
    def problem(self) -> str:
        return str(self.row["problem"][0])

    @property
    def face_tracks(self) -> int:
        return len(np.unique(self.faces["track"]))


def original_clips(folder: RunFolder, plan: Plan, dataset: PlannedDataset, root: Path | None) -> list[OriginalClip]:
    """Every clip of a data set, those that cannot be read included, in order."""
    clips, refs = opened_data(folder.path, plan, dataset.label, root)
    found = []
    for number, (clip, group) in enumerate(zip(dataset.samples, dataset.groups, strict=True)):
        path = folder.prepare_dir(dataset.label, number)
        seconds = read_table(path / "frames.parquet")["seconds"]
        row = dict(read_table(path / "clip.parquet"))
        truth = clips.truth(refs[clip])
        cut = len(seconds) == plan.settings.frames or bool(row["damage"][0]) or bool(row["problem"][0])
        if truth is not None and not cut and int(truth.frame.max(initial=-1)) >= len(seconds):
            # Of another clip, or counted otherwise: scores against a part of it would pass for the tracker's.
            what = f"its annotation reaches to frame {int(truth.frame.max()) + 1} of {len(seconds)} and is not used"
            truth, row["damage"] = None, np.array([what])
        found.append(
            OriginalClip(
                number,
                clip,
                group,
                row,
                seconds,
                read_table(path / "faces.parquet"),
                {
                    c.name: read_table(path / f"{c.name}.parquet")["embedding"]
                    for c in plan.instruments_of("recogniser")
                },
                {t.label: stored_tracks(read_table(path / f"people-{t.label}.parquet")) for t in plan.trackers},
                None if truth is None else _first_frames(truth, len(seconds)),
            )
        )
    return found


def clip_evidence(
    folder: RunFolder,
    plan: Plan,
    dataset: str,
    one: OriginalClip,
    release: Release,
    points: Mapping[str, tuple[OperatingPoint, ...]],
) -> ClipEvidence:
    """One clip under one release."""
    outputs = folder.outputs_dir(dataset, release.method, one.number)
    if written_problem(outputs, release.variant):
        return _not_measured(one)
    path = folder.score_dir(dataset, release.label, one.number)
    ended = read_table(path / "outcomes.parquet")
    readings = {name: read_table(path / f"{name}.parquet") for name in one.readings}
    errors = read_table(outputs / "frames.parquet")["error"]
    return ClipEvidence(
        clip=one.clip,
        group=one.group,
        seconds=one.seconds,
        failed=np.flatnonzero(errors != "").astype(np.int64),
        size=(int(one.row["height"][0]), int(one.row["width"][0])),
        faces=FaceFrames(
            frame=one.faces["frame"],
            track=one.faces["track"],
            box=one.faces["box"],
            outcome=_outcomes(ended, one, readings, points),
            landmarks=one.faces["landmarks"].reshape(-1, 5, 2),
            found=ended["landmarks"].reshape(-1, 5, 2),
            flicker_original=one.faces["flicker"].astype(np.float64),
            flicker_output=ended["flicker"].astype(np.float64),
        ),
        original=one.readings,
        anonymized={name: table["embedding"] for name, table in readings.items()},
        known_place={
            name: readable_at_place(one.readings[name], table, point_at(points.get(name, ()), FMR).threshold)
            for name, table in readings.items()
        },
        people=one.people,
        people_output={t.label: stored_tracks(read_table(path / f"people-{t.label}.parquet")) for t in plan.trackers},
        truth=one.truth,
    )


def _outcomes(
    ended: Table, one: OriginalClip, readings: Mapping[str, Table], points: Mapping[str, tuple[OperatingPoint, ...]]
) -> NDArray[np.str_]:
    """(N,) how each face ended, now that recognisers say which of the explained ones are missed."""
    originals = {name: {"embedding": rows} for name, rows in one.readings.items()}
    left = missed(ended["explained"], ended["equal"], originals, readings, points)
    outcome: NDArray[np.str_] = ended["outcome"].astype("<U16")
    outcome[left & (outcome != Outcome.ERROR.value)] = Outcome.MISSED.value
    return outcome


def readable_at_place(originals: Floats32, table: Table, threshold: float) -> Floats32:
    """(N, D) the readings at the original's place; NaN where a black picture would match the original just as well, as
    it does faces of a few pixels: such a match says nothing."""
    unreadable = distances(originals, table[BLANK]) <= threshold
    return np.where(unreadable[:, None], np.float32(np.nan), table[KNOWN_PLACE])


def _not_measured(one: OriginalClip) -> ClipEvidence:
    """A clip that could not be written: nothing is known of what became of its faces and people."""
    count = len(one.faces["frame"])
    nothing = {name: np.full_like(rows, np.nan) for name, rows in one.readings.items()}
    return ClipEvidence(
        clip=one.clip,
        group=one.group,
        seconds=one.seconds,
        failed=np.zeros(0, np.int64),
        size=(int(one.row["height"][0]), int(one.row["width"][0])),
        faces=FaceFrames(
            frame=one.faces["frame"],
            track=one.faces["track"],
            box=one.faces["box"],
            outcome=np.full(count, NOT_MEASURED),
            landmarks=one.faces["landmarks"].reshape(-1, 5, 2),
            found=np.full((count, 5, 2), np.nan, np.float32),
            flicker_original=one.faces["flicker"].astype(np.float64),
            flicker_output=np.full(count, np.nan),
        ),
        original=one.readings,
        anonymized=nothing,
        known_place=nothing,
        people=one.people,
        people_output={},
        truth=one.truth,
    )


def video_evidence(
    folder: RunFolder,
    plan: Plan,
    dataset: str,
    clips: Sequence[OriginalClip],
    release: Release,
    points: Mapping[str, tuple[OperatingPoint, ...]],
) -> VideoEvidence:
    """The evidence on one release, over the clips that could be read."""
    made = tuple(clip_evidence(folder, plan, dataset, one, release, points) for one in clips if not one.problem)
    settings = Settings(seed=plan.settings.seed, default_recogniser=plan.settings.default_recogniser)
    return VideoEvidence(dataset, release.label, made, points, settings)


def states(clip: ClipEvidence, points: Mapping[str, tuple[OperatingPoint, ...]]) -> NDArray[np.str_]:
    """(N,) the state of every face in every frame: its outcome, or `EXPOSED` where any recogniser still matches it."""
    found = clip.faces.outcome.astype("<U16")
    for recogniser in clip.original:
        threshold = point_at(points.get(recogniser, ()), FMR).threshold
        matched = exposed(own_distances(clip, recogniser), threshold) == 1.0
        changed = np.isin(clip.faces.outcome, [Outcome.ANONYMIZED.value, Outcome.DESTROYED.value])
        found[matched & changed] = EXPOSED
    return found


def timeline(clip: ClipEvidence, state: NDArray[np.str_]) -> list[tuple[int, float, float, str]]:
    """(track, from, to, state): unbroken stretches of one state, in seconds, track after track."""
    lasting = frame_seconds(clip.seconds)
    rows = []
    for track in np.unique(clip.faces.track):
        of = np.flatnonzero(clip.faces.track == track)
        frames = clip.faces.frame[of]
        # A new stretch begins where the state changes or a frame is skipped.
        breaks = [False, *(b != a + 1 for a, b in pairwise(frames))]
        run = np.cumsum(breaks)
        for (_, kind), stretch in groupby(range(len(of)), key=lambda k: (run[k], str(state[of[k]]))):
            if kind == NOT_MEASURED:
                continue
            part = list(stretch)
            first, last = int(frames[part[0]]), int(frames[part[-1]])
            rows.append((int(track), float(clip.seconds[first]), float(clip.seconds[last] + lasting[last]), kind))
    return rows


def timeline_columns(rows: Sequence[tuple[str, int, float, float, str]]) -> dict[str, NDArray[Any]]:
    """Stretches of all clips as columns: clip, track, from, to, state."""
    return {
        "clip": np.array([row[0] for row in rows], np.str_),
        "track": np.array([row[1] for row in rows], np.int64),
        "from": np.array([row[2] for row in rows], np.float64),
        "to": np.array([row[3] for row in rows], np.float64),
        "state": np.array([row[4] for row in rows], np.str_),
    }


def _first_frames(tracks: Tracks, frames: int) -> Tracks:
    use = tracks.frame < frames
    return Tracks(tracks.frame[use], tracks.track[use], tracks.box[use])
