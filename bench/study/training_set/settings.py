"""The settings of `unmask data build`, and how its options are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from unmask.bench.core.demographics import AGE_GROUPS, AgeGroup, ascending, group_name, parse_group
from unmask.bench.core.errors import UsageError
from unmask.bench.core.spec import parse_spec
from unmask.bench.study.cells import LABELLER, PER_CELL

Kind = Literal["diverse-faces", "diverse-faces-skin"]
Part = Literal["train", "val", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Source:
    """A data set, and the part of the built set that its photos go to."""

    part: Part
    spec: str


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """Everything that the result depends on, besides the photos."""

    kind: Kind
    sources: tuple[Source, ...]
    labels: Literal["estimator", "dataset"] = "estimator"
    estimator: str = LABELLER
    skin_estimator: str = "skin-kmeans"
    age_groups: tuple[AgeGroup, ...] = AGE_GROUPS
    balance: int | None = None
    """At most so many faces for each age group x gender (x tone) in train and in val; ``None`` = all."""
    test_per_cell: int = PER_CELL
    """The same in test (thesis 3.2.1)."""
    limit: int | None = None
    """Only the first N photos of each source."""
    tones: tuple[str, ...] = ()
    """Skin tones; every face of train and val appears once in each. Empty = as they are."""
    recolour: Literal["skin", "all"] = "skin"
    passes: int = 1
    """How often a recoloured face is looked at again and the colour corrected; 1 = never, as published."""
    images: bool = True
    """Whether each face is also written as a PNG."""
    seed: int = 0
    device: str = "cpu"

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


def parse_age_groups(text: str) -> tuple[AgeGroup, ...]:
    """``0-19,20-29,40+`` -> the groups, which must not overlap. Raises `UsageError`."""
    example = ",".join(map(group_name, AGE_GROUPS))
    groups = []
    for name in filter(None, map(str.strip, text.split(","))):
        group = parse_group(name)
        if group is None or group_name(group) != name:
            raise UsageError(f"--age-groups: {name!r} is no group; write for example {example}")
        groups.append(group)
    if not ascending(groups):
        raise UsageError(f"--age-groups {text!r}: groups must ascend without overlap; write for example {example}")
    return tuple(groups)
