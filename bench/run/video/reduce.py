"""Stage reduce: numbers with intervals over clips, tables per clip, timelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence, OperatingPoint, point_at
from unmask.bench.core.exposure import FMR, frame_seconds, longest_run, strangers_matched
from unmask.bench.core.headlines import headline_keys
from unmask.bench.core.protocols import Metric
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Bools, Outcome
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video import Tracks
from unmask.bench.run.calibration import usable_points
from unmask.bench.run.executors import Progress
from unmask.bench.run.plan import CONTROL
from unmask.bench.run.ranking import compare_methods, rank_rows
from unmask.bench.run.releases import variant_problem
from unmask.bench.run.rows import Answer, answer, estimate_rows, finite, worst_answers
from unmask.bench.run.video.assemble import original_clips, video_evidence
from unmask.bench.run.video.evidence import OriginalClip
from unmask.bench.run.video.timelines import EXPOSED, states, timeline, timeline_columns
from unmask.bench.store.names import Pseudonyms
from unmask.bench.store.results import ClipResult, ClipRow, EstimateRow, Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan, PlannedDataset, Release
from unmask.bench.store.tables import read_table, write_table

Points = Mapping[str, tuple[OperatingPoint, ...]]


def reduce_clips(
    folder: RunFolder, plan: Plan, dataset: PlannedDataset, root: Path | None, names: Pseudonyms, progress: Progress
) -> Estimates:
    """All numbers of one data set of clips; writes its timelines, with the clips' pseudonyms."""
    asked = {planned.name for planned in plan.of("clips").metrics}
    metrics = [metric for name, metric in registry.all_metrics(clips=True) if name in asked]
    cards = {card.name: card for metric in metrics for card in metric.cards}
    instruments = {card.name: registry.instrument_card(card.name) for card in plan.measuring}
    points = usable_points(folder.operating_points, instruments)
    clips = original_clips(folder, plan, dataset, root)
    readable = [one for one in clips if not one.problem]
    design = _Design(readable, plan)
    rows: list[EstimateRow] = []
    results: list[ClipResult] = []
    answers: dict[str, list[Answer]] = {}
    for release in plan.releases_of(dataset):
        evidence = video_evidence(folder, plan, dataset.label, clips, release, points)
        answers[release.label] = _answers(evidence, metrics, design, cards, set(instruments))
        for each in answers[release.label]:
            rows += estimate_rows(dataset.label, release.label, each, design.groups)
        results += _results(folder, dataset.label, release, readable, evidence, names)
        progress.done(f"{release.label} {dataset.label}", skipped=False)
    control, competing = _competitors(plan, answers)
    instruments_first = [plan.settings.default_recogniser, *(part.label for part in plan.trackers)]
    compared = compare_methods(
        dataset.label,
        competing,
        design.resamples,
        cards,
        control,
        heads_of=partial(headline_keys, cards, instruments=instruments_first),
    )
    ranks = rank_rows(dataset.label, competing, compared, cards, control)
    nowhere = {"region": None}
    return Estimates(
        run=plan.run,
        estimates=[row.model_copy(update=nowhere) for row in rows],
        comparisons=[row.model_copy(update=nowhere) for row in compared],
        ranks=[row.model_copy(update=nowhere) for row in ranks],
        clips=[_clip_row(dataset.label, one, points) for one in clips],
        results=results,
    )


class _Design:
    """How clips and their face tracks are resampled and cut into groups; the same for all releases."""

    def __init__(self, readable: Sequence[OriginalClip], plan: Plan) -> None:
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
    evidence: Evidence,
    metrics: Sequence[Metric],
    design: _Design,
    cards: Mapping[str, MetricCard],
    recognisers: set[str],
) -> list[Answer]:
    made = [
        answer(item, design.resamples[item.unit], design.masks[item.unit], cards[item.metric])
        for metric in metrics
        for item in metric.ask(evidence)
        if isinstance(item, UnitValues | SetStatistic)
    ]
    return made + worst_answers(made, cards, recognisers)


def _competitors(plan: Plan, answers: Mapping[str, list[Answer]]) -> tuple[str, dict[str, list[Answer]]]:
    """The control's label, and everybody who may be compared: of the control's qualities only the lossless one."""
    controls = {m.label for m in plan.methods if m.card.name == CONTROL}
    of_control = [c.label for c in plan.releases if c.method in controls]
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
    folder: RunFolder,
    dataset: str,
    release: Release,
    readable: Sequence[OriginalClip],
    evidence: Evidence,
    names: Pseudonyms,
) -> list[ClipResult]:
    """A row a clip; writes the release's timelines on the way."""
    rows, stretches = [], []
    every = states(evidence)
    for number, one in enumerate(readable):
        state = every[evidence.clips.clip == number]
        lines = timeline(one, state)
        stretches += [(names.sample(one.clip), *line) for line in lines]
        rows.append(_result(folder, dataset, release, one, evidence.clips.people_output[number], state, lines))
    write_table(folder.timelines_path(dataset, release.label), timeline_columns(stretches), "")
    return rows


def _result(
    folder: RunFolder,
    dataset: str,
    release: Release,
    one: OriginalClip,
    people: Mapping[str, Tracks],
    state: NDArray[np.str_],
    lines: Sequence[tuple[int, float, float, str]],
) -> ClipResult:
    outputs = folder.outputs_dir(dataset, release.method, one.number)
    frames, written = read_table(outputs / "outputs.parquet"), read_table(outputs / "written.parquet")
    kbps = dict(zip(written["quality"].tolist(), written["kbps"].tolist(), strict=True))
    flags = np.isin(state, [EXPOSED, Outcome.MISSED.value, Outcome.ERROR.value]).astype(np.float64)
    runs = [
        longest_run(one.seconds, one.faces["frame"][rows], flags[rows])
        for rows in (np.flatnonzero(one.faces["track"] == track) for track in np.unique(one.faces["track"]))
    ]
    problem = variant_problem(outputs, release.variant)
    failed = frames["error"] != ""
    timed = frames["ms"][np.isfinite(frames["ms"])]
    return ClipResult(
        dataset=dataset,
        clip=one.clip,
        method=release.label,
        people={label: tracks.people for label, tracks in people.items()},
        kbps=finite(kbps.get(release.variant, float("nan"))),
        failed_frames=int(failed.sum()),
        ms=finite(float(timed.mean())) if len(timed) else None,
        tracks_exposed=len(np.unique(one.faces["track"][flags == 1.0])),
        longest_exposure=max(runs, default=0.0),
        missed=[(start, end) for _, start, end, kind in lines if kind == Outcome.MISSED.value],
        error=problem or (str(frames["error"][0]) if len(failed) and failed.all() else ""),
    )
