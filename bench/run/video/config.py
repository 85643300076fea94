"""What a user asks of a run over clips."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field, field_validator

DEFAULT_METHODS = ("none", "blur:sigma=0.15", "deepprivacy", "dp-att")
QUALITY = re.compile(r"matched|[1-9][0-9]{0,5}k")


class VideoConfig(BaseModel):
    """All settings of ``unmask video``; the same names as keys of a config file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    datasets: tuple[str, ...] = ("demo-clips",)
    """SPECs of data sets of clips."""
    methods: tuple[str, ...] = DEFAULT_METHODS
    """Method SPECs. The control ``none`` is added where it is not named."""
    detector: str = "yolov3-tiny"
    """Person detector SPEC."""
    trackers: tuple[str, ...] = ("deepsort", "sort")
    """Tracker SPECs; the first is the one that the page leads with."""
    instruments: tuple[str, ...] = ()
    """Recognisers to use; empty = all that are on by default."""
    qualities: tuple[str, ...] = ()
    """Beside lossless, which every method is scored at: ``matched`` (the source's bitrate) or a bitrate (``56k``)."""
    control_qualities: tuple[str, ...] = ("matched",)
    """The same for the control alone: how much of an effect is the codec's?"""
    limit: int | None = Field(default=None, ge=1)
    """Only the first N clips of each data set."""
    frames: int | None = Field(default=None, ge=1)
    """Only the first N frames of each clip."""
    keep_audio: bool = False
    """Keep the source's sound in clips that are not lossless. Voices identify people."""
    seed: int = Field(default=0, ge=0)
    device: str = "cpu"
    """``cpu``, ``cuda``, ``cuda:1``."""
    replicates: int = Field(default=2000, ge=100, le=100_000)
    """Bootstrap replicates behind each interval."""

    @field_validator("qualities", "control_qualities")
    @classmethod
    def _known(cls, qualities: tuple[str, ...]) -> tuple[str, ...]:
        for quality in qualities:
            if not QUALITY.fullmatch(quality):
                raise ValueError(f"quality {quality!r} must be matched, or a bitrate in kbit/s such as 56k")
        return tuple(dict.fromkeys(qualities))

    @field_validator("trackers")
    @classmethod
    def _some(cls, trackers: tuple[str, ...]) -> tuple[str, ...]:
        if not trackers:
            raise ValueError("name at least one tracker, e.g. deepsort")
        return trackers
