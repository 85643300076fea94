"""Settings of a training: TOML in, a typed dataclass out, or one line that says what is wrong."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from bench.core.errors import ConfigError, UnknownNameError
from methods.gan.training.hardware import Precision

FOLDER: Final = Path(__file__).parent / "configs"
AT_LEAST_ONE: Final = ("steps", "epochs", "batch", "save_every", "width", "fine", "blocks")
"""Whole numbers that every settings class means in the same way."""
T = TypeVar("T")
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings:
    """Settings that every network has."""

    precision: Precision = "auto"
    held_out_share: Share = 0.05
    """Of the faces, chosen by a hash of the person or id, where no held-out files are given."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card tells."""


def shipped_names() -> list[str]:
    """The configs that come with unmask."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_config(config: str, overrides: Sequence[str] = ()) -> tuple[str, dict[str, Any]]:
    """(name, table) of a TOML file or of a shipped config's name; ``overrides`` are lines such as ``epochs=3``.

    Raises ConfigError where the file cannot be read, UnknownNameError for a name that is none.
    """
    path = Path(config)
    if path.suffix != ".toml":
        if config not in shipped_names():
            raise UnknownNameError("training config", config, shipped_names())
        path = FOLDER / f"{config}.toml"
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    for line in overrides:
        _lay_over(table, _parsed(line))
    return path.stem, table


def settings_from(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """``table`` as the dataclass ``kind``, its defaults where a key is missing. Raises ConfigError naming the key."""
    _check_keys(kind, table, where)
    try:
        # By way of JSON, where a list may become a tuple and a whole number a float, but no text a number.
        text = json.dumps(dict(table), allow_nan=False)
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {place}: {first['msg'].removeprefix('Value error, ')}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _check_keys(kind: Any, table: Mapping[str, Any], where: str) -> None:
    known = [field.name for field in fields(kind)]
    hints = get_type_hints(kind)
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}; known: {', '.join(known)}")
        if key in AT_LEAST_ONE and type(value) is int and value < 1:
            raise ConfigError(f"{where}: {key} must be at least 1")
        if is_dataclass(hints[key]) and isinstance(value, dict):
            _check_keys(hints[key], value, f"{where}: [{key}]")


def _parsed(line: str) -> dict[str, Any]:
    key, equals, value = (part.strip() for part in line.partition("="))
    if not equals or not key:
        raise ConfigError(f"--set {line}: write KEY=VALUE, for example --set epochs=3")
    for text in (f"{key} = {value}", f"{key} = {json.dumps(value)}"):  # a word needs no quotes on a command line
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            continue
    raise ConfigError(f"--set {line}: the key is none that TOML allows")


def _lay_over(table: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(table.get(key), dict):
            _lay_over(table[key], value)
        else:
            table[key] = value
