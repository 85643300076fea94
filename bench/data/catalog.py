"""``datasets.toml``: what each data set is, where it may lie, how to get it, and what may be done with it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.bench.core.registry import load, names
from unmask.bench.core.settings import Strict

PACKAGE_LAYOUTS: Final = ("packages", "package-clips")
Sha256 = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")]


class Counts(Strict):
    """How much a complete copy holds; ``None`` = not stated."""

    images: int | None = Field(default=None, ge=1)
    clips: int | None = Field(default=None, ge=1)
    people: int | None = Field(default=None, ge=1)


class _Source(Strict):
    revision: str = ""
    """Which copy it is, where that differs from the entry's revision."""
    counts: Counts = Counts()


class PackageSource(_Source):
    """Files inside registry packages, listed in ``bench/data/demo.toml`` (photos) and ``demo_clips.toml``."""

    kind: Literal["packages"]


class LocalSource(_Source):
    """A copy that a user has put below ``--root`` (or ``UNMASK_DATA``): a folder, or a zip that is read in place."""

    kind: Literal["local"]
    path: str
    """Below the root; ``/`` between parts."""
    labels: str = ""
    attributes: str = ""
    sha256: Sha256 = ""
    """Of the zip."""
    labels_sha256: Sha256 = ""


class HttpsSource(_Source):
    """An archive that `unmask data fetch` can get, to be unpacked below the cache folder."""

    kind: Literal["https"]
    urls: tuple[str, ...] = Field(min_length=1)
    """Mirrors in order of preference."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: int | None = None
    path: str
    """The folder of images in the archive."""


Source = Annotated[PackageSource | LocalSource | HttpsSource, Field(discriminator="kind")]


class DatasetEntry(Strict):
    """One data set."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    revision: str
    title: str
    licence: str
    citation: str
    roles: tuple[Literal["probe", "calibrate", "train"], ...]
    """What it may be used for here."""
    layout: str
    """A registered ``layout`` (of photos) or ``clip_layout``; the `PACKAGE_LAYOUTS` come out of the cache."""
    splits: Literal["none", "halves", "own", "quick", "crime"] = "none"
    """``halves``: people (or files) divided into calibrate and probe; ``own``: the data set's train, val and test;
    ``quick``: a few that are quickly measured; ``crime``: UCF-Crime's own, and the thesis's selection."""
    default_split: Literal["all", "probe", "val", "test", "thesis"] = "all"
    show_faces: bool
    """Whether its licence lets a report show faces (still only on request)."""
    how_to_get: str
    """By hand: from whom, and in what layout."""
    notes: str = ""
    """What a reader of results must know: weaknesses, label noise, overlaps."""
    probe_people: tuple[str, ...] = ()
    """People who are always in the probe half, because another test set shows them too."""
    sources: tuple[Source, ...] = ()
    """In order of preference."""

    @field_validator("layout")
    @classmethod
    def _registered(cls, layout: str) -> str:
        layouts = (*PACKAGE_LAYOUTS, *names("layout"), *names("clip_layout"))
        if layout not in layouts:
            raise ValueError(f"no reader is registered for {layout!r}; there are {', '.join(layouts)}")
        return layout

    @model_validator(mode="after")
    def _splits_agree(self) -> DatasetEntry:
        if self.default_split not in self.split_names:
            raise ValueError(f"default_split must be one of {', '.join(self.split_names)}")
        return self

    @property
    def split_names(self) -> tuple[str, ...]:
        """What ``split=`` accepts."""
        return {
            "none": ("all",),
            "halves": ("calibrate", "probe", "all"),
            "own": ("train", "val", "test", "all"),
            "quick": ("all", "quick"),
            "crime": ("all", "train", "test", "thesis"),
        }[self.splits]

    @property
    def clips(self) -> bool:
        """Whether it is a set of clips rather than of images."""
        return self.layout == "package-clips" or self.layout in names("clip_layout")

    @property
    def by_path(self) -> bool:
        """Whether the SPEC names its folder: ``folder:PATH``."""
        return not self.sources

    @property
    def from_packages(self) -> bool:
        """Whether its files come out of registry packages."""
        return self.layout in PACKAGE_LAYOUTS


def dataset_names() -> tuple[str, ...]:
    """Of every data set: in the file's order, then those of plug-ins, entry points of the group ``unmask.datasets``,
    each a mapping with the fields of `DatasetEntry`. A name of ours is never a plug-in's. Raises `ConfigError`."""
    ours = _load(_path())
    return (*ours, *(name for name in names("dataset") if name not in ours))


def find_entry(name: str) -> DatasetEntry:
    """Raises `UnknownNameError` with near names, and of a plug-in `UnavailableError` where it cannot be imported and
    `ConfigError` with the key that is wrong. Other plug-ins are not looked at."""
    ours = _load(_path())
    if name in ours:
        return ours[name]
    if name not in dataset_names():
        raise UnknownNameError("data set", name, dataset_names())
    return _entry(name, load("dataset", name), f"data set {name!r} (a plug-in)")


def parse_catalog(text: str, where: str) -> Mapping[str, DatasetEntry]:
    """The entries of a ``datasets.toml``. ``where``: what to call the file in a message. Raises `ConfigError`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where} is not valid TOML: {error}") from error
    return MappingProxyType({name: _entry(name, table, f"{where}, [{name}]") for name, table in tables.items()})


def _entry(name: str, fields: Any, where: str) -> DatasetEntry:
    try:
        return DatasetEntry.model_validate({"name": name, **fields})
    except (ValidationError, TypeError) as error:
        reason = str(error)
        if isinstance(error, ValidationError):
            first = error.errors()[0]
            reason = f"{'.'.join(str(part) for part in first['loc']) or 'entry'}: {first['msg']}"
        raise ConfigError(f"{where}: {reason}") from error


def _path() -> Path:
    """In a wheel the file lies beside this module, in a checkout at the top."""
    here = Path(__file__).resolve()
    places = (here.with_name("datasets.toml"), here.parents[2] / "datasets.toml")
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(f"datasets.toml is missing (looked at {places[0]} and {places[1]}); install unmask again")


@cache
def _load(path: Path) -> Mapping[str, DatasetEntry]:
    return parse_catalog(path.read_text(encoding="utf-8"), str(path))
