"""Stored tables of clips -> `Evidence`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import (
    KNOWN_PLACE,
    NOT_MEASURED,
    Evidence,
    OperatingPoint,
    Settings,
    point_at,
)
from unmask.bench.core.exposure import FMR, distances
from unmask.bench.core.types import Floats32, Outcome
from unmask.bench.core.video import Tracks
from unmask.bench.run.explained import missed
from unmask.bench.run.plan import CONTROL
from unmask.bench.run.video.anonymize import written_problem
from unmask.bench.run.video.evidence import OriginalClip, ScoredClip, clip_evidence
from unmask.bench.run.video.jobs import opened_clips
from unmask.bench.run.video.prepare import stored_tracks
from unmask.bench.run.video.score import BLANK
from unmask.bench.store.tables import Table, read_table
from unmask.bench.store.video_folder import VideoRunFolder
from unmask.bench.store.video_schemas import LOSSLESS, MATCHED, Contestant, PlannedClips, VideoPlan


def original_clips(
    folder: VideoRunFolder, plan: VideoPlan, dataset: PlannedClips, root: Path | None
) -> list[OriginalClip]:
    """Every clip of a data set, those that cannot be read included, in order."""
    clips = opened_clips(dataset.spec, root)
    refs = {ref.id: ref for ref in clips.refs}
    found = []
    for number, planned in enumerate(dataset.clips):
        path = folder.original_dir(dataset.label, number)
        seconds = read_table(path / "frames.parquet")["seconds"]
        row = dict(read_table(path / "clip.parquet"))
        truth = clips.truth(refs[planned.id])
        cut = len(seconds) == plan.settings.frames or bool(row["damage"][0]) or bool(row["problem"][0])
        if truth is not None and not cut and int(truth.frame.max(initial=-1)) >= len(seconds):
            # Of another clip, or counted otherwise: scores against a part of it would pass for the tracker's.
            what = f"its annotation reaches to frame {int(truth.frame.max()) + 1} of {len(seconds)} and is not used"
            truth, row["damage"] = None, np.array([what])
        found.append(
            OriginalClip(
                number,
                planned.id,
                planned.group,
                row,
                seconds,
                read_table(path / "faces.parquet"),
                {c.name: read_table(path / f"{c.name}.parquet")["embedding"] for c in plan.instruments},
                {t.label: stored_tracks(read_table(path / f"people-{t.label}.parquet")) for t in plan.trackers},
                None if truth is None else _first_frames(truth, len(seconds)),
            )
        )
    return found


def _scored(
    folder: VideoRunFolder,
    plan: VideoPlan,
    dataset: str,
    one: OriginalClip,
    contestant: Contestant,
    points: Mapping[str, tuple[OperatingPoint, ...]],
) -> ScoredClip:
    outputs = folder.output_dir(dataset, contestant.method, one.number)
    ms, written = read_table(outputs / "frames.parquet")["ms"], read_table(outputs / "written.parquet")
    kbps = dict(zip(written["quality"].tolist(), written["kbps"].tolist(), strict=True)).get(contestant.quality, np.nan)
    people = _people(folder, plan, dataset, one, contestant)
    if people is None:
        return _not_measured(one, ms, kbps)
    path = folder.score_dir(dataset, contestant.label, one.number)
    ended = read_table(path / "outcomes.parquet")
    tables = {name: read_table(path / f"{name}.parquet") for name in one.readings}
    readings = {
        name: {
            "embedding": table["embedding"],
            KNOWN_PLACE: readable_at_place(one.readings[name], table, point_at(points.get(name, ()), FMR).threshold),
        }
        for name, table in tables.items()
    }
    return ScoredClip(
        outcome=_outcomes(ended, one, tables, points),
        landmarks=ended["landmarks"].reshape(-1, 5, 2),
        flicker=ended["flicker"].astype(np.float64),
        equal=ended["equal"],
        explained=ended["explained"],
        readings=readings,
        people=people,
        ms=ms,
        kbps=kbps,
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


def _not_measured(one: OriginalClip, ms: NDArray[np.float64], kbps: float) -> ScoredClip:
    """A clip that could not be written: nothing is known of what became of its faces and people."""
    count = len(one.faces["frame"])
    return ScoredClip(
        outcome=np.full(count, NOT_MEASURED),
        landmarks=np.full((count, 5, 2), np.nan, np.float32),
        flicker=np.full(count, np.nan),
        equal=np.zeros(count, np.bool_),
        explained=np.zeros(count, np.bool_),
        readings={
            name: dict.fromkeys(("embedding", KNOWN_PLACE), np.full_like(rows, np.nan))
            for name, rows in one.readings.items()
        },
        people={},
        ms=ms,
        kbps=kbps,
    )


def reference_of(plan: VideoPlan, contestant: Contestant) -> Contestant | None:
    """The re-encoded control that a contestant is held against: of its own quality where it is not lossless, else at
    the source's bitrate, else the first."""
    controls = {m.label for m in plan.methods if m.card.name == CONTROL}
    recoded = [c for c in plan.contestants if c.method in controls and c.quality != LOSSLESS]
    by_quality = {c.quality: c for c in reversed(recoded)}
    return by_quality.get(contestant.quality) or by_quality.get(MATCHED) or next(iter(recoded), None)


def video_evidence(
    folder: VideoRunFolder,
    plan: VideoPlan,
    dataset: str,
    clips: Sequence[OriginalClip],
    contestant: Contestant,
    points: Mapping[str, tuple[OperatingPoint, ...]],
) -> Evidence:
    """The evidence on one contestant, over the clips that could be read."""
    usable = [one for one in clips if not one.problem]
    scored = [_scored(folder, plan, dataset, one, contestant, points) for one in usable]
    reference = reference_of(plan, contestant)
    recoded = [(_people(folder, plan, dataset, one, reference) if reference else None) or {} for one in usable]
    settings = Settings(seed=plan.settings.seed, default_recogniser=plan.settings.default_recogniser)
    return clip_evidence(dataset, contestant.label, usable, scored, recoded, points, settings)


def _people(
    folder: VideoRunFolder, plan: VideoPlan, dataset: str, one: OriginalClip, contestant: Contestant
) -> Mapping[str, Tracks] | None:
    """The people of one clip under one contestant; ``None`` where it could not be written."""
    if written_problem(folder.output_dir(dataset, contestant.method, one.number), contestant.quality):
        return None
    path = folder.score_dir(dataset, contestant.label, one.number)
    return {t.label: stored_tracks(read_table(path / f"people-{t.label}.parquet")) for t in plan.trackers}


def _first_frames(tracks: Tracks, frames: int) -> Tracks:
    use = tracks.frame < frames
    return Tracks(tracks.frame[use], tracks.track[use], tracks.box[use])
