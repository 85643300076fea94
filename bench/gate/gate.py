"""A gate: baseline and candidate from where they lie to the decision."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmask.bench.core.errors import StoreError, UsageError, counted
from unmask.bench.core.headlines import Key
from unmask.bench.gate.baseline import as_kept, baseline_of, read_baseline, side_of_file
from unmask.bench.gate.judging import Against, Judge, Pair, changes, paired
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.sensitivity import sensitivities
from unmask.bench.gate.sides import Side, is_measured, side_of_run
from unmask.bench.run.jobs.executors import Progress
from unmask.bench.store.comparable import data_difference
from unmask.bench.store.gating import EXIT_CODES, Baseline, Decision, FaceList, Gate, GateRow, Sensitivity
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import ALL, RunView

PASSING = ("identical", "better", "no worse")


@dataclass(frozen=True)
class Candidate:
    """What is judged: a method of a finished run over its photos."""

    view: RunView
    method: str
    policy: Policy

    @property
    def datasets(self) -> list[str]:
        """Those of photos that the method was run over."""
        return [name for name in photo_sets(self.view) if self.method in self.view.labels(name)]

    def side(self, dataset: str, keys: Collection[Key] = ()) -> Side:
        """``keys``: what a baseline judges, whatever speaks for this run."""
        return side_of_run(self.view, dataset, self.method, self.policy, keys)


def open_candidate(run: Path, label: str, policy: Policy) -> Candidate:
    """Raises `UsageError` where the run has several methods and ``label`` names none of them."""
    view = RunView(RunFolder.open(run))
    policy.check(view.metrics)
    return Candidate(view, _label(view, label, "--method"), policy)


def photo_sets(view: RunView) -> list[str]:
    """Data sets with rows of faces. Raises `StoreError` where there is none."""
    names = [name for name in view.datasets if not view.has_clips(name)]
    if not names:
        raise StoreError(f"{view.folder.path} has clips only; a gate compares rows of faces, which photos have")
    return names


def _label(view: RunView, label: str, option: str) -> str:
    labels = list(dict.fromkeys(each for name in photo_sets(view) for each in view.contestants(name)))
    every = {each for name in view.datasets for each in view.labels(name)}
    if label and label not in every:
        raise UsageError(f"{option} {label}: {view.folder.path} has {', '.join(sorted(every))}")
    if not label and len(labels) != 1:
        raise UsageError(f"{view.folder.path} has {', '.join(labels) or 'no method'}; say which one with {option}")
    return label or labels[0]


def accept(run: Path, label: str, policy: Policy) -> Baseline:
    """What is kept of a method of a run as the baseline of later ones. Raises `StoreError` where nothing that blocks
    was measured: nothing could be worse than that."""
    candidate = open_candidate(run, label, policy)
    sides = [as_kept(candidate.side(name), candidate.view) for name in candidate.datasets]
    for side in sides:
        measured = [
            key for key in side.measures if side.cards[key[0]].family in policy.blocking and is_measured(side, key)
        ]
        if not measured:
            families = ", ".join(policy.blocking)
            raise StoreError(
                f"{run}: nothing of {families} was measured on {side.dataset}; such a baseline stops nothing"
            )
    return baseline_of(sides, candidate.view)


def pairs_with(candidate: Candidate, baseline: Path, label: str) -> tuple[str, list[Pair]]:
    """Label of the baseline's method, and each of its data sets beside the candidate's. ``label``: of the method, '' =
    the only one."""
    if baseline.is_dir():
        view = RunView(RunFolder.open(baseline))
        method = _label(view, label, "--baseline-method")
        sets = [name for name in photo_sets(view) if method in view.labels(name)]
        sides = [side_of_run(view, name, method, candidate.policy) for name in sets]
        return method, [_beside(candidate, side, view) for side in sides]
    if not baseline.exists():
        accepting = _accepting(candidate, baseline)
        raise StoreError(f"there is no baseline {baseline}; to make this candidate the first one: {accepting}")
    kept = read_baseline(baseline)
    if label and label != kept.method:
        raise UsageError(f"--baseline-method {label}: {baseline} holds {kept.method}")
    return kept.method, [_beside(candidate, side_of_file(kept, each, candidate.view), None) for each in kept.datasets]


def _beside(candidate: Candidate, before: Side, view: RunView | None) -> Pair:
    """``view``: of the baseline's run; ``None`` = it is a file."""
    if before.dataset not in candidate.datasets:
        return paired(before, before, "the candidate was not run over this data set")
    after = candidate.side(before.dataset, before.measures)
    if view is None:
        return paired(before, as_kept(after, candidate.view))
    return paired(before, after, data_difference(view, candidate.view, before.dataset))


