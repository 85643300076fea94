"""What a user asks of a run: a TOML file, the command line, or both (the command line wins)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from unmask.bench.core.demographics import AGE_GROUPS, AgeGroup, ascending
from unmask.bench.core.errors import ConfigError
from unmask.bench.run.calling import TIME_LIMIT_S

DEFAULT_METHODS = (
    "none",
    "blackout",
    "blur:sigma=0.05",
    "blur:sigma=0.15",
    "pixelate:blocks=8",
    "k-same",
    "deepprivacy",
    "dp-att",
    "dp-att-s:tone=dark",
    "dp-stargan",
    "attgan",
    "stargan",
)

M = TypeVar("M", bound=BaseModel)


class RunConfig(BaseModel):
    """All settings of ``unmask run``; the same names as keys of a config file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: tuple[str, ...] = ("demo",)
    """Data set SPECs."""
    methods: tuple[str, ...] = DEFAULT_METHODS
    """Method SPECs. The control ``none`` is added where it is not named."""
    metrics: tuple[str, ...] = ()
    """Metric plug-ins, metric names or families; empty = all."""
    instruments: tuple[str, ...] = ()
    """Instruments to use; empty = all that are on by default."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first N samples of each data set (people stay whole)."""
    seed: int = Field(default=0, ge=0)
    device: str = "cpu"
    """``cpu``, ``cuda``, ``cuda:1``."""
    shard_size: int = Field(default=64, ge=1, le=4096)
    """Images per job: what a kill can lose at most."""
    replicates: int = Field(default=2000, ge=100, le=100_000)
    """Bootstrap replicates behind each interval."""
    age_groups: tuple[AgeGroup, ...] = AGE_GROUPS
    """Inclusive bounds in years; must ascend without overlap."""
    skin_target: tuple[int, int, int] | None = None
    """RGB a skin-changing method aims at."""
    calibration: str = "shipped"
    """``shipped``, or a data set SPEC whose people are disjoint from the test set."""

    @field_validator("age_groups")
    @classmethod
    def _ascending(cls, groups: tuple[AgeGroup, ...]) -> tuple[AgeGroup, ...]:
        if not ascending(groups):
            raise ValueError("age groups must ascend without overlap, e.g. [[0, 19], [20, 29], [30, 39], [40, 120]]")
        return groups

    @field_validator("skin_target")
    @classmethod
    def _rgb(cls, target: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if target is not None and not all(0 <= value <= 255 for value in target):
            raise ValueError("skin_target is three values 0..255: red, green, blue")
        return target


class Running(BaseModel):
    """How a run is carried out; further keys of a config file. Nothing here is part of a plan."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    out: Path
    """The run's folder; from the working folder where it is relative."""
    workers: int = Field(default=1, ge=1)
    """Processes that share the work."""
    time_limit: float = Field(default=TIME_LIMIT_S, ge=0.1)
    """Seconds that a method may take for one image."""


def load_config(path: Path | None, overrides: Mapping[str, Any]) -> RunConfig:
    """`read_settings` for ``unmask run``."""
    return read_settings(RunConfig, path, overrides)


def read_settings(model: type[M], path: Path | None, overrides: Mapping[str, Any]) -> M:
    """Reads ``path`` (may be None) and lays ``overrides`` that are not None or empty over it.

    Raises `ConfigError`: one line that names the key.
    """
    written = {key: value for key, value in _written(path).items() if key not in Running.model_fields}
    return _validated(model, path, {**written, **_asked(overrides)}, [*model.model_fields, *Running.model_fields])


def read_running(path: Path | None, overrides: Mapping[str, Any], default_out: str) -> Running:
    """The same for how the run is carried out; ``default_out``: its folder where neither says."""
    written = {key: value for key, value in _written(path).items() if key in Running.model_fields}
    values = {"out": default_out, **written, **_asked(overrides)}
    return _validated(Running, path, values, list(Running.model_fields))


def _asked(overrides: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in overrides.items() if value not in (None, (), [])}


def _written(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error


def _validated(model: type[M], path: Path | None, values: Mapping[str, Any], known: Sequence[str]) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config"
        hint = f"; known keys: {', '.join(known)}" if first["type"] == "extra_forbidden" else ""
        raise ConfigError(f"{path or 'options'}: {where}: {first['msg']}{hint}") from error
