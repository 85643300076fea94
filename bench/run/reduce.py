"""Stage reduce: stored readings -> numbers with intervals, subgroups, gaps, comparisons and rank ranges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import TypeVar

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence, OperatingPoint
from unmask.bench.core.headlines import WORST, headline_keys
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Bools, Unit
from unmask.bench.core.values import CLIPS, AttackTrial, Finding, Histogram, SetStatistic, UnitValues
from unmask.bench.run.figures.assemble import Originals, assemble_evidence, assemble_originals
from unmask.bench.run.figures.audited import NAMED, Auditing, untried
from unmask.bench.run.figures.clips import clip_results, clip_row
from unmask.bench.run.figures.draws import MetricOutput, averaged, releases_by_draws
from unmask.bench.run.figures.operating_points import measure_own_card, usable_points
from unmask.bench.run.figures.problems import (
    audit_findings,
    failures,
    input_row,
    output_findings,
    outputs_digest,
)
from unmask.bench.run.figures.ranking import compare_methods, rank_rows
from unmask.bench.run.figures.rows import Answer, GapRows, answer, estimate_rows, worst_answers, write_face_table
from unmask.bench.run.jobs.executors import Progress
from unmask.bench.store.attack_rows import strongest_name
from unmask.bench.store.names import Pseudonyms, pseudonyms_of, without_names, write_names
from unmask.bench.store.planned import CONTROL, LOSSLESS, PlannedMethod, Release
from unmask.bench.store.results import (
    AttackRow,
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
    RankRow,
)
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.searches import write_searches
from unmask.bench.store.tables import Table

Row = TypeVar("Row", EstimateRow, GapRow, ComparisonRow, RankRow)


class Design:
    """How the units of a data set are resampled and cut into subgroups, the same for all methods; each kind of unit is
    made once it is asked about."""

    def __init__(self, originals: Originals, plan: Plan) -> None:
        self._units, self._settings = originals.units, plan.settings
        self.resamples: dict[str, ClusterResamples] = {}
        self.masks: dict[str, Bools] = {}
        """Unit -> (M, N) membership; row 0 is everybody."""
        self.groups: dict[str, Sequence[str]] = {}
        """Unit -> names of the M rows; the first is ``all``."""

    def settle(self, unit: Unit) -> None:
        """Makes the design of one kind of unit, where that was not done yet."""
        if unit not in self.groups:
            units = self._units[unit]
            self.resamples[unit] = ClusterResamples(units.cluster, self._settings.replicates, self._settings.seed)
            self.masks[unit] = np.stack([np.ones(len(units), np.bool_), *units.groups.values()])
            self.groups[unit] = ["all", *units.groups]

    def answer(self, item: UnitValues | SetStatistic, card: MetricCard) -> Answer:
        self.settle(item.unit)
        return answer(item, self.resamples[item.unit], self.masks[item.unit], card)


def reduce_run(folder: RunFolder, plan: Plan, root: Path | None, progress: Progress) -> None:
    """Writes ``estimates.json``, the per-face tables and the timelines, and before them the operating points of a run
    that has a calibration set of its own. The same readings give the same bytes."""
    progress.start("reduce", sum(len(plan.labels_of(dataset)) for dataset in plan.datasets))
    measure_own_card(folder, plan)
    tables = Tables()
    names: dict[str, Pseudonyms] = {}
    for dataset in plan.datasets:
        originals = assemble_originals(folder, plan, dataset.label, root)
        people = () if dataset.kind == "clips" else originals.truth.identity
        names[dataset.label] = pseudonyms_of(dataset, people)
        _Reduction(folder, plan, originals, tables, names[dataset.label]).run(progress)
    progress.end()
    write_names(folder.path, names)
    folder.write_estimates(without_names(Estimates(run=plan.run, **vars(tables)), names))


class _Reduction:
    """The numbers of one data set."""

    def __init__(self, folder: RunFolder, plan: Plan, originals: Originals, tables: Tables, names: Pseudonyms) -> None:
        self._folder, self._plan, self._originals = folder, plan, originals
        self._tables, self._names = tables, names
        self._planned = plan.dataset(originals.dataset)
        metrics = plan.of(self._planned.kind).metrics
        self._metrics = [registry.create_metric(planned.name) for planned in metrics]
        self._cards = {card.name: card for metric in self._metrics for card in metric.cards}
        self._nowhere = {card.name for metric in self._metrics if CLIPS in metric.needs for card in metric.cards}
        """Metrics of time, tracks or people: of no region."""
        instruments = {card.name: registry.instrument_card(card.name) for card in plan.measuring}
        self._points = usable_points(folder.operating_points, instruments)
        # Of clips there is a `worst` of what the detector alone measures, too, as in all runs before.
        attacking = ("recogniser", "detector") if self._planned.kind == "clips" else ("recogniser",)
        self._attackers = {name for name, card in instruments.items() if card.role in attacking}
        self._design = Design(originals, plan)
        self._control: Evidence | None = None
        self._auditing: Auditing | None = None
        self._controls = [m.label for m in plan.methods if m.card.name == CONTROL]
        self._inputs: Table = {}
        """`output_rows` of the control."""

    def run(self, progress: Progress) -> None:
        """Fills the tables; writes the per-face tables or the timelines."""
        tables, originals, dataset, design = self._tables, self._originals, self._originals.dataset, self._design
        if originals.clips:
            tables.clips += _clip_rows(originals, self._points)
        else:
            tables.inputs.append(input_row(originals, self._planned.notes))
        answers: dict[str, list[Answer]] = {}
        outputs: dict[str, list[str]] = {}
        """Label -> digest of each draw's outputs."""
        for label, drawn in releases_by_draws(self._plan, self._planned):
            draws = []
            for release, method in drawn:
                values, rows = self._measured(release, method, label)
                draws.append(values)
                if not originals.clips:
                    outputs.setdefault(label, []).append(outputs_digest(rows, release.variant))
                progress.done(f"{release.label} {dataset}", skipped=False)
            answers[label] = self._answers(label, averaged(draws))
        gaps = GapRows(dataset, design.resamples, design.masks, design.groups, self._plan.settings.seed)
        for label, column in answers.items():
            for each in column:
                tables.estimates += self._placed(estimate_rows(dataset, label, each, design.groups[each.unit]))
            spoken = [each for each in column if not self._is_of_one_attacker(each)]
            tables.gaps += self._placed(gaps.rows(label, spoken, self._cards))
        # Of the control's releases only the lossless one may be compared.
        control, *others = [label for label in answers if self._plan.method_of(label) in self._controls]
        competing = {
            label: [each for each in column if not self._is_of_one_attacker(each)]
            for label, column in answers.items()
            if label not in others
        }
        heads = partial(headline_keys, self._cards, instruments=self._plan.headline_instruments)
        # Methods whose outputs are byte for byte the same.
        pairs = (pair for pair in combinations(outputs, 2) if any(outputs[pair[0]]))
        same = {frozenset((a, b)) for a, b in pairs if outputs[a] == outputs[b]}
        compared = compare_methods(
            dataset,
            competing,
            design.resamples,
            self._cards,
            control,
            identical=same,
            heads_of=heads,
        )
        tables.comparisons += self._placed(compared)
        tables.ranks += self._placed(rank_rows(dataset, competing, compared, self._cards, control))

    def _measured(self, release: Release, method: PlannedMethod, label: str) -> tuple[list[MetricOutput], Table]:
        """What the metrics say of one draw of a method, and its `output_rows`; ``label``: of the draws' average, and of
        the draw that findings and drawings are of."""
        folder, plan, tables, dataset = self._folder, self._plan, self._tables, self._originals.dataset
        evidence, reasons, outputs = assemble_evidence(
            folder, plan, self._originals, release.label, self._points, self._control
        )
        if plan.attackers and self._control is None:  # the control's lossless release comes first
            self._control = evidence
        items = [item for metric in self._metrics for item in metric.ask(evidence)]
        if release.label == label:
            tables.histograms += [_histogram(evidence, item) for item in items if isinstance(item, Histogram)]
            tables.findings += [_finding(dataset, label, item) for item in items if isinstance(item, Finding)]
        if self._originals.clips:
            tables.results += clip_results(folder, plan, self._originals.clips, evidence, self._names)
            return items, outputs
        tables.failures += failures(evidence, outputs, method, label)
        if release.label == label == self._controls[0]:
            self._inputs = outputs  # the control comes first
        elif release.label == label and label not in self._controls and release.variant == LOSSLESS:
            tables.findings += [_finding(dataset, label, item) for item in output_findings(outputs, self._inputs)]
        values = [item for item in items if isinstance(item, UnitValues)]
        write_face_table(folder.faces_path(dataset, release.label), evidence, reasons, values, self._names)
        trials = [item for item in items if isinstance(item, AttackTrial)]
        place = folder.searches_dir(dataset, release.label)
        write_searches(place, trials, evidence.faces, evidence.truth, self._names)
        return items, outputs

    def _answers(self, label: str, items: Sequence[MetricOutput]) -> list[Answer]:
        numbers = [item for item in items if isinstance(item, UnitValues | SetStatistic)]
        answers = [self._design.answer(item, self._cards[item.metric]) for item in numbers]
        trials = [item for item in items if isinstance(item, AttackTrial)]
        if trials and self._auditing is None:
            design, seed = self._design, self._plan.settings.seed
            design.settle("face")
            self._auditing = Auditing(self._originals.dataset, design.resamples["face"], design.masks["face"], seed)
        if trials and self._auditing is not None:
            top = strongest_name(self._plan, label)
            answers, rows = self._auditing.judged(label, answers, trials, self._cards, top)
            dataset = self._originals.dataset
            self._tables.attacks += rows
            findings = [*untried(rows, top), *audit_findings(self._folder, self._plan, dataset, label)]
            self._tables.findings += [_finding(dataset, label, finding) for finding in findings]
        return answers + worst_answers(answers, self._cards, self._attackers)

    def _is_of_one_attacker(self, answer: Answer) -> bool:
        """Whether it is of an attack that is shown, but neither compared nor ranked: the strongest one is."""
        strongest = answer.metric == NAMED and answer.instrument.startswith(WORST)
        return self._cards[answer.metric].family == "audit" and not strongest

    def _placed(self, rows: Sequence[Row]) -> list[Row]:
        """The rows, without a region where their metric has none."""
        return [row.model_copy(update={"region": None}) if row.metric in self._nowhere else row for row in rows]


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
        self.attacks: list[AttackRow] = []
        self.clips: list[ClipRow] = []
        self.results: list[ClipResult] = []


def _clip_rows(originals: Originals, points: Mapping[str, Sequence[OperatingPoint]]) -> Iterator[ClipRow]:
    start = 0
    for one in originals.clips:
        rows = slice(start, start := start + len(one.faces["frame"]))
        read = {
            name: columns["embedding"][rows] for name, columns in originals.readings.items() if "embedding" in columns
        }
        yield clip_row(originals.dataset, one, read, points)


def _histogram(evidence: Evidence, item: Histogram) -> HistogramRow:
    row = {"edges": list(item.edges), "series": {name: list(counts) for name, counts in item.series.items()}}
    return HistogramRow(dataset=evidence.dataset, method=evidence.method, **(asdict(item) | row))


def _finding(dataset: str, method: str, item: Finding) -> FindingRow:
    return FindingRow(dataset=dataset, method=method, **asdict(item))
