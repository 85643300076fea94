"""What clips have and photos have not: frames in time, tracks, people, codecs, timelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.clips import NOT_MEASURED, Clips
from unmask.bench.core.evidence import Evidence, OperatingPoint, point_at
from unmask.bench.core.exposure import FMR, exposed, frame_seconds, longest_run, own_distances, strangers_matched
from unmask.bench.core.types import Floats32, Outcome, Strings
from unmask.bench.core.video import Tracks
from unmask.bench.run.figures.rows import finite
from unmask.bench.run.jobs import opened
from unmask.bench.run.outputs.releases import WrittenFile, written_file
from unmask.bench.store.detections import stored_tracks
from unmask.bench.store.names import Pseudonyms
from unmask.bench.store.planned import CONTROL, LOSSLESS, MATCHED, PlannedDataset, Release
from unmask.bench.store.results import ClipResult, ClipRow
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import Table, columns_of, read_table, write_table


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
    people: Mapping[str, Tracks]
    truth: Tracks | None

    @property
    def problem(self) -> str:
        return str(self.row["problem"][0])

    @property
    def face_tracks(self) -> int:
        return len(np.unique(self.faces["track"]))


def original_clips(
    folder: RunFolder, plan: Plan, dataset: PlannedDataset, faces: Sequence[Table], root: Path | None
) -> list[OriginalClip]:
    """Every clip of a data set, those that cannot be read included, in order; ``faces``: the table of each."""
    clips, refs = opened.data(folder.path, plan, dataset.label, root)
    originals = []
    for number, (clip, group) in enumerate(zip(dataset.samples, dataset.groups, strict=True)):
        path = folder.prepare_dir(dataset.label, number)
        seconds = read_table(path / "frames.parquet")["seconds"]
        row = dict(read_table(path / "clip.parquet"))
        truth = clips.truths.get(refs[clip].id)
        cut = len(seconds) == plan.settings.frames or bool(row["damage"][0]) or bool(row["problem"][0])
        if truth is not None and not cut and int(truth.frame.max(initial=-1)) >= len(seconds):
            # Of another clip, or counted otherwise: scores against a part of it would pass for the tracker's.
            what = f"its annotation reaches to frame {int(truth.frame.max()) + 1} of {len(seconds)} and is not used"
            truth, row["damage"] = None, np.array([what])
        if truth is not None:
            use = truth.frame < len(seconds)
            truth = Tracks(truth.frame[use], truth.track[use], truth.box[use])
        people = _stored_people(path, plan)
        originals.append(OriginalClip(number, clip, group, row, seconds, faces[number], people, truth))
    return originals


def numbered_tracks(readable: Sequence[OriginalClip]) -> NDArray[np.int64]:
    """(N,) the track of each face, numbered through the clips."""
    tracks, start = [np.zeros(0, np.int64)], 0
    for one in readable:
        names, within = np.unique(one.faces["track"], return_inverse=True)
        tracks.append(within.reshape(-1) + start)
        start += len(names)
    return np.concatenate(tracks)


def reference_of(plan: Plan, release: Release) -> Release | None:
    """The re-encoded control that a release is held against: of its own quality where it is not lossless, else at
    the source's bitrate, else the first."""
    controls = {m.label for m in plan.methods if m.card.name == CONTROL}
    recoded = [c for c in plan.releases if c.method in controls and c.variant != LOSSLESS and c.kind == "clips"]
    by_quality = {c.variant: c for c in reversed(recoded)}
    return by_quality.get(release.variant) or by_quality.get(MATCHED) or next(iter(recoded), None)


def released_clips(
    folder: RunFolder, plan: Plan, dataset: str, clips: Sequence[OriginalClip], label: str, flicker: NDArray[np.float32]
) -> Clips:
    """The readable clips under a release; ``flicker`` (N,): of its faces."""
    readable, release = [one for one in clips if not one.problem], plan.release(label)
    reference = reference_of(plan, release)
    counts = [len(one.faces["frame"]) for one in readable]
    faces = {name: [one.faces[name] for one in readable] for name in ("frame", "flicker")}
    return Clips(
        id=np.array([one.clip for one in readable], np.str_),
        seconds=tuple(one.seconds for one in readable),
        clip=np.repeat(np.arange(len(readable)), counts),
        frame=np.concatenate([np.zeros(0, np.int64), *faces["frame"]]),
        track=numbered_tracks(readable),
        flicker_original=np.concatenate([np.zeros(0), *faces["flicker"]]),
        flicker_output=flicker.astype(np.float64),
        people=tuple(one.people for one in readable),
        people_output=tuple(_people(folder, plan, dataset, one, release) for one in readable),
        people_recoded=tuple(_people(folder, plan, dataset, one, reference) for one in readable),
        truth=tuple(one.truth for one in readable),
        kbps_original=np.array([one.row["kbps"][0] for one in readable], np.float64),
        kbps=np.array([_written(folder, dataset, one, release).kbps for one in readable], np.float64),
    )


def _people(
    folder: RunFolder, plan: Plan, dataset: str, one: OriginalClip, release: Release | None
) -> Mapping[str, Tracks]:
    """The people of one clip under one release; none where it could not be written."""
    if release is None or _written(folder, dataset, one, release).problem:
        return {}
    return _stored_people(folder.score_dir(dataset, release.label, one.number), plan)


def _stored_people(place: Storage, plan: Plan) -> Mapping[str, Tracks]:
    return {t.label: stored_tracks(read_table(place / f"people-{t.label}.parquet")) for t in plan.trackers}


