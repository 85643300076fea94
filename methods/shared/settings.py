"""Checks of what a user sets, on a command line or in a file: each value against the type that its field declares."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

from unmask.bench.core.errors import CheckpointError, ConfigError, SpecError, UsageError

NAMES: Final = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
SHIPPED: Final = "shipped"
_IS_SHIPPED: Final = re.compile(rf"{SHIPPED}(-[a-z0-9]+)?")
WEIGHTS: Final = Path(__file__).parents[1] / "weights"
"""The folder of the weights that come with unmask."""
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
        over = value > self.low if self.above else value >= self.low
        return over and (value < self.high if self.below else value <= self.high)

    def __str__(self) -> str:
        if not self.above and not self.below and self.high < math.inf:
            return f"from {self.low:g} to {self.high:g}"
        low = f"above {self.low:g}" if self.above else f"of at least {self.low:g}"
        high = f"below {self.high:g}" if self.below else f"at most {self.high:g}"
        return low if self.high == math.inf else f"{low} and {high}"


def check_parameters(method: Any, name: str) -> None:
    """Checks every parameter of a method that is a dataclass, and makes whole numbers floats where floats are declared.

    Raises `SpecError` that names the method ``name``, the parameter, its value and what is allowed.
    """
    hints = get_type_hints(type(method), include_extras=True)
    for each in fields(method):
        if each.init:
            value = checked(hints[each.name], getattr(method, each.name), f"{name}: {each.name}", SpecError)
            setattr(method, each.name, value)


def settings_from(kind: type[T], table: Mapping[str, Any], where: str, error: type[UsageError] = ConfigError) -> T:
    """``table`` as the dataclass ``kind``, its defaults where a key is missing. Raises ``error`` naming the key.

    Checked here and not by pydantic, because a GPU machine has torch and little else.
    """
    settings = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind, include_extras=True)
    unknown = next((key for key in table if key not in settings), None)
    if unknown is not None:
        raise error(f"{where}: unknown key {unknown!r}; known: {', '.join(settings)}")
    for name, setting in settings.items():
        if name not in table and setting.default is MISSING and setting.default_factory is MISSING:
            raise error(f"{where}: {name} is missing")
    return kind(**{key: checked(hints[key], value, f"{where}: {key}", error) for key, value in table.items()})


def checked(hint: Any, value: Any, where: str, error: type[UsageError] = ConfigError) -> Any:
    """``value`` as the type ``hint`` (a number, text, Literal, tuple or dataclass, with `Within` where Annotated): a
    whole number may become a float and a list a tuple, no text a number. Raises ``error`` that begins with ``where``.
    """
    base, limits = get_args(hint) if get_origin(hint) is Annotated else (hint, None)
    kinds = get_args(base)
    if get_origin(base) is Literal:
        if value not in kinds:
            raise error(f"{where}={value} must be one of: {', '.join(map(str, kinds))}")
        return value
    if get_origin(base) is tuple:
        count = None if kinds[-1] is ... else len(kinds)
        if not isinstance(value, list | tuple) or count not in (None, len(value)):
            raise error(f"{where} must be a list{'' if count is None else f' of {count}'}")
        if limits and not limits.holds(len(value)):
            raise error(f"{where} must be a list of a length {limits}")
        types = kinds[:1] * len(value) if count is None else kinds
        return tuple(checked(types[k], each, f"{where}[{k}]", error) for k, each in enumerate(value))
    if is_dataclass(base):
        if not isinstance(value, Mapping):
            raise error(f"{where} must be a table")
        return settings_from(base, value, where, error)  # type: ignore[arg-type]
    number = float(value) if base is float and type(value) is int else value
    finite = type(number) is base and (base is not float or math.isfinite(number))
    if not finite or (limits and not limits.holds(number)):
        raise error(f"{where}={value} must be {NAMES[base]}{f' {limits}' if limits else ''}")
    return number


def checkpoint_path(checkpoint: str, name: str) -> Path:
    """The file of the shipped weights ``name``, or the user's. Raises `CheckpointError` where there is none.

    ``checkpoint``: ``shipped``; ``shipped-x`` for their variant ``x``; or a path.
    """
    shipped = WEIGHTS / f"{name}{checkpoint.removeprefix(SHIPPED)}.safetensors"
    path = shipped if _IS_SHIPPED.fullmatch(checkpoint) else Path(checkpoint).expanduser()
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}; give the path of a file, or checkpoint={SHIPPED}")
    return path


def name_of_checkpoint(checkpoint: str) -> str:
    """What a card says of it: of a user's file the name, not where it lies."""
    return checkpoint if _IS_SHIPPED.fullmatch(checkpoint) else Path(checkpoint).expanduser().name