def gate(
    candidate: Candidate, baseline: Path, label: str, baseline_file: Path, progress: Progress, notes: Sequence[str] = ()
) -> Gate:
    """``baseline_file``: where the command that accepts the candidate would write; ``notes``: on how it was run."""
    settings, policy = candidate.view.plan.settings, candidate.policy
    judge = Judge(policy, replicates=settings.replicates, seed=settings.seed)
    rows: list[GateRow] = []
    lists: list[FaceList] = []
    title = ""
    against: list[tuple[Against, Path, str]] = [("baseline", baseline, label)]
    against += [("anchor", policy.anchor, "")] if policy.anchor is not None else []
    for which, path, wanted in against:
        name, pairs = pairs_with(candidate, path, wanted)
        title = title or f"{name} of {path.name}"
        rows += judge.rows(pairs, which)
        for pair in pairs:
            if not pair.difference:
                lists += changes(pair, which)
    sensitivity = sensitivities(candidate.view, candidate.method, candidate.datasets, policy, progress)
    decision, reasons = decide(rows, sensitivity, policy)
    return Gate(
        decision=decision,
        exit_code=EXIT_CODES[decision],
        reasons=reasons,
        baseline=title,
        candidate=f"{candidate.method} of {candidate.view.folder.path.name}",
        anchor="" if policy.anchor is None else policy.anchor.name,
        blocking=list(policy.blocking),
        inconclusive_blocks=not policy.allow_inconclusive,
        accept=_accepting(candidate, baseline_file),
        rows=rows,
        changes=lists,
        sensitivity=sensitivity,
        notes=[*notes, *_notes(candidate, rows)],
    )


def _accepting(candidate: Candidate, file: Path) -> str:
    """The command that makes the candidate the baseline."""
    command = ["unmask", "baseline", "accept", str(candidate.view.folder.path), "--method", candidate.method]
    return shlex.join([*command, "--out", str(file)])


def decide(rows: Sequence[GateRow], sensitivity: Sequence[Sensitivity], policy: Policy) -> tuple[Decision, list[str]]:
    """The decision, and what decided. A gate that does not find a weakened candidate proves nothing, whatever else it
    says; what is worse outweighs what cannot be compared, and that what too few faces tell of."""
    blocking = [row for row in rows if row.blocks]
    broken = [each.text for each in sensitivity if each.verdict == "gate broken"]
    if broken:
        return "gate broken", broken
    worse = [row for row in blocking if row.verdict in ("worse", "newly failed")]
    if worse:
        return "worse", [_reason(row) for row in worse]
    other = [row for row in blocking if row.verdict == "not comparable"]
    if other:
        return "not comparable", list(dict.fromkeys(f"{row.dataset}: {row.title}: {row.reason}" for row in other))
    measured = [row for row in blocking if row.group == ALL and row.verdict != "not measured"]
    if not measured:
        return "nothing measured", [f"no metric of {', '.join(policy.blocking)} was measured on both sides"]
    there = {row.metric for row in rows if row.verdict != "not measured"}
    absent = [name for name in policy.metrics if name not in there]
    if absent:
        return "nothing measured", [f"the policy names {', '.join(absent)}, which one side or both did not measure"]
    open_ = [row for row in measured if row.verdict == "inconclusive"]
    if open_ and not policy.allow_inconclusive:
        return "inconclusive", [_reason(row) for row in open_]
    several = counted(len(measured), "metric")
    return "pass", [f"{several} of {', '.join(policy.blocking)} passed"]


def _reason(row: GateRow) -> str:
    where = row.title if row.group == ALL else f"{row.title}, {row.group}"
    text = (
        f"{row.dataset}: {where} is {row.verdict} than the {row.against}"
        if row.verdict == "worse"
        else (f"{row.dataset}: {where} is {row.verdict} against the {row.against}")
    )
    if row.loss is not None and row.margin is not None:
        text += f": loss {row.loss:.4g}"
        if row.low is not None and row.high is not None:
            text += f" [{row.low:.4g}, {row.high:.4g}]"
        text += f", margin {row.margin:.4g}"
    if row.verdict == "inconclusive":
        needed = "more faces will not settle it" if row.faces_needed is None else f"about {row.faces_needed:,} would do"
        text += f"; of {counted(row.faces, 'face')}: {needed}"
    return text if not row.reason else f"{text}: {row.reason}"


def _notes(candidate: Candidate, rows: Sequence[GateRow]) -> list[str]:
    judged = {row.dataset for row in rows}
    notes = [
        f"{name}: not judged: it holds clips, of which no rows of faces are kept"
        for name in candidate.view.datasets
        if candidate.view.has_clips(name)
    ]
    notes += [f"{name}: not judged: the baseline does not have it" for name in candidate.datasets if name not in judged]
    draws = sum(method.draw_of == candidate.method for method in candidate.view.plan.methods)
    if draws:
        notes.append(f"judged by the first of {draws + 1} draws, whose rows are of single faces")
    lost = sum(row.lost for row in rows if row.group == ALL and row.blocks)
    if lost:
        notes.append(f"{counted(lost, 'value')} of the baseline's could not be measured for the candidate")
    return notes
