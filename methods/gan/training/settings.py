"""Settings of a training: TOML in, a typed dataclass out, or one line that says what is wrong."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from unmask.bench.core.errors import ConfigError, UnknownNameError
from unmask.methods.gan.training.hardware import Precision

FOLDER: Final = Path(__file__).parent / "configs"
NAMES: Final = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Within:
    """The range of a number, or of a list's length."""

    low: float
    high: float = math.inf
    above: bool = False
    """Whether ``low`` itself is not allowed."""
    below: bool = False
    """Whether ``high`` itself is not allowed."""

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies in the range."""
        under = value > self.low if self.above else value >= self.low
        return under and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        low = f"above {self.low:g}" if self.above else f"at least {self.low:g}"
        high = f"below {self.high:g}" if self.below else f"at most {self.high:g}"
        return low if self.high == math.inf else f"{low} and {high}"


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
    """``table`` as the dataclass ``kind``, its defaults where a key is missing. Raises ConfigError naming the key.

    Checked here and not by pydantic, because a GPU machine has torch and little else.
    """
    settings = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind, include_extras=True)
    unknown = next((key for key in table if key not in settings), None)
    if unknown is not None:
        raise ConfigError(f"{where}: unknown key {unknown!r}; known: {', '.join(settings)}")
    for name, setting in settings.items():
        if name not in table and setting.default is MISSING and setting.default_factory is MISSING:
            raise ConfigError(f"{where}: {name} is missing")
    return kind(**{key: _checked(hints[key], value, f"{where}: {key}") for key, value in table.items()})


def _checked(hint: Any, value: Any, where: str) -> Any:
    """``value`` as the type ``hint``; a whole number may become a float and a list a tuple, no text a number."""
    if get_origin(hint) is Annotated:
        base, limits = get_args(hint)
        value = _checked(base, value, where)
        if not limits.holds(len(value) if isinstance(value, tuple) else value):
            raise ConfigError(f"{where} {'needs a length' if isinstance(value, tuple) else 'must be'} {limits}")
        return value
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise ConfigError(f"{where}: {value!r} is none of {', '.join(map(str, get_args(hint)))}")
        return value
    if get_origin(hint) is tuple:
        kinds = get_args(hint)
        count = None if kinds[-1] is ... else len(kinds)
        if not isinstance(value, list | tuple) or count not in (None, len(value)):
            raise ConfigError(f"{where} must be a list{'' if count is None else f' of {count}'}")
        kinds = kinds[:1] * len(value) if count is None else kinds
        return tuple(_checked(kinds[k], each, f"{where}[{k}]") for k, each in enumerate(value))
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be a table")
        return settings_from(hint, value, where)  # type: ignore[arg-type]
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint or (hint is float and not math.isfinite(value)):
        raise ConfigError(f"{where} must be {NAMES[hint]}")
    return value


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
