"""Settings of a training: a TOML file with what the command line changes, and the types that many settings have."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.methods.gan.training.hardware import Precision
from unmask.methods.gan.training.perceptual import View
from unmask.methods.shared.settings import Within

FOLDER: Final = Path(__file__).parent / "configs"
Share = Annotated[float, Within(0, 1, above=True, below=True)]
Positive = Annotated[float, Within(0, above=True)]
Weight = Annotated[float, Within(0)]
Count = Annotated[int, Within(1)]
Width = Annotated[int, Within(1, 512)]
Seed = Annotated[int, Within(0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonSettings:
    """Settings that every network has."""

    precision: Precision = "auto"
    held_out_share: Share = 0.05
    """Of the faces, chosen by a hash of the person or id, without held-out files."""
    licence: str = ""
    """Terms of the weights, for their card; empty = those of the data, where their card names them."""

    @property
    def views(self) -> tuple[View, ...]:
        """In which the perceptual loss sees faces; none for networks without that loss."""
        return ()

    @property
    def needs_skin(self) -> bool:
        """Whether every face needs the colour of its skin."""
        return False


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
