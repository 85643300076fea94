"""Stage reduce: stored readings -> numbers with intervals, subgroups, gaps, comparisons and rank ranges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.headlines import headline_keys
from unmask.bench.core.settings import PlanSettings
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Bools
from unmask.bench.core.values import Finding, Histogram, SetStatistic, UnitValues
from unmask.bench.data.folders import counted
from unmask.bench.run.assemble import (
    Originals,
    assemble_evidence,
    assemble_originals,
    output_findings,
    output_rows,
    outputs_digest,
)
from unmask.bench.run.calibration import usable_points
from unmask.bench.run.draws import averaged, by_draws
from unmask.bench.run.executors import Progress
from unmask.bench.run.face_table import write_face_table
from unmask.bench.run.plan import CONTROL
from unmask.bench.run.ranking import compare_methods, rank_rows
from unmask.bench.run.rows import Answer, GapRows, answer, estimate_rows, worst_answers
from unmask.bench.run.video.reduce import reduce_clips
from unmask.bench.store.names import Pseudonyms, pseudonyms_of, without_names, write_names
from unmask.bench.store.results import (
    ClipResult,
    ClipRow,
    ComparisonRow,
    EstimateRow,
    Estimates,
    FindingRow,
    GapRow,
    HistogramRow,
    InputRow,
    MethodProblem,
    Problem,
    RankRow,
)
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan, PlannedMethod

NO_FACE: Final = "the judge found no face in it"
_UNPLACED: Final = "in no face of their own, so that they count for nobody (pixels of the upright picture are meant)"


@dataclass(frozen=True, slots=True)
class Design:
    """How the units of a data set are resampled and cut into subgroups, the same for all methods."""

    resamples: Mapping[str, ClusterResamples]
    """Unit (``face``, ``image``) -> draws."""
    masks: Mapping[str, Bools]
    """Unit -> (M, N) membership; row 0 is everybody."""
    groups: Mapping[str, Sequence[str]]
    """Unit -> names of the M rows; the first is ``all``."""


def reduce_run(folder: RunFolder, plan: Plan, root: Path | None, progress: Progress) -> None:
    """Writes ``estimates.json``, the per-face tables and the timelines. The same readings give the same bytes."""
    progress.start("reduce", sum(len(plan.labels_of(dataset)) for dataset in plan.datasets))
    tables = Tables()
    names: dict[str, Pseudonyms] = {}
    for dataset in plan.datasets:
        if dataset.kind == "clips":
            names[dataset.label] = pseudonyms_of(dataset)
            tables.add(reduce_clips(folder, plan, dataset, root, names[dataset.label], progress))
        else:
            originals = assemble_originals(folder, plan, dataset.label)
            names[dataset.label] = pseudonyms_of(dataset, originals.truth.identity)
            _reduce_photos(folder, plan, originals, tables, names[dataset.label], progress)
    progress.end()
    write_names(folder.path, names)
    folder.write_estimates(without_names(tables.estimates_of(plan.run), names))


def _reduce_photos(
    folder: RunFolder, plan: Plan, originals: Originals, found: Tables, names: Pseudonyms, progress: Progress
) -> None:
    """The numbers of one data set of photos; writes its per-face tables."""
    cards = {card.name: card for _, metric in registry.all_metrics() for card in metric.cards}
    metrics = [registry.create_metric(planned.name) for planned in plan.of("photos").metrics]
    instruments = {card.name: registry.instrument_card(card.name) for card in plan.measuring}
    points = usable_points(folder.operating_points, instruments)
    recognisers = {name for name, card in instruments.items() if card.role == "recogniser"}
    control = next(m.label for m in plan.methods if m.card.name == CONTROL)
    dataset, design = originals.dataset, _design(originals, plan)
    found.inputs.append(_input_row(originals, plan.dataset(dataset).notes))
    answers: dict[str, list[Answer]] = {}
    outputs: dict[str, list[str]] = {}
    inputs = output_rows(folder, plan, dataset, control)
    for label, drawn in by_draws(plan.methods):
        draws = []
        for method in drawn:
            evidence, reasons, errors = assemble_evidence(folder, plan, originals, method.label, points)
            asked = [item for metric in metrics for item in metric.ask(evidence)]
            draws.append(asked)
            found.failures += _failures(evidence, errors, method)
            if method.label == label:
                found.histograms += [_histogram(evidence, item) for item in asked if isinstance(item, Histogram)]
                found.findings += [_finding(evidence, item) for item in asked if isinstance(item, Finding)]
                if label != control:
                    outputs_said = output_findings(folder, plan, dataset, label, inputs)
                    found.findings += [_finding(evidence, item) for item in outputs_said]
            values = [item for item in asked if isinstance(item, UnitValues)]
            write_face_table(folder.faces_path(dataset, method.label), evidence, reasons, values, names)
            progress.done(f"{method.label} {dataset}", skipped=False)
        answers[label] = _answers(averaged(draws), design, cards, recognisers)
        outputs[label] = [outputs_digest(folder, plan, dataset, method.label) for method in drawn]
    gaps = GapRows(dataset, design.resamples, design.masks, design.groups, plan.settings.seed)
    for label, given in answers.items():
        for each in given:
            found.estimates += estimate_rows(dataset, label, each, design.groups[each.unit])
        found.gaps += gaps.rows(label, given, cards)
    compared = compare_methods(
        dataset,
        answers,
        design.resamples,
        cards,
        control,
        identical=_identical(outputs),
        heads_of=partial(headline_keys, cards, instruments=instruments_of(plan.settings)),
    )
    found.comparisons += compared
    found.ranks += rank_rows(dataset, answers, compared, cards, control)


class Tables:
    """The rows of all data sets, as they come."""

    def __init__(self) -> None:
        self.estimates: list[EstimateRow] = []
        self.gaps: list[GapRow] = []
        self.ranks: list[RankRow] = []
        self.comparisons: list[ComparisonRow] = []
        self.inputs: list[InputRow] = []
        self.failures: list[MethodProblem] = []
        self.findings: list[FindingRow] = []
        self.histograms: list[HistogramRow] = []
        self.clips: list[ClipRow] = []
        self.results: list[ClipResult] = []

    def add(self, part: Estimates) -> None:
        """The rows of one data set."""
        for name, rows in vars(self).items():
            rows += getattr(part, name)

    def estimates_of(self, run: str) -> Estimates:
        return Estimates(run=run, **vars(self))


def instruments_of(settings: PlanSettings) -> list[str]:
    """The instruments that speak for a metric where there is no worst one."""
    return [settings.default_recogniser, settings.default_attributes, "standard"]


def _identical(outputs: Mapping[str, Sequence[str]]) -> set[frozenset[str]]:
    """Pairs of methods whose outputs are byte for byte the same; ``outputs``: label -> digest of each draw."""
    return {frozenset((a, b)) for a, b in combinations(outputs, 2) if any(outputs[a]) and outputs[a] == outputs[b]}


def _design(originals: Originals, plan: Plan) -> Design:
    resamples, masks, groups = {}, {}, {}
    for unit, units in (("face", originals.faces), ("image", originals.images)):
        resamples[unit] = ClusterResamples(units.cluster, plan.settings.replicates, plan.settings.seed)
        masks[unit] = np.stack([np.ones(len(units), np.bool_), *units.groups.values()])
        groups[unit] = ["all", *units.groups]
    return Design(resamples, masks, groups)


def _answers(
    asked: Sequence[UnitValues | SetStatistic | Histogram | Finding],
    design: Design,
    cards: Mapping[str, MetricCard],
    recognisers: set[str],
) -> list[Answer]:
    made = [
        answer(item, design.resamples[item.unit], design.masks[item.unit], cards[item.metric])
        for item in asked
        if isinstance(item, UnitValues | SetStatistic)
    ]
    return made + worst_answers(made, cards, recognisers)


def _input_row(originals: Originals, notes: Sequence[str]) -> InputRow:
    inputs = originals.inputs
    unplaced = int(inputs["unplaced_labels"].sum())
    readable = inputs["readable"]
    empty = set(originals.images.id[originals.faces_per_image == 0].tolist())
    problems = [
        Problem(sample=str(sample), reason=NO_FACE if ok else str(reason))
        for sample, ok, reason in zip(inputs["sample"], readable, inputs["reason"], strict=True)
        if not ok or str(sample) in empty
    ]
    about = [f"{counted(unplaced, 'label')} with x and y {_UNPLACED}"] if unplaced else []
    for note, count in sorted(Counter(str(note) for note in inputs["note"] if note).items()):
        about.append(f"{counted(count, 'picture')} with {note}: the values are taken for sRGB")
    return InputRow(
        dataset=originals.dataset,
        images=len(readable),
        faces=len(originals.faces),
        unreadable=int((~readable).sum()),
        without_face=len(empty),
        problems=problems,
        notes=[*notes, *about],
    )


def _failures(evidence: Evidence, errors: NDArray[np.str_], method: PlannedMethod) -> list[MethodProblem]:
    label, draw = method.draw_of or method.label, f"draw {method.draw}: " if method.draw else ""
    return [
        MethodProblem(dataset=evidence.dataset, method=label, sample=str(sample), reason=f"{draw}{reason}")
        for sample, reason in zip(evidence.images.id, errors, strict=True)
        if reason
    ]


def _histogram(evidence: Evidence, item: Histogram) -> HistogramRow:
    return HistogramRow(
        dataset=evidence.dataset,
        method=evidence.method,
        metric=item.metric,
        instrument=item.instrument,
        edges=list(item.edges),
        series={name: list(counts) for name, counts in item.series.items()},
    )


def _finding(evidence: Evidence, item: Finding) -> FindingRow:
    return FindingRow(
        dataset=evidence.dataset,
        method=evidence.method,
        kind=item.kind,
        count=item.count,
        of=item.of,
        text=item.text,
    )
