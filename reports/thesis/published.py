"""``published.toml``: the thesis's tables and hypotheses as printed, with where they stand."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unmask.bench.core.errors import ConfigError

FILE: Final = "published.toml"
Text = Annotated[str, Field(min_length=1)]
Number = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")]
Section = Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
Share = Annotated[float, Field(ge=0, le=1)]
Rgb = tuple[int, int, int]
Facts = Literal["dataset", "labels", "methods", "detectors", "judge", "recognisers", "skin"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Model):
    title: Text


class Rules(_Model):
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


class Column(_Model):
    title: Text
    role: Text
    """Which of the protocol's methods stands in it."""


class Row(_Model):
    group: str = ""
    title: Text
    metric: Text
    instrument: Text
    region: Literal["face", "image", "background"]
    values: tuple[Number, ...]
    """One a column, as printed."""


class Table(_Model):
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


class Tone(_Model):
    name: Text
    role: Text
    target: Rgb
    thesis: Rgb
    """The average that was reached."""
    table: Section


class Hypothesis(_Model):
    name: Text
    attribute: Text
    metric: Text
    statement: Text
    thesis: Text
    """What the thesis concludes."""


class Cited(_Model):
    what: Text
    value: Number
    section: Section


class Difference(_Model):
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


class Inconsistency(_Model):
    where: Text
    text: Text


class Published(_Model):
    source: Source
    rules: Rules
    tones: tuple[Tone, ...]
    hypotheses: tuple[Hypothesis, ...]
    deid: tuple[Cited, ...]
    differences: tuple[Difference, ...]
    inconsistencies: tuple[Inconsistency, ...]
    tables: tuple[Table, ...]


def parse_published(text: str) -> Published:
    """Raises `ConfigError` that names the wrong key."""
    try:
        return Published.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{FILE} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(f"{FILE}: {where}: {first['msg']}") from error


@cache
def load_published() -> Published:
    """What comes with unmask."""
    return parse_published(files("unmask.reports.thesis").joinpath(FILE).read_text("utf-8"))
