"""Stage reduce: numbers with intervals over clips, tables per clip, timelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import OperatingPoint, point_at
from unmask.bench.core.exposure import FMR, frame_seconds, longest_run, strangers_matched
from unmask.bench.core.headlines import clip_headline_keys
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Bools, Outcome
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video_evidence import ClipEvidence, VideoEvidence
from unmask.bench.run.calibration import usable_points
from unmask.bench.run.executors import Progress
from unmask.bench.run.plan import CONTROL
from unmask.bench.run.ranking import compare_methods, rank_rows
from unmask.bench.run.rows import Answer, answer, estimate_rows, finite, worst_answers
from unmask.bench.run.video.anonymize import written_problem
from unmask.bench.run.video.assemble import (
    EXPOSED,
    OriginalClip,
    original_clips,
    states,
    timeline,
    timeline_columns,
    video_evidence,
)
from unmask.bench.store.atomic import write_json
from unmask.bench.store.schemas import ComparisonRow, EstimateRow, RankRow
from unmask.bench.store.tables import read_table, write_table
from unmask.bench.store.video_folder import VideoRunFolder
from unmask.bench.store.video_schemas import ClipResult, ClipRow, Contestant, VideoEstimates, VideoPlan

Points = Mapping[str, tuple[OperatingPoint, ...]]


def reduce_video(folder: VideoRunFolder, plan: VideoPlan, root: Path | None, progress: Progress) -> None:
    """Writes ``video-estimates.json`` and the timelines. The same readings give the same bytes."""
    progress.start("reduce", len(plan.datasets) * len(plan.contestants))
    cards = {card.name: card for _, metric in registry.all_metrics(clips=True) for card in metric.cards}
    instruments = {c["name"]: registry.instrument_card(c["name"]) for c in plan.instruments}
    points = usable_points(plan.operating_points, instruments)
    rows: list[EstimateRow] = []
    comparisons: list[ComparisonRow] = []
    ranks: list[RankRow] = []
    clip_rows: list[ClipRow] = []
    results: list[ClipResult] = []
    for dataset in plan.datasets:
        clips = original_clips(folder, plan, dataset, root)
        clip_rows += [_clip_row(dataset.label, one, points) for one in clips]
        readable = [one for one in clips if not one.problem]
        design = _Design(readable, plan)
        answers: dict[str, list[Answer]] = {}
        for contestant in plan.contestants:
            evidence = video_evidence(folder, plan, dataset.label, clips, contestant, points)
            answers[contestant.label] = _answers(evidence, design, cards, set(instruments))
            for each in answers[contestant.label]:
                rows += estimate_rows(dataset.label, contestant.label, each, design.groups)
            results += _results(folder, dataset.label, contestant, readable, evidence, points)
            progress.done(f"{contestant.label} {dataset.label}", skipped=False)
        control, competing = _competitors(plan, answers)
        tracker = plan.trackers[0].label if plan.trackers else ""
        compared = compare_methods(
            dataset.label,
            competing,
            design.resamples,
            cards,
            control,
            heads_of=partial(clip_headline_keys, tracker=tracker, recogniser=plan.settings.default_recogniser),
        )
        comparisons += compared
        ranks += rank_rows(dataset.label, competing, compared, cards, control)
    progress.end()
    made = VideoEstimates(
        run=plan.run, estimates=rows, comparisons=comparisons, ranks=ranks, clips=clip_rows, results=results
    )
    write_json(folder.estimates_path, made.model_dump(mode="json", by_alias=True))


class _Design:
    """How clips and their face tracks are resampled and cut into groups; the same for all contestants."""

    def __init__(self, readable: Sequence[OriginalClip], plan: VideoPlan) -> None:
        of_clip = np.arange(len(readable), dtype=np.int64)
        of_track = np.repeat(of_clip, [one.face_tracks for one in readable])
        names = [one.group for one in readable]
        self.groups = ["all", *(f"group={name}" for name in sorted(set(names) - {""}))]
        group = np.array(names, np.str_)
        replicates, seed = plan.settings.replicates, plan.settings.seed
        self.resamples: dict[str, ClusterResamples] = {}
        self.masks: dict[str, Bools] = {}
        for unit, clip in (("clip", of_clip), ("track", of_track)):
            self.resamples[unit] = ClusterResamples(clip, replicates, seed)
            members = [group[clip] == name.partition("=")[2] for name in self.groups[1:]]
            self.masks[unit] = np.stack([np.ones(len(clip), np.bool_), *members])


def _answers(
    evidence: VideoEvidence, design: _Design, cards: Mapping[str, MetricCard], recognisers: set[str]
) -> list[Answer]:
    made = [
        answer(item, design.resamples[item.unit], design.masks[item.unit], cards[item.metric])
        for _, metric in registry.all_metrics(clips=True)
        for item in metric.ask(cast(Any, evidence))
        if isinstance(item, UnitValues | SetStatistic)
    ]
    return made + worst_answers(made, cards, recognisers)


def _competitors(plan: VideoPlan, answers: Mapping[str, list[Answer]]) -> tuple[str, dict[str, list[Answer]]]:
    """The control's label, and everybody who may be compared: of the control's qualities only the lossless one."""
    controls = {m.label for m in plan.methods if m.card["name"] == CONTROL}
    of_control = [c.label for c in plan.contestants if c.method in controls]
    return of_control[0], {label: given for label, given in answers.items() if label not in of_control[1:]}


def _clip_row(dataset: str, one: OriginalClip, points: Points) -> ClipRow:
    row = {name: values[0] for name, values in one.row.items()}
    steps = np.diff(one.seconds)
    return ClipRow(
        dataset=dataset,
        clip=one.clip,
        group=one.group,
        problem=str(row["problem"]),
        damage=str(row["damage"]),
        frames=len(one.seconds),
        seconds=_length(one.seconds),
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
            for name, read in one.readings.items()
        },
        face_tracks=one.face_tracks,
        people={label: tracks.people for label, tracks in one.people.items()},
        truth_people=None if one.truth is None else one.truth.people,
    )


def _length(seconds: NDArray[np.float64]) -> float:
    return float(seconds[-1] + frame_seconds(seconds)[-1]) if len(seconds) > 1 else 0.0


def _results(
    folder: VideoRunFolder,
    dataset: str,
    contestant: Contestant,
    readable: Sequence[OriginalClip],
    evidence: VideoEvidence,
    points: Points,
) -> list[ClipResult]:
    """A row a clip; writes the contestant's timelines on the way."""
    rows, stretches = [], []
    for one, clip in zip(readable, evidence.clips, strict=True):
        state = states(clip, points)
        lines = timeline(clip, state)
        stretches += [(clip.clip, *line) for line in lines]
        rows.append(_result(folder, dataset, contestant, one, clip, state, lines))
    write_table(folder.timelines_path(dataset, contestant.label), timeline_columns(stretches), "")
    return rows


