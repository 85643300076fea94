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
    point_at,
)
from unmask.bench.core.exposure import FMR, distances
from unmask.bench.core.types import Floats32, Outcome
from unmask.bench.core.video import Tracks
from unmask.bench.run.attacking import attacker_of, read_by
from unmask.bench.run.plan import CONTROL
from unmask.bench.run.reading import opened
from unmask.bench.run.reading.explained import missed
from unmask.bench.run.reading.parts import BLANK
from unmask.bench.run.reading.stored import stored_tracks
from unmask.bench.run.releases import variant_problem
from unmask.bench.run.video.evidence import OriginalClip, ScoredClip, clip_evidence
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import LOSSLESS, MATCHED, Plan, PlannedDataset, Release
from unmask.bench.store.tables import Table, read_table


def original_clips(folder: RunFolder, plan: Plan, dataset: PlannedDataset, root: Path | None) -> list[OriginalClip]:
    """Every clip of a data set, those that cannot be read included, in order."""
    clips, refs = opened.data(folder.path, plan, dataset.label, root)
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


def _scored(
    folder: RunFolder,
    plan: Plan,
    dataset: str,
    one: OriginalClip,
    release: Release,
    points: Mapping[str, tuple[OperatingPoint, ...]],
) -> ScoredClip:
    outputs = folder.outputs_dir(dataset, release.method, one.number)
    ms, written = read_table(outputs / "frames.parquet")["ms"], read_table(outputs / "written.parquet")
    kbps = dict(zip(written["quality"].tolist(), written["kbps"].tolist(), strict=True)).get(release.variant, np.nan)
    people = _people(folder, plan, dataset, one, release)
    if people is None:
        return _not_measured(one, ms, kbps)
    path = folder.score_dir(dataset, release.label, one.number)
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


def reference_of(plan: Plan, release: Release) -> Release | None:
    """The re-encoded control that a release is held against: of its own quality where it is not lossless, else at
    the source's bitrate, else the first."""
    controls = {m.label for m in plan.methods if m.card.name == CONTROL}
    recoded = [c for c in plan.releases if c.method in controls and c.variant != LOSSLESS]
    by_quality = {c.variant: c for c in reversed(recoded)}
    return by_quality.get(release.variant) or by_quality.get(MATCHED) or next(iter(recoded), None)


def video_evidence(
    folder: RunFolder,
    plan: Plan,
    dataset: str,
    clips: Sequence[OriginalClip],
    release: Release,
    points: Mapping[str, tuple[OperatingPoint, ...]],
) -> Evidence:
    """The evidence on one release, over the clips that could be read."""
    usable = [one for one in clips if not one.problem]
    scored = [_scored(folder, plan, dataset, one, release, points) for one in usable]
    reference = reference_of(plan, release)
    recoded = [(_people(folder, plan, dataset, one, reference) if reference else None) or {} for one in usable]
    evidence = clip_evidence(dataset, release.label, usable, scored, recoded, points, plan.settings)
    return read_by(attacker_of(), evidence)


def _people(
    folder: RunFolder, plan: Plan, dataset: str, one: OriginalClip, release: Release
) -> Mapping[str, Tracks] | None:
    """The people of one clip under one release; ``None`` where it could not be written."""
    if variant_problem(folder.outputs_dir(dataset, release.method, one.number), release.variant):
        return None
    path = folder.score_dir(dataset, release.label, one.number)
    return {t.label: stored_tracks(read_table(path / f"people-{t.label}.parquet")) for t in plan.trackers}


def _first_frames(tracks: Tracks, frames: int) -> Tracks:
    use = tracks.frame < frames
    return Tracks(tracks.frame[use], tracks.track[use], tracks.box[use])