def _written(folder: RunFolder, dataset: str, one: OriginalClip, release: Release) -> WrittenFile:
    return written_file(folder.outputs_dir(dataset, release.method, one.number), release.variant)


_TIMELINE: Final = {"clip": np.str_, "track": np.int64, "from": np.float64, "to": np.float64, "state": np.str_}
EXPOSED: Final = "exposed"
"""The state of an anonymized or destroyed face that a recogniser still matches; the others are outcomes' names."""


def states(evidence: Evidence) -> Strings:
    """(N,) the state of every face in every frame: its outcome, or `EXPOSED` where any recogniser still matches it."""
    state = evidence.outcome.astype("<U16")
    for recogniser in evidence.recognisers:
        threshold = point_at(evidence.operating_points.get(recogniser, ()), FMR).threshold
        matched = exposed(own_distances(evidence, recogniser), threshold) == 1.0
        changed = np.isin(evidence.outcome, [Outcome.ANONYMIZED.value, Outcome.DESTROYED.value])
        state[matched & changed] = EXPOSED
    return state


def timeline(one: OriginalClip, state: Strings) -> list[tuple[int, float, float, str]]:
    """(track, from, to, state): unbroken stretches of one state, in seconds, track after track. ``state``: (N,) those
    of the clip's faces."""
    lasting = frame_seconds(one.seconds)
    rows = []
    for track in np.unique(one.faces["track"]):
        of = np.flatnonzero(one.faces["track"] == track)
        frames = one.faces["frame"][of]
        # A new stretch begins where the state changes or a frame is skipped.
        breaks = [False, *(b != a + 1 for a, b in pairwise(frames))]
        run = np.cumsum(breaks)
        for (_, kind), stretch in groupby(range(len(of)), key=lambda k: (run[k], str(state[of[k]]))):
            if kind == NOT_MEASURED:
                continue
            part = list(stretch)
            first, last = int(frames[part[0]]), int(frames[part[-1]])
            rows.append((int(track), float(one.seconds[first]), float(one.seconds[last] + lasting[last]), kind))
    return rows


def clip_row(
    dataset: str, one: OriginalClip, readings: Mapping[str, Floats32], points: Mapping[str, Sequence[OperatingPoint]]
) -> ClipRow:
    """``readings``: recogniser -> the embeddings (N, D) of the clip's faces."""
    row = {name: values[0] for name, values in one.row.items()}
    steps = np.diff(one.seconds)
    return ClipRow(
        dataset=dataset,
        clip=one.clip,
        group=one.group,
        problem=str(row["problem"]),
        damage=str(row["damage"]),
        frames=len(one.seconds),
        seconds=float(one.seconds[-1] + frame_seconds(one.seconds)[-1]) if len(one.seconds) > 1 else 0.0,
        width=int(row["width"]),
        height=int(row["height"]),
        rotation=int(row["rotation"]),
        rate=finite(float(row["rate"])),
        variable_rate=bool(len(steps) and steps.max() > 1.05 * max(steps.min(), 1e-9)),
        codec=str(row["codec"]),
        kbps=finite(float(row["kbps"])),
        audio=bool(row["audio"]),
        faces=len(one.faces["frame"]),
        face_width=float(np.median(one.faces["box"][:, 2])) if len(one.faces["frame"]) else None,
        strangers={
            name: strangers_matched(one.faces["frame"], read, point_at(points.get(name, ()), FMR).threshold)
            for name, read in readings.items()
        },
        face_tracks=one.face_tracks,
        people={label: tracks.people for label, tracks in one.people.items()},
        truth_people=None if one.truth is None else one.truth.people,
    )


def clip_results(
    folder: RunFolder, plan: Plan, clips: Sequence[OriginalClip], evidence: Evidence, names: Pseudonyms
) -> list[ClipResult]:
    """A row a readable clip; writes the release's timelines on the way."""
    rows, stretches = [], []
    every, release = states(evidence), plan.release(evidence.method)
    for number, one in enumerate(one for one in clips if not one.problem):
        state = every[evidence.clips.clip == number]
        lines = timeline(one, state)
        stretches += [(names.sample(one.clip), *line) for line in lines]
        frames = read_table(folder.outputs_dir(evidence.dataset, release.method, one.number) / "outputs.parquet")
        flags = np.isin(state, [EXPOSED, Outcome.MISSED.value, Outcome.ERROR.value]).astype(np.float64)
        tracks = [np.flatnonzero(one.faces["track"] == track) for track in np.unique(one.faces["track"])]
        runs = [longest_run(one.seconds, one.faces["frame"][of], flags[of]) for of in tracks]
        failed, timed = frames["error"] != "", frames["ms"][np.isfinite(frames["ms"])]
        reason = str(frames["error"][0]) if len(failed) and failed.all() else ""
        rows.append(
            ClipResult(
                dataset=evidence.dataset,
                clip=one.clip,
                method=release.label,
                people={label: tracks.people for label, tracks in evidence.clips.people_output[number].items()},
                kbps=finite(float(evidence.clips.kbps[number])),
                failed_frames=int(failed.sum()),
                ms=finite(float(timed.mean())) if len(timed) else None,
                tracks_exposed=len(np.unique(one.faces["track"][flags == 1.0])),
                longest_exposure=max(runs, default=0.0),
                missed=[(start, end) for _, start, end, kind in lines if kind == Outcome.MISSED.value],
                error=_written(folder, evidence.dataset, one, release).problem or reason,
            )
        )
    columns = columns_of(stretches, _TIMELINE)
    write_table(folder.timelines_path(evidence.dataset, release.label), columns, "")
    return rows
