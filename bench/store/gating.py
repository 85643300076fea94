"""What a gate reads and writes: an accepted baseline, small enough for git, and the verdicts on a candidate."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from unmask.bench.core.cards import Direction, Family
from unmask.bench.core.files import digest
from unmask.bench.core.settings import Strict
from unmask.bench.store.results import ColumnRow

BASELINE_SCHEMA: Final = "unmask.baseline/1"
GATE_SCHEMA: Final = "unmask.gate/1"
Verdict = Literal[
    "identical", "better", "no worse", "worse", "inconclusive", "not comparable", "newly failed", "not measured"
]
Decision = Literal["pass", "worse", "not comparable", "nothing measured", "gate broken", "inconclusive"]
EXIT_CODES: Final[dict[Decision, int]] = {
    "pass": 0,
    "worse": 3,
    "not comparable": 4,
    "nothing measured": 5,
    "gate broken": 5,
    "inconclusive": 6,
}
"""1 and 2 are errors and wrong usage, as everywhere."""
Cell = str | int | float | None


class Measure(Strict):
    """A metric that is judged, and what its numbers depend on."""

    metric: str
    instrument: str
    region: str
    """'' = none."""
    title: str
    family: Family
    direction: Direction
    unit: str
    """Of the metric's card."""
    identity: dict[str, str]
    """`bench.store.comparable.column_identity`."""


class BaselineDataset(Strict):
    """The faces of one data set under the accepted method."""

    dataset: str
    """Label in the plan."""
    variant: str
    """Of the release."""
    identity: dict[str, str]
    """`bench.store.comparable.data_identity`, and a check that photos are hashed under the same key."""
    outputs: str
    """sha256 over the outputs; '' = not known."""
    measures: list[Measure]
    columns: list[str]
    """Names of what a row holds: face, person, groups, outcome, then ``metric|instrument|region``."""
    faces: list[list[Cell]]
    """Sorted. Faces and people are keyed hashes; numbers are rounded to `DECIMALS`; null = not measured."""


DECIMALS: Final = 4
"""Of distances and other values."""


class Baseline(Strict):
    """A method's rows, accepted by somebody as what later ones must not be worse than. It holds no faces, embeddings or
    names."""

    schema_: Literal["unmask.baseline/1"] = Field(default=BASELINE_SCHEMA, alias="schema")
    method: str
    """Label of the method."""
    spec: str
    """As it was asked for, without paths."""
    version: str
    """Of the method."""
    run: str
    """`Plan.run` of the run that it was accepted from."""
    datasets: list[BaselineDataset]
    seal: str = ""
    """sha256 of the rest, as canonical JSON: what was changed by hand is refused."""

    def sealed(self) -> Baseline:
        """The same with `seal` filled in."""
        return self.model_copy(update={"seal": self.content_seal()})

    def content_seal(self) -> str:
        """What `seal` must be."""
        return digest(self.model_dump(mode="json", exclude={"seal", "schema_"}))


class GateRow(ColumnRow):
    """The verdict on one metric, for everybody or one subgroup. Values are those on the faces measured for both."""

    against: Literal["baseline", "anchor"] = "baseline"
    title: str
    family: str
    unit: str
    """Of the metric."""
    group: str
    """"all" where it is not a subgroup."""
    verdict: Verdict
    reason: str = ""
    """Why it is not comparable, not measured or newly failed."""
    blocks: bool
    """Whether its family can stop the candidate."""
    collapsed: bool = False
    """A subgroup that is worse while everybody together passes."""
    baseline: float | None = None
    candidate: float | None = None
    loss: float | None = None
    """How much worse the candidate is, whichever way the metric counts."""
    low: float | None = None
    high: float | None = None
    """95 % interval of the loss, not corrected."""
    margin: float | None = None
    """The smallest loss that matters."""
    p: float | None = None
    p_adjusted: float | None = None
    """Holm-adjusted over all metrics and subgroups; null = not tested."""
    faces: int = 0
    """Measured for both."""
    people: int = 0
    lost: int = 0
    """Faces measured for the baseline alone."""
    faces_needed: int | None = None
    """About how many faces would settle an inconclusive verdict; null = more than a million, or not known."""


class FaceList(Strict):
    """Faces of which something became true, or is no longer."""

    against: Literal["baseline", "anchor"] = "baseline"
    dataset: str
    what: Literal["newly missed", "newly matched", "newly failed", "no longer missed", "no longer matched"]
    count: int
    """All of them."""
    of: int
    faces: list[str]
    """The first ones, by pseudonym."""


class Sensitivity(Strict):
    """Whether this gate finds the candidate's own weakened outputs worse than the candidate."""

    dataset: str
    verdict: Literal["shown", "not shown", "gate broken", "not tried"]
    text: str
    """One sentence."""
    faces: int = 0
    loss: float | None = None
    low: float | None = None
    high: float | None = None


class Sensitivities(Strict):
    """``RUN/sensitivity.json``: what is not made anew while nothing changed."""

    schema_: Literal["unmask.sensitivity/1"] = Field(default="unmask.sensitivity/1", alias="schema")
    key: str
    """Hash of what they depend on."""
    datasets: list[Sensitivity]


class Gate(Strict):
    """What a gate decided, and why."""

    schema_: Literal["unmask.gate/1"] = Field(default=GATE_SCHEMA, alias="schema")
    decision: Decision
    exit_code: int
    reasons: list[str]
    """What decided, a sentence each."""
    baseline: str
    candidate: str
    """Labels of the methods, and the names of their folders or files."""
    anchor: str = ""
    blocking: list[str]
    """Families that can stop the candidate."""
    inconclusive_blocks: bool
    accept: str
    """The command that makes the candidate the baseline."""
    rows: list[GateRow]
    changes: list[FaceList]
    sensitivity: list[Sensitivity] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
