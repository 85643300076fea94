"""``published.toml``: the thesis's tables and hypotheses as printed, with where they stand."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from unmask.reports.reported import Printed, Section, Source, Text, load_printed

Number = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
Share = Annotated[float, Field(ge=0, le=1)]
Rgb = tuple[int, int, int]
Facts = Literal["dataset", "labels", "methods", "detectors", "judge", "recognisers", "skin"]


class Rules(Printed):
    """The bars that hypotheses are decided by; shares in 0..1."""

    fmr: Text
    """The false match rate, as in the names of the metrics."""
    excess_at_most: Share
    """Own matches above those of same-group strangers up to which nothing counts as left of a person."""
    tone_within: Share
    """How far the average tone may be off its target, for each channel (thesis 1.3)."""
    thesis_gain: Share
    """By how much more often than by DeepPrivacy alone an attribute must be kept (thesis 1.3)."""
    thesis_most: Share
    """The share above which it is kept "in most of the images" (thesis 1.3)."""


class Column(Printed):
    title: Text
    role: Text
    """Which of the protocol's methods stands in it."""


class Row(Printed):
    group: str = ""
    title: Text
    metric: Text
    instrument: Text
    region: Literal["face", "image", "background"]
    values: tuple[Number, ...]
    """One a column, as printed."""


class Table(Printed):
    number: Section
    section: Section
    from_page: int = Field(ge=1)
    """Where the section begins."""
    title: Text
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...] = Field(min_length=1)
    notes: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _full(self) -> Self:
        for row in self.rows:
            if len(row.values) != len(self.columns):
                raise ValueError(f"table {self.number}, {row.title}: a value for each column, please")
        return self


class Tone(Printed):
    name: Text
    role: Text
    target: Rgb
    thesis: Rgb
    """The average that was reached."""
    table: Section


class Hypothesis(Printed):
    name: Text
    attribute: Text
    metric: Text
    statement: Text
    thesis: Text
    """What the thesis concludes."""


class Cited(Printed):
    what: Text
    value: Number
    section: Section


class Difference(Printed):
    """Something that is not as it was in the thesis."""

    what: Text
    thesis: Text
    ours: str = ""
    ours_from: Facts | None = None
    """Taken from the run instead of being written down."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.ours) == (self.ours_from is not None):
            raise ValueError(f"{self.what}: either ours or ours_from")
        return self


class Inconsistency(Printed):
    where: Text
    text: Text


class Published(Printed):
    source: Source
    rules: Rules
    tones: tuple[Tone, ...]
    hypotheses: tuple[Hypothesis, ...]
    deid: tuple[Cited, ...]
    differences: tuple[Difference, ...]
    inconsistencies: tuple[Inconsistency, ...]
    tables: tuple[Table, ...]


def load_published() -> Published:
    """What comes with unmask."""
    return load_printed(Published, "unmask.reports.thesis", "published.toml")
