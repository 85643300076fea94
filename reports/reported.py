"""Figures of systems that nobody can run, as somebody else printed them. They stand apart and are never ranked."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unmask.bench.core.errors import ConfigError

Text = Annotated[str, Field(min_length=1)]
Section = Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
"""Of the source."""
M = TypeVar("M", bound=BaseModel)


class Printed(BaseModel):
    """Something that somebody else printed; it is shown and never computed with."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Printed):
    title: Text


class Figure(Printed):
    """One printed number."""

    what: Text
    value: Text
    """As printed."""
    unit: str
    section: Section


class System(Printed):
    """A system that the source compares itself with."""

    name: Text
    paper: Text
    code: Text
    """Why nobody can run it."""
    figures: tuple[Figure, ...]
    statement: str = ""
    """What the source says where it has no figure."""
    protocol: Text
    """On which data, measured how."""
    incomparable: Text
    """Why the figures may not be compared with ours."""

    @model_validator(mode="after")
    def _has_statement(self) -> Self:
        if not self.figures and not self.statement:
            raise ValueError("a system without figures must say what is said instead (statement)")
        return self


class Reported(Printed):
    """``reported.toml``."""

    source: Source
    systems: tuple[System, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [system.name for system in self.systems]
        if len(set(names)) < len(names):
            raise ValueError("a system is listed twice")
        return self


def parse_printed(model: type[M], text: str, file: str) -> M:
    """``text``: TOML. Raises `ConfigError` that names the file and the wrong key."""
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(f"{file}: {where}: {first['msg']}") from error


def load_printed(model: type[M], package: str, file: str) -> M:
    """A file that comes with unmask."""
    return parse_printed(model, files(package).joinpath(file).read_text("utf-8"), file)


def load_reported() -> Reported:
    return load_printed(Reported, "unmask.reports", "reported.toml")
