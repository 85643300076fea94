"""Stage reduce: stored readings -> numbers with intervals, subgroups, gaps, comparisons and rank ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.core import registry
from bench.core.cards import MetricCard
from bench.core.evidence import Evidence
from bench.core.stats.resampling import ClusterResamples
from bench.core.types import Bools
from bench.core.values import Finding, Histogram, SetStatistic, UnitValues
from bench.run.assemble import Originals, assemble_evidence, assemble_originals
from bench.run.calibration import usable_points
from bench.run.executors import Progress
from bench.run.face_table import write_face_table
from bench.run.plan import CONTROL
from bench.run.ranking import compare_methods, rank_rows
from bench.run.rows import Answer, answer, estimate_rows, gap_rows, worst_answers
from bench.store.run_folder import RunFolder
from bench.store.schemas import (
    ComparisonRow,
    EstimateRow,
    Estimates,
    FindingRow,
    GapRow,
    HistogramRow,
    InputRow,
    MethodProblem,
    Plan,
    Problem,
    RankRow,
)

NO_FACE: Final = "the judge found no face in it"


@dataclass(frozen=True, slots=True)
class Design:
    """How the units of a data set are resampled and cut into subgroups, the same for all methods."""

    resamples: Mapping[str, ClusterResamples]
    """Unit (``face``, ``image``) -> draws."""
    masks: Mapping[str, Bools]
    """Unit -> (M, N) membership; row 0 is everybody."""
    groups: Mapping[str, Sequence[str]]
    """Unit -> names of the M rows; the first is ``all``."""


def reduce_run(folder: RunFolder, plan: Plan, progress: Progress) -> None:
    """Writes ``estimates.json`` and the per-face tables. The same readings give the same bytes."""
    progress.start("reduce", len(plan.datasets) * len(plan.methods))
    cards = {card.name: card for _, metric in registry.all_metrics() for card in metric.cards}
    metrics = [registry.create_metric(planned.name) for planned in plan.metrics]
    instruments = {c["name"]: registry.instrument_card(c["name"]) for c in plan.instruments}
    points = usable_points(folder.operating_points, instruments)
    recognisers = {name for name, card in instruments.items() if card.role == "recogniser"}
    control = next(m.label for m in plan.methods if m.card["name"] == CONTROL)
    found = _Found()
    for dataset in plan.datasets:
        originals = assemble_originals(folder, plan, dataset.label)
        design = _design(originals, plan)
        found.inputs.append(_input_row(originals))
        answers: dict[str, list[Answer]] = {}
        for method in plan.methods:
            evidence, reasons, errors = assemble_evidence(folder, plan, originals, method.label, points)
            asked = [item for metric in metrics for item in metric.ask(evidence)]
            answers[method.label] = _answers(asked, design, cards, recognisers)
            found.histograms += [_histogram(evidence, item) for item in asked if isinstance(item, Histogram)]
            found.failures += _failures(evidence, errors)
            found.findings += [_finding(evidence, item) for item in asked if isinstance(item, Finding)]
            values = [item for item in asked if isinstance(item, UnitValues)]
            write_face_table(folder.faces_path(dataset.label, method.label), evidence, reasons, values)
            progress.done(f"{method.label} {dataset.label}", skipped=False)
        for label, given in answers.items():
            for each in given:
                card = cards[each.metric]
                found.estimates += estimate_rows(dataset.label, label, each, design.groups[each.unit])
                found.gaps += gap_rows(dataset.label, label, each, design.groups[each.unit], card)
        compared = compare_methods(dataset.label, answers, design.resamples, control)
        found.comparisons += compared
        found.ranks += rank_rows(dataset.label, answers, compared, cards, control)
    progress.end()
    folder.write_estimates(found.estimates_of(plan.run))


class _Found:
    def __init__(self) -> None:
        self.estimates: list[EstimateRow] = []
        self.gaps: list[GapRow] = []
        self.ranks: list[RankRow] = []
        self.comparisons: list[ComparisonRow] = []
        self.inputs: list[InputRow] = []
        self.failures: list[MethodProblem] = []
        self.findings: list[FindingRow] = []
        self.histograms: list[HistogramRow] = []

    def estimates_of(self, run: str) -> Estimates:
        return Estimates(
            run=run,
            estimates=self.estimates,
            gaps=self.gaps,
            ranks=self.ranks,
            comparisons=self.comparisons,
            inputs=self.inputs,
            failures=self.failures,
            findings=self.findings,
            histograms=self.histograms,
        )


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


def _input_row(originals: Originals) -> InputRow:
    inputs = originals.inputs
    readable = inputs["readable"]
    empty = set(originals.images.id[originals.faces_per_image == 0].tolist())
    problems = [
        Problem(sample=str(sample), reason=NO_FACE if ok else str(reason))
        for sample, ok, reason in zip(inputs["sample"], readable, inputs["reason"], strict=True)
        if not ok or str(sample) in empty
    ]
    return InputRow(
        dataset=originals.dataset,
        images=len(readable),
        faces=len(originals.faces),
        unreadable=int((~readable).sum()),
        without_face=len(empty),
        problems=problems,
    )


def _failures(evidence: Evidence, errors: NDArray[np.str_]) -> list[MethodProblem]:
    return [
        MethodProblem(dataset=evidence.dataset, method=evidence.method, sample=str(sample), reason=str(reason))
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
