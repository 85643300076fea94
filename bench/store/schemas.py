"""The JSON files of a run, as pydantic models; their JSON schemas ship in ``bench/store/json_schemas/``.

A schema name ends in a version. Readers refuse a version they do not know rather than guess.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from unmask.bench.core.canonical import digest
from unmask.bench.core.demographics import AGE_GROUPS, AgeGroup

PLAN_SCHEMA: Final = "unmask.plan/2"
ESTIMATES_SCHEMA: Final = "unmask.estimates/2"


class Strict(BaseModel):
    """Unknown keys are errors: a typo must not pass for a default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True, use_attribute_docstrings=True
    )


class PlannedDataset(Strict):
    label: str
    """Name in results."""
    spec: str
    """As it was asked for, but without a path: where the data lie is no part of a plan."""
    card: dict[str, Any]
    """`bench.core.cards.DatasetCard` as JSON."""
    samples: list[str]
    """Sample ids in order."""
    notes: list[str] = []
    """What was understood of the data set and what was passed over, a sentence each. Not part of the plan's name: the
    same samples are the same plan."""


class PlannedMethod(Strict):
    label: str
    spec: str
    """As it was asked for; over photos without the values that are paths."""
    card: dict[str, Any]
    """`bench.core.cards.MethodCard` as JSON."""
    draw: int = Field(default=0, ge=0)
    """0 = the run's own seed; k = the k-th further draw of a method that chooses by chance."""
    draw_of: str = ""
    """The label whose results a further draw is averaged into; '' = a method with results of its own."""
    code: str = ""
    """sha256 over the source of the method: a plug-in's package, of a built-in method its modules."""
    files: dict[str, str] = {}
    """Parameter that names a file or folder -> sha256 of the content."""

    @property
    def identity(self) -> list[Any]:
        """Everything that decides what the method makes of an image, but for the seed."""
        return [self.spec, self.card, self.code, self.files]


class PlannedMetric(Strict):
    name: str
    """Registered name; one plug-in may answer several cards."""
    cards: list[dict[str, Any]]
    """`bench.core.cards.MetricCard` as JSON."""
    needs: list[str]


class PlanSettings(Strict):
    seed: int = 0
    limit: int | None = None
    device: str = "cpu"
    shard_size: int = Field(default=64, ge=1)
    """Images a job holds in memory at once."""
    replicates: int = Field(default=2000, ge=100)
    """Bootstrap replicates."""
    age_groups: list[AgeGroup] = list(AGE_GROUPS)
    skin_target: tuple[int, int, int] | None = None
    default_recogniser: str = "mobilefacenet"
    default_attributes: str = "face-api"
    """The estimator of the headline and, where a data set is not labelled, of subgroups: one that no method runs."""
    calibration: str = "shipped"
    """``shipped`` (the lfw card in the package) or the SPEC of a calibration data set."""


class Sealed(Strict):
    """A plan of any kind: its name is made of what it says."""

    run: str
    """`content_name`."""

    @classmethod
    def sealed(cls, fields: dict[str, Any]) -> Self:
        """A plan with the given fields, named by the hash of them."""
        unnamed = cls.model_validate({"run": "", **fields})
        return unnamed.model_copy(update={"run": unnamed.content_name()})

    def content_name(self) -> str:
        """What ``run`` must be: the first 16 hex digits of the sha256 of the rest, as canonical JSON; notes on the
        data sets apart, which say how they were read on this machine."""
        body = self.model_dump(mode="json", exclude={"run", "schema_"})
        for dataset in body["datasets"]:
            dataset.pop("notes", None)
        return digest(body)[:16]


class Plan(Sealed):
    """``RUN/plan.json``: everything that decides the results."""

    schema_: Literal["unmask.plan/2"] = Field(default=PLAN_SCHEMA, alias="schema")
    run: str
    """First 16 hex digits of the sha256 of the rest, as canonical JSON."""
    datasets: list[PlannedDataset]
    methods: list[PlannedMethod]
    instruments: list[dict[str, Any]]
    """`bench.core.cards.InstrumentCard` as JSON, in the order they run; the judge's detector first."""
    metrics: list[PlannedMetric]
    operating_points: dict[str, Any]
    """The calibration card in use; empty ``points`` where the run calibrates itself."""
    settings: PlanSettings


