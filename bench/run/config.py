"""What a user asks of a run: a TOML file, the command line, or both (the command line wins)."""

from __future__ import annotations

import re
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

CLIP_DATASETS = ("demo-clips",)
CLIP_METHODS = ("none", "blur:sigma=0.15", "deepprivacy", "dp-att")
"""What ``unmask video`` does without being told."""
QUALITY = re.compile(r"matched|[1-9][0-9]{0,5}k|jpeg(?:[1-9][0-9]?|100)")
M = TypeVar("M", bound=BaseModel)


class RunConfig(BaseModel):
    """All settings of ``unmask run`` and ``unmask video``; the same names as keys of a config file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: tuple[str, ...] = ("demo",)
    """Data set SPECs, of photos and of clips."""
    methods: tuple[str, ...] = DEFAULT_METHODS
    """Method SPECs. The control ``none`` is added where it is not named."""
    metrics: tuple[str, ...] = ()
    """Metric plug-ins, metric names or families; empty = all."""
    instruments: tuple[str, ...] = ()
    """Instruments to use; empty = all that are on by default."""
    limit: int | None = Field(default=None, ge=1)
    """Only the first N photos (people stay whole) or clips of each data set."""
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
    detector: str = "yolov3-tiny"
    """Person detector SPEC, for clips."""
    trackers: tuple[str, ...] = ("deepsort", "sort")
    """Tracker SPECs, for clips; the first is the one that the page leads with."""
    qualities: tuple[str, ...] = ()
    """Beside lossless, which every method is scored at: clips at ``matched`` (the source's bitrate) or a bitrate
    (``56k``), photos as ``jpeg75`` (or another quality of 1 to 100)."""
    control_qualities: tuple[str, ...] = ("matched",)
    """The same for the control alone: how much of an effect is the codec's?"""
    frames: int | None = Field(default=None, ge=1)
    """Only the first N frames of each clip."""
    keep_audio: bool = False
    """Keep the source's sound in clips that are not lossless. Voices identify people."""

    @field_validator("qualities", "control_qualities")
    @classmethod
    def _known(cls, qualities: tuple[str, ...]) -> tuple[str, ...]:
        for quality in qualities:
            if not QUALITY.fullmatch(quality):
                raise ValueError(f"quality {quality!r} must be matched, a bitrate in kbit/s such as 56k, or jpeg75")
        return tuple(dict.fromkeys(qualities))

    @field_validator("trackers")
    @classmethod
    def _some(cls, trackers: tuple[str, ...]) -> tuple[str, ...]:
        if not trackers:
            raise ValueError("name at least one tracker, e.g. deepsort")
        return trackers

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


def load_config(
    path: Path | None, overrides: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> RunConfig:
    """Reads ``path`` (may be None) over ``defaults`` and lays ``overrides`` that are not None or empty over it.

    Raises `ConfigError`: one line that names the key.
    """
    written = {key: value for key, value in _written(path).items() if key not in Running.model_fields}
    values = {**(defaults or {}), **written, **_asked(overrides)}
    return _validated(RunConfig, path, values, [*RunConfig.model_fields, *Running.model_fields])


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
