"""What a user asks of a run: a TOML file, the command line, or both (the command line wins)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import ConfigDict, Field, field_validator

from unmask.bench.core.errors import ConfigError
from unmask.bench.core.settings import CHOOSING, CLIPS, MEASURING, RUNNING, Option, PlanSettings, Strict, validated

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

CLIP_DEFAULTS: Final = {
    "datasets": ("demo-clips",),
    "methods": ("none", "blur:sigma=0.15", "deepprivacy", "dp-att"),
    "out": "runs/video",
}
"""What ``unmask video`` takes where nothing else says so."""
TIME_LIMIT_S: Final = 120.0
"""Seconds that a method may take for one image, unless the user says otherwise."""
QUALITY = re.compile(r"matched|[1-9][0-9]{0,5}k|jpeg(?:[1-9][0-9]?|100)")
M = TypeVar("M", bound=Strict)


class Measured(Strict):
    """Which metrics and instruments are asked for."""

    metrics: Annotated[tuple[str, ...], Option(MEASURING, "--metric", commas=True)] = ()
    """Metric plug-ins, metric names or families; with commas, or repeated."""
    instruments: Annotated[tuple[str, ...], Option(MEASURING, "--instrument", commas=True)] = ()
    """Use only these instruments; with commas, or repeated."""


class RunConfig(Measured, PlanSettings):
    """All settings of ``unmask run`` and ``unmask video``; the same names as keys of a config file."""

    model_config = ConfigDict(coerce_numbers_to_str=False)

    datasets: Annotated[tuple[str, ...], Option(CHOOSING, "--dataset", "-d", metavar="SPEC")] = ("demo",)
    """A set of photos or of clips; may repeat."""
    methods: Annotated[tuple[str, ...], Option(CHOOSING, "--method", "-m", metavar="SPEC")] = DEFAULT_METHODS
    """name, name:param=value,... or label=name:...; may repeat. For a class of your own, its file and name stand in
    place of the name: path/to/my.py:MyMethod. The control ``none`` is added where it is not named."""
    background: Annotated[tuple[str, ...], Option(CHOOSING, "--background", metavar="SPEC")] = ()
    """Photos of other people, with names, that attackers of an audit learn from; may repeat. Without: the other half of
    a data set that has halves."""
    attackers: Annotated[tuple[str, ...], Option(CHOOSING, "--attacker", metavar="SPEC")] = ()
    """An attacker besides those of the audit, e.g. u-net:steps=3000, or one of those with other parameters; may
    repeat."""
    detector: Annotated[str, Option(CLIPS, metavar="SPEC")] = "yolov3-tiny"
    """Finds people: yolov3-tiny, yolov3:cfg=FILE,weights=FILE or ultralytics:model=FILE."""
    trackers: Annotated[tuple[str, ...], Option(CLIPS, "--tracker", metavar="SPEC")] = ("deepsort", "sort")
    """Follows them; may repeat. The first one leads the page."""
    qualities: Annotated[tuple[str, ...], Option(CLIPS, "--quality", commas=True)] = ()
    """Score every method at this quality too: clips at matched (the source's bitrate) or 56k, photos as jpeg75; may
    repeat."""
    control_qualities: Annotated[tuple[str, ...], Option(CLIPS, "--control-quality", commas=True)] = ("matched",)
    """The same for the control alone: how much of an effect is the codec's?"""

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


class Running(Strict):
    """How a run is carried out; further keys of a config file. Nothing here is part of a plan."""

    out: Annotated[Path, Option(RUNNING, short="-o")] = Path("runs/run")
    """The run's folder; the same command goes on in it."""
    workers: Annotated[int, Option(RUNNING)] = Field(default=1, ge=1)
    """Processes that share the work."""
    time_limit: Annotated[float, Option(RUNNING, metavar="SECONDS")] = Field(default=TIME_LIMIT_S, ge=0.1)
    """What a method may take for one image, else it is an error of that image."""


def read_settings(
    model: type[M], path: Path | None, options: Mapping[str, Any], defaults: Mapping[str, Any] | None = None
) -> M:
    """The settings of ``model``: ``options`` over the keys of the config file ``path`` (`RunConfig` and `Running` share
    one) over ``defaults`` over the model's own. Raises `ConfigError`: one line that names the key."""
    others = {*RunConfig.model_fields, *Running.model_fields} - set(model.model_fields)
    try:
        content = {} if path is None else tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    written = {key: value for key, value in content.items() if key not in others}
    values = {**(defaults or {}), **written, **options}
    return validated(model, values, set(written) - set(options), path, "".join(f", {key}" for key in sorted(others)))
