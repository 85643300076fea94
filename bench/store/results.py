"""The numbers of a run, as pydantic models: rows of ``estimates.json``; and which published protocol it follows."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from unmask.bench.core.files import digest
from unmask.bench.core.settings import Strict
from unmask.bench.core.types import Region
from unmask.bench.store.attack_rows import AttackRow as AttackRow
from unmask.bench.store.schemas import Plan

ESTIMATES_SCHEMA: Final = "unmask.estimates/3"
REPRODUCTION: Final = "reproduction.json"


class ColumnRow(Strict):
    """A row about one column: a metric by one instrument over one region."""

    dataset: str
    metric: str
    instrument: str
    """What measured: an instrument's name, or a variant (``standard``, ``thesis-compat``); ``worst`` = the
    instrument that is worst for the method, which the note of the estimate names."""
    region: Region | None
    """null = the question is about no region: people followed through a clip, time."""


class EstimateRow(ColumnRow):
    """One number. ``group`` is "all" where it is not a subgroup."""

    method: str
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


class GapRow(ColumnRow):
    """The worst and best subgroup of one attribute."""

    method: str
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


class RankRow(ColumnRow):
    """A method's range of possible ranks, 1 = best; overlapping ranges are ties."""

    method: str
    best: int
    worst: int


class ComparisonRow(ColumnRow):
    """Two methods on the same faces: a minus b."""

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


NO_FACE: Final = "the judge found no face in it"
"""The reason of a `Problem`."""


class InputRow(Strict):
    """What went in, so that nothing drops out of sight."""

    dataset: str
    images: int
    """All inputs, whatever became of them."""
    faces: int
    unreadable: int
    without_face: int
    problems: list[Problem]
    notes: list[str] = Field(default_factory=list)
    """What was understood of the data set and what was left out, once each: labels, duplicates, files passed over."""


class MethodProblem(Problem):
    dataset: str
    method: str


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


class ClipRow(Strict):
    """One clip as it came in; every clip has a row, whatever became of it."""

    dataset: str
    clip: str
    group: str
    problem: str
    """Why it could not be used; '' = it could."""
    damage: str
    """What is wrong with a clip that could be used in part; ''."""
    frames: int
    seconds: float
    width: int
    height: int
    rotation: int
    rate: float | None
    """Average frames per second."""
    variable_rate: bool
    codec: str
    kbps: float | None
    audio: bool
    faces: int
    """Faces found in all its frames."""
    face_width: float | None
    """Median of their widths, in pixels of the clip; null = no face."""
    strangers: dict[str, tuple[int, int]]
    """Recogniser -> of the pairs of faces in one frame, which must be two people: how many it takes for one person at a
    false match rate of 1e-3 (that was calibrated on photos), and how many it can read."""
    face_tracks: int
    people: dict[str, int]
    """Tracker -> distinct people."""
    truth_people: int | None
    """People in the data set's own annotation; null = it has none."""


class ClipResult(Strict):
    """One clip under one release."""

    dataset: str
    clip: str
    method: str
    """The release's label."""
    people: dict[str, int]
    """Tracker -> distinct people."""
    kbps: float | None
    """Of the clip as it was written."""
    failed_frames: int
    """Frames for which the method gave nothing usable; they are black in the output."""
    ms: float | None
    """Milliseconds a frame, on average."""
    tracks_exposed: int
    """Face tracks with a frame that any recogniser re-identifies, or that was missed or failed."""
    longest_exposure: float
    """Seconds of the longest unbroken exposure of any of its tracks."""
    missed: list[tuple[float, float]]
    """From and to, in seconds: when a face was left as it was."""
    error: str
    """Why there is no output at all; ''."""


class Estimates(Strict):
    """``RUN/estimates.json``: all numbers of a run."""

    schema_: Literal["unmask.estimates/3"] = Field(default=ESTIMATES_SCHEMA, alias="schema")
    run: str
    """`Plan.run` of the plan it belongs to."""
    seal: str = ""
    """sha256 of the rest, as canonical JSON: what was changed by hand is refused."""
    estimates: list[EstimateRow]
    gaps: list[GapRow] = Field(default_factory=list)
    ranks: list[RankRow] = Field(default_factory=list)
    comparisons: list[ComparisonRow] = Field(default_factory=list)
    inputs: list[InputRow] = Field(default_factory=list)
    failures: list[MethodProblem] = Field(default_factory=list)
    findings: list[FindingRow] = Field(default_factory=list)
    histograms: list[HistogramRow] = Field(default_factory=list)
    attacks: list[AttackRow] = Field(default_factory=list)
    """Of attackers who know the method."""
    clips: list[ClipRow] = Field(default_factory=list)
    """Every clip of the data sets of clips."""
    results: list[ClipResult] = Field(default_factory=list)
    """Every usable clip under every release."""

    def of(self, plan: Plan) -> Estimates:
        """The rows of the data sets of ``plan``; the seal is that of all."""
        labels = {dataset.label for dataset in plan.datasets}
        tables = (name for name, value in self if isinstance(value, list))
        return self.model_copy(
            update={name: [row for row in getattr(self, name) if row.dataset in labels] for name in tables}
        )

    def sealed(self) -> Estimates:
        """The same with `seal` filled in."""
        return self.model_copy(update={"seal": self.content_seal()})

    def content_seal(self) -> str:
        """What `seal` must be."""
        return digest(self.model_dump(mode="json", exclude={"seal", "schema_"}))


class Cell(Strict):
    """One age group of one gender."""

    age: str
    gender: str
    available: int | None
    """Photos of the split that belong to it; ``None`` = not recorded."""
    chosen: int


class Selection(Strict):
    """How the test photos were chosen."""

    source: str
    """The data set's SPEC."""
    photos: int
    """In it, before any choice."""
    estimator: str
    """Whose age and gender decide the cell."""
    per_cell: int
    seed: int
    cells: list[Cell]
    dropped: dict[str, int]
    """Reason -> photos that belong to no cell."""


class WideSet(Strict):
    """Photos that show more than a face, for quality over the thesis's kind of crop."""

    dataset: str
    """Label in the plan."""
    selection: Selection


class Reproduction(Strict):
    """A run that follows the thesis's protocol."""

    schema_: Literal["unmask.reproduction/1"] = Field(default="unmask.reproduction/1", alias="schema")
    of: Literal["thesis"]
    dataset: str
    """Label in the plan."""
    roles: dict[str, str]
    """Part of the protocol -> the label of the method that plays it."""
    draws: dict[str, int] = Field(default_factory=dict)
    """Part -> how many draws with other seeds its results are the average of; others: one."""
    without_chance: list[str] = Field(default_factory=list)
    """Parts whose method gives the same images under every seed."""
    left_out: dict[str, str]
    """Parts without a method -> why."""
    selection: Selection
    wide: list[WideSet] = Field(default_factory=list)
    """Beside `dataset`."""
    wide_left_out: dict[str, str] = Field(default_factory=dict)
    """Data sets of wider photos that are not here -> why."""
