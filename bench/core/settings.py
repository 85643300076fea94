"""Settings, each written once: a field of a pydantic model is a key of a config file, an option of commands and, where
it decides numbers, a part of a plan and of what metrics see.

The docstring of a field is the help of its option, its constraints are those of the option, and `Option` says how it is
written. `bench.cli.options` makes the options.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from inspect import get_annotations
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from unmask.bench.core.demographics import AGE_GROUPS, AgeGroup, ascending, group_name, parse_group
from unmask.bench.core.errors import ConfigError

PANELS = ("What is anonymized", "What is measured", "Of clips", "How it runs")
CHOOSING, MEASURING, CLIPS, RUNNING = PANELS
"""Groups of options in a command's help."""
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Option:
    """How a field is written on a command line."""

    panel: str
    """The group of options that it stands in."""
    name: str = ""
    """'' = ``--`` and the field's name. A field of several values has the singular here; its own name, the plural, is
    the former spelling of the option, and still read."""
    short: str = ""
    """``-d``"""
    commas: bool = False
    """Whether several values may also be separated by commas."""
    metavar: str = ""


class Strict(BaseModel):
    """Unknown keys are errors: a typo must not pass for a default."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        populate_by_name=True,
        use_attribute_docstrings=True,
        coerce_numbers_to_str=True,  # a plug-in's card may say version=2
    )


class CommonSettings(Strict):
    """What every command takes that draws by chance and runs networks."""

    seed: Annotated[int, Option(CHOOSING)] = Field(default=0, ge=0)
    """Decides every random draw."""
    device: Annotated[str, Option(RUNNING)] = "cpu"
    """cpu, cuda, cuda:1."""


def _group(value: object) -> object:
    """``20-29`` or ``40+`` as bounds. Raises ValueError for another text."""
    if not isinstance(value, str):
        return value
    group = parse_group(value.strip())
    if group is None or group_name(group) != value.strip():
        example = ",".join(map(group_name, AGE_GROUPS))
        raise ValueError(f"{value!r} is no age group; write for example {example}")
    return group


def _rgb(value: object) -> object:
    """``111-55-50`` as three numbers. Raises ValueError for another text."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"\d{1,3}-\d{1,3}-\d{1,3}", value.strip()):
        raise ValueError(f"{value!r} is no colour; write red-green-blue, for example 111-55-50")
    return tuple(map(int, value.split("-")))


def _one(specs: tuple[str, ...]) -> tuple[str, ...]:
    if len(specs) != 1:
        raise ValueError("name one data set")
    return specs


OneSpec = Annotated[tuple[str, ...], AfterValidator(_one)]
"""Data sets where a command works on one: a second must not silently win over the first."""


def _ascending(groups: tuple[AgeGroup, ...]) -> tuple[AgeGroup, ...]:
    if not ascending(groups):
        raise ValueError("age groups must ascend without overlap, e.g. 0-19, 20-29, 30-39, 40+")
    return groups


class AgeGroups(Strict):
    """Groups of ages, which metrics, subgroups and balanced sets share."""

    age_groups: Annotated[
        tuple[Annotated[AgeGroup, BeforeValidator(_group)], ...],
        AfterValidator(_ascending),
        Option(MEASURING, commas=True, metavar="GROUPS"),
    ] = AGE_GROUPS
    """Age groups, first and last year included, ascending; without: 0-19,20-29,30-39,40+ (thesis 4.4)."""


class Settings(AgeGroups, CommonSettings):
    """How readings become numbers: what metrics see of a run's settings."""

    skin_target: Annotated[tuple[int, int, int] | None, BeforeValidator(_rgb), Option(MEASURING, metavar="R-G-B")] = (
        None
    )
    """Colour that a skin-changing method aims at; without one only the average is compared."""
    default_recogniser: str = "mobilefacenet"
    default_attributes: str = "face-api"
    """The estimator of the headline and, where a data set is not labelled, of subgroups: one that no method runs."""

    @field_validator("skin_target")
    @classmethod
    def _in_range(cls, target: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if target is not None and not all(0 <= value <= 255 for value in target):
            raise ValueError("a colour is three values 0..255: red, green, blue")
        return target


class PlanSettings(Settings):
    """What a plan says of its settings."""

    limit: Annotated[int | None, Option(CHOOSING)] = Field(default=None, ge=1)
    """Only the first N photos (people stay whole) or clips of each data set."""
    frames: Annotated[int | None, Option(CLIPS)] = Field(default=None, ge=1)
    """Only the first N frames of each clip."""
    keep_audio: Annotated[bool, Option(CLIPS)] = False
    """Keep the source's sound in clips that are not lossless. Voices identify people."""
    shard_size: Annotated[int, Option(RUNNING)] = Field(default=64, ge=1, le=4096)
    """Images of a job: what a kill can lose at most."""
    replicates: Annotated[int, Option(MEASURING)] = Field(default=2000, ge=100, le=100_000)
    """Bootstrap replicates behind each interval."""
    calibration: Annotated[str, Option(MEASURING, "--calibrate-on", metavar="SPEC")] = "shipped"
    """Data set to calibrate thresholds on, of people who are in no test set; else those that ship."""


def validated(
    model: type[M], values: Mapping[str, Any], written: Collection[str] = (), path: object = None, known: str = ""
) -> M:
    """The model of ``values``. Raises `ConfigError`: one line that names the key, or the option where it is none of the
    keys ``written`` in the file ``path``. ``known``: what a wrong key is told beside the model's own."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        named = key in model.model_fields and key not in written
        place = flag_of(model, key) if named else f"{path}: {'.'.join(map(str, first['loc']))}"
        hint = f"; known keys: {', '.join(model.model_fields)}{known}" if first["type"] == "extra_forbidden" else ""
        raise ConfigError(f"{place}: {first['msg'].removeprefix('Value error, ')}{hint}") from error


def options_of(model: type[BaseModel]) -> list[str]:
    """The fields that are options, group by group, those of the class itself before those that it inherits."""

    def place(field: str) -> tuple[int, int]:
        owners = [number for number, cls in enumerate(model.__mro__) if field in get_annotations(cls)]
        option = option_of(model, field)
        return PANELS.index(option.panel) if option is not None and option.panel in PANELS else len(PANELS), owners[-1]

    return sorted((field for field in model.model_fields if option_of(model, field) is not None), key=place)


def option_of(model: type[BaseModel], field: str) -> Option | None:
    """How a field is written on a command line; ``None`` = it is not."""
    return next((item for item in model.model_fields[field].metadata if isinstance(item, Option)), None)


def flag_of(model: type[BaseModel], field: str) -> str:
    """The name of a field's option, such as ``--dataset``."""
    option = option_of(model, field)
    return (option.name if option is not None else "") or f"--{field.replace('_', '-')}"
