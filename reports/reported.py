"""Figures of systems that nobody can run, as somebody else printed them. They stand apart and are never ranked."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unmask.bench.core.errors import ConfigError

FILE: Final = "reported.toml"
Text = Annotated[str, Field(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Model):
    """One printed number."""

    what: Text
    value: Text
    """As printed; it is shown and never computed with."""
    unit: str
    section: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")]
    """Of the source."""


class System(_Model):
    """A system that the source compares itself with."""

    name: Text
    paper: Text
    code: Text
    """Why nobody can run it."""
    figures: tuple[Figure, ...]
    said: str = ""
    """What the source says where it has no figure."""
    protocol: Text
    """On which data, measured how."""
    incomparable: Text
    """Why the figures may not be compared with ours."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.figures and not self.said:
            raise ValueError("a system without figures must say what was said instead (said)")
        return self


class Source(_Model):
    title: Text


class Reported(_Model):
    """``reported.toml``."""

    source: Source
    systems: tuple[System, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [system.name for system in self.systems]
        if len(set(names)) < len(names):
            raise ValueError("a system is listed twice")
        return self


def parse_reported(text: str) -> Reported:
    """Raises `ConfigError` that names the wrong key."""
    try:
        return Reported.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{FILE} is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise ConfigError(f"{FILE}: {where}: {first['msg']}") from error


@cache
def load_reported() -> Reported:
    """The systems that come with unmask."""
    return parse_reported(files("unmask.reports").joinpath(FILE).read_text("utf-8"))
