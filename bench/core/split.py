"""The split of a data set as files under neutral names, for anonymizers that cannot be run here.

``FOLDER/tested``, ``FOLDER/background`` and ``FOLDER/enrolment`` hold photos under numbers, ``split.json`` says what
each file is, and `NAMES` beside it which photo of the data set it shows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError

from unmask.bench.core.errors import SpecError
from unmask.bench.core.settings import Strict

Part = Literal["tested", "background", "enrolment"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)
"""``tested``: the photos that a run releases; ``background``: other people's, from which attackers learn;
``enrolment``: the tested photos once more, for attackers who compare with a released gallery."""
SPLIT: Final = "split.json"
NAMES: Final = "names-private.json"
_NOTE: Final = "Not for the anonymizer: names of files can be names of people. unmask reads it beside split.json."
M = TypeVar("M", bound=BaseModel)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SplitFile(Strict):
    """One exported photo."""

    name: str
    """``000012.jpg``, unique in the whole split."""
    part: Part
    sha256: Sha256
    """Of the exported file."""
    original_sha256: Sha256
    """Of the photo in the data set, with its metadata."""


class SplitSource(Strict):
    """A data set of which photos were exported."""

    use: Literal["test", "background"]
    spec: str
    """Without a path."""
    card: dict[str, Any]
    """Of the data set, its fingerprint included."""
    photos: int
    unreadable: int
    """Photos that cannot be decoded, and were not exported: a run counts them as unreadable too."""


class Split(Strict):
    """``split.json``"""

    schema_: Literal["unmask.split/1"] = Field(default="unmask.split/1", alias="schema")
    audit: Literal["quick", "full"]
    limit: int | None
    sources: list[SplitSource]
    files: list[SplitFile]
    """By part and name."""
    names_sha256: Sha256
    """Of `NAMES`, which belongs to it."""


class SplitNames(Strict):
    """`NAMES`: which photo of the data set each file shows."""

    schema_: Literal["unmask.split-names/1"] = Field(default="unmask.split-names/1", alias="schema")
    note: str = _NOTE
    names: dict[str, str]
    """Name of an exported file -> id of the photo in its data set."""


@dataclass(frozen=True, slots=True)
class Named:
    """A split as it is read back."""

    names: Mapping[Part, Mapping[str, str]]
    """Part -> id of a photo -> its neutral name."""
    fingerprints: Mapping[str, frozenset[str]]
    """``test`` and ``background`` -> fingerprints of the data sets that were exported."""


@lru_cache(maxsize=4)
def read_split(path: Path) -> Named:
    """A ``split.json`` with `NAMES` beside it. Raises `SpecError` where one is missing, damaged, of another version, or
    does not belong to the other."""
    split, names_path = _read(Split, path), path.with_name(NAMES)
    names = _read(SplitNames, names_path).names
    if hashlib.sha256(names_path.read_bytes()).hexdigest() != split.names_sha256:
        raise SpecError(f"{names_path} does not belong to {path.name} beside it; keep the two as one export wrote them")
    parts: dict[Part, dict[str, str]] = {part: {} for part in PARTS}
    for file in split.files:
        if file.name not in names:
            raise SpecError(f"{names_path} lacks {file.name}; export the split again")
        parts[file.part][names[file.name]] = file.name
    exported: dict[str, frozenset[str]] = {
        use: frozenset(str(each.card.get("fingerprint")) for each in split.sources if each.use == use)
        for use in ("test", "background")
    }
    return Named(parts, exported)


def _read(model: type[M], path: Path) -> M:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SpecError(
            f"{str(path)!r} cannot be read ({error.strerror}); {SPLIT} and {NAMES} must lie together, as "
            "`unmask split export` wrote them"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise SpecError(f"{str(path)!r} is no {path.name} of this version ({where}: {first['msg']})") from error
