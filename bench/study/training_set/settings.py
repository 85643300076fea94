"""The settings of `unmask data build`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, field_validator

from unmask.bench.core.demographics import group_name
from unmask.bench.core.errors import UsageError
from unmask.bench.core.settings import CHOOSING, RUNNING, AgeGroups, CommonSettings, Option
from unmask.bench.core.spec import parse_spec
from unmask.bench.study.cells import LABELLER, PER_CELL

Part = Literal["train", "val", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "val", "test")
SKIN: Final = "Of skin tones"


@dataclass(frozen=True, slots=True)
class Source:
    """A data set, and the part of the built set that its photos go to."""

    part: Part
    spec: str


def parse_source(text: str) -> Source:
    """``utkface:split=train``, ``train=fairface:split=val``, ``folder:PATH``: the part is the one before ``=``, else
    the data set's split where that is train, val or test, else train. Raises `SpecError` or `UsageError`."""
    spec = parse_spec(text, positional="path")
    has_part = "=" in text.split(":", 1)[0]
    if has_part and spec.label not in PARTS:
        raise UsageError(f"--from {text!r}: the part before = must be {', '.join(PARTS)}, as in val=fdf:split=val")
    split = str(spec.params.get("split", ""))
    name = spec.label if has_part else split
    part: Part = next((part for part in PARTS if part == name), "train")
    body = text.strip().split("=", 1)[1] if has_part else text.strip()
    # `bench.data` takes `path` by its position; written out, a path with a comma would be cut.
    return Source(part, body.strip())


class BuildSettings(AgeGroups, CommonSettings):
    """Everything that the result depends on, besides the photos."""

    sources: Annotated[
        tuple[Annotated[Source, BeforeValidator(lambda v: parse_source(v) if isinstance(v, str) else v)], ...],
        Option(CHOOSING, "--from", metavar="[PART=]SPEC"),
    ]
    """Photos for the part train, val or test: utkface:split=train, test=fdf:split=val, folder:PATH; may repeat. Without
    a part, the split's name says it."""
    labels: Annotated[Literal["estimator", "dataset"], Option(CHOOSING)] = "estimator"
    """Who says age and gender: an estimator, or the data set."""
    estimator: Annotated[str, Option(CHOOSING)] = LABELLER
    """The instrument that estimates age and gender."""
    skin_estimator: str = "skin-kmeans"
    balance: Annotated[int | None, Option(CHOOSING)] = Field(default=None, ge=1)
    """At most N faces of each age group and gender (and tone) in train and in val."""
    test_per_cell: Annotated[int, Option(CHOOSING)] = Field(default=PER_CELL, ge=1)
    """At most N photos of each age group and gender in test (thesis 3.2.1)."""
    limit: Annotated[int | None, Option(CHOOSING)] = Field(default=None, ge=1)
    """Only the first N photos of each data set."""
    tones: Annotated[tuple[str, ...], Option(SKIN, "--tone")] = ()
    """dark, light, beige or R-G-B; may repeat. Every face of train and val appears once in each."""
    recolour: Annotated[Literal["skin", "all"], Option(SKIN)] = "skin"
    """Only what is likely skin, or the whole crop, as published."""
    passes: Annotated[int, Option(SKIN)] = Field(default=1, ge=1, le=8)
    """More than 1: a recoloured face is looked at again and its colour corrected."""
    images: Annotated[bool, Option(RUNNING)] = True
    """Write each face as a PNG too, beside the shards."""

    @field_validator("tones")
    @classmethod
    def _once(cls, tones: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(tones))

    @property
    def kind(self) -> str:
        """The set's name."""
        return "diverse-faces-skin" if self.tones else "diverse-faces"

    def name_of(self, source: int) -> str:
        """How a source is called in the set: its SPEC, but without the path that a folder has on this machine."""
        spec = self.sources[source].spec
        folders = [
            number
            for number, other in enumerate(self.sources)
            if parse_spec(other.spec, positional="path").name == "folder"
        ]
        if source not in folders:
            return spec
        return "folder" if len(folders) == 1 else f"folder {folders.index(source) + 1}"

    @property
    def attributes(self) -> tuple[str, ...]:
        """In the thesis's order (4.4, 4.5)."""
        return ("female", *(("dark_skin",) if self.tones else ()), *map(group_name, self.age_groups))