class EstimateRow(Strict):
    """One number. ``group`` is "all" where it is not a subgroup."""

    dataset: str
    method: str
    metric: str
    instrument: str
    """What measured: an instrument's name, or a variant (``standard``, ``thesis-compat``); ``worst`` = the
    instrument that is worst for the method, named in ``note``."""
    region: Literal["face", "image", "background"]
    group: str
    value: float | None
    """null = could not be measured."""
    low: float | None
    high: float | None
    n: int
    """Faces (or images) scored."""
    unscored: int
    """Faces (or images) that the question is about but that could not be scored."""
    chance: float | None = None
    """What a guess without evidence would score; measured on this data set where that is possible."""
    chance_low: float | None = None
    chance_high: float | None = None
    """95 % interval of a measured chance."""
    note: str = ""


class GapRow(Strict):
    """The worst and best subgroup of one attribute."""

    dataset: str
    method: str
    metric: str
    instrument: str
    region: Literal["face", "image", "background"]
    by: str
    """``gender``, ``age``, ``skin`` or ``race``."""
    worst_group: str
    best_group: str
    gap: float
    """|worst - best|."""
    low: float | None
    high: float | None
    expected: float | None = None
    """The gap to be expected if the subgroups did not differ: the mean over permutations of people's labels."""
    p: float | None = None
    """Permutation test over people of no difference between the subgroups."""


class RankRow(Strict):
    """A method's range of possible ranks, 1 = best; overlapping ranges are ties."""

    dataset: str
    metric: str
    instrument: str
    region: Literal["face", "image", "background"]
    method: str
    best: int
    worst: int


class ComparisonRow(Strict):
    """Two methods on the same faces: a minus b."""

    dataset: str
    metric: str
    instrument: str
    region: Literal["face", "image", "background"]
    a: str
    b: str
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    """Holm-adjusted over all pairs of methods of this metric; null = not tested (time, memory)."""
    identical: bool = False
    """Both methods' outputs are byte for byte the same: no difference, rather than one that was not found."""


class Problem(Strict):
    sample: str
    reason: str


class InputRow(Strict):
    """What went in, so that nothing drops out of sight."""

    dataset: str
    images: int
    """All inputs, whatever became of them."""
    faces: int
    unreadable: int
    without_face: int
    problems: list[Problem]
    notes: list[str] = []
    """What was understood of the data set and what was left out, once each: labels, duplicates, files passed over."""


class MethodProblem(Strict):
    dataset: str
    method: str
    sample: str
    reason: str


class FindingRow(Strict):
    """`bench.core.values.Finding` of one method on one data set."""

    dataset: str
    method: str
    kind: str
    count: int
    of: int
    text: str


class HistogramRow(Strict):
    dataset: str
    method: str
    metric: str
    instrument: str
    edges: list[float]
    series: dict[str, list[int]]


class Estimates(Strict):
    """``RUN/estimates.json``: all numbers of a run."""

    schema_: Literal["unmask.estimates/2"] = Field(default=ESTIMATES_SCHEMA, alias="schema")
    run: str
    """`Plan.run` of the plan it belongs to."""
    seal: str = ""
    """sha256 of the rest, as canonical JSON: what was changed by hand is refused."""
    estimates: list[EstimateRow]
    gaps: list[GapRow] = []
    ranks: list[RankRow] = []
    comparisons: list[ComparisonRow] = []
    inputs: list[InputRow] = []
    failures: list[MethodProblem] = []
    findings: list[FindingRow] = []
    histograms: list[HistogramRow] = []

    def sealed(self) -> Estimates:
        """The same with `seal` filled in."""
        return self.model_copy(update={"seal": self.content_seal()})

    def content_seal(self) -> str:
        """What `seal` must be."""
        return digest(self.model_dump(mode="json", exclude={"seal", "schema_"}))