def _result(
    folder: VideoRunFolder,
    dataset: str,
    contestant: Contestant,
    one: OriginalClip,
    clip: ClipEvidence,
    state: NDArray[np.str_],
    lines: Sequence[tuple[int, float, float, str]],
) -> ClipResult:
    outputs = folder.output_dir(dataset, contestant.method, one.number)
    frames, written = read_table(outputs / "frames.parquet"), read_table(outputs / "written.parquet")
    kbps = dict(zip(written["quality"].tolist(), written["kbps"].tolist(), strict=True))
    flags = np.isin(state, [EXPOSED, Outcome.MISSED.value, Outcome.ERROR.value]).astype(np.float64)
    runs = [
        longest_run(clip.seconds, clip.faces.frame[rows], flags[rows])
        for rows in (np.flatnonzero(clip.faces.track == track) for track in np.unique(clip.faces.track))
    ]
    problem = written_problem(outputs, contestant.quality)
    failed = frames["error"] != ""
    timed = frames["ms"][np.isfinite(frames["ms"])]
    return ClipResult(
        dataset=dataset,
        clip=one.clip,
        method=contestant.label,
        people={label: tracks.people for label, tracks in clip.people_output.items()},
        kbps=finite(kbps.get(contestant.quality, float("nan"))),
        failed_frames=int(failed.sum()),
        ms=finite(float(timed.mean())) if len(timed) else None,
        tracks_exposed=len(np.unique(clip.faces.track[flags == 1.0])),
        longest_exposure=max(runs, default=0.0),
        missed=[(start, end) for _, start, end, kind in lines if kind == Outcome.MISSED.value],
        error=problem or (str(frames["error"][0]) if len(failed) and failed.all() else ""),
    )
