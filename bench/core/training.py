"""What the commands about training ask of the methods, which the harness knows by name only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Final, Protocol, cast

from pydantic import Field

from unmask.bench.core.cards import WeightsReport
from unmask.bench.core.errors import UsageError
from unmask.bench.core.settings import RUNNING, Option, Strict
from unmask.bench.core.types import Detection, Floats32, Image

Files = Mapping[str, Mapping[str, Path]]
"""Instrument -> key -> file."""
Rgb = tuple[int, int, int]
LEARNING: Final = "What it learns from"
"""A group of options, beside `bench.core.settings.PANELS`."""


class TrainSettings(Strict):
    """What ``unmask train`` takes beside a network and its config."""

    data: Annotated[tuple[Path, ...], Option(LEARNING, metavar="PATH")] = ()
    """Faces: from unmask data build or data pack, or .npz files; may repeat."""
    held_out: Annotated[tuple[Path, ...], Option(LEARNING, metavar="PATH")] = ()
    """Faces for samples and checks only (else the val part, or a share of --data); may repeat."""
    overrides: Annotated[tuple[str, ...], Option(LEARNING, "--set", metavar="KEY=VALUE")] = ()
    """Changes a setting of CONFIG; may repeat."""
    out: Annotated[Path | None, Option(RUNNING)] = None
    """Folder to train in (default: runs/train-CONFIG)."""
    device: Annotated[str, Option(RUNNING)] = "cpu"
    """cpu, cuda, cuda:1."""
    workers: Annotated[int | None, Option(RUNNING)] = Field(default=None, ge=1)
    """Threads that share the work (default: all cores)."""
    stop_at: Annotated[str | None, Option(RUNNING, metavar="TIME")] = None
    """Save and stop then: +9m, 17:30."""


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """All that the command line gives to a training beside its settings."""

    data: tuple[Path, ...]
    """.npz shards of faces or parts of a pack, or folders of them."""
    held_out: tuple[Path, ...]
    """The same, never learned from; empty = the settings' share of ``data``."""
    out: Path
    """Where everything goes; a training that is there is resumed."""
    device: str = "cpu"
    threads: int | None = None
    """Of the arithmetic on a CPU; None = one for each core."""
    files: Files = field(default_factory=dict)
    """For every name in `TrainingJob.instruments`."""
    stop_at: float | None = None
    """Seconds since 1970 at which the training saves its state and stops; None = at its end."""
    compiles: bool | None = None
    """Whether torch compiles the steps; None = on a GPU only."""


class TrainingJob(Protocol):
    """One network's training with its settings read and checked."""

    @property
    def name(self) -> str:
        """Of the settings."""

    @property
    def instruments(self) -> tuple[str, ...]:
        """Registered instruments whose networks take part in the losses."""

    def run(self, inputs: TrainingInputs, report: Callable[[str], None]) -> Path | None:
        """Trains, from where a stopped training is if there is one; the file of the trained network.

        None where ``inputs.stop_at`` came before the end.
        """


class FacePacker(Protocol):
    """What packs training faces for another machine."""

    @property
    def instruments(self) -> tuple[str, ...]:
        """Registered instruments whose weights go into a pack."""

    def pack(self, source: Path, out: Path, files: Files, report: Callable[[str], None]) -> None:
        """Packs the built set ``source`` into the folder ``out``."""


@dataclass(frozen=True, slots=True)
class FaceCrop:
    """One face as the networks are trained on it."""

    image: Image
    """(128, 128, 3)"""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom of what is erased, in pixels of the crop; right and bottom exclusive."""
    landmarks: Floats32
    """(5, 2) in pixels of the crop."""


class TrainingFaces(Protocol):
    """Constructed without arguments; found by `training_faces`."""

    @property
    def weights(self) -> Mapping[str, str]:
        """The detector's weights: name -> sha256."""

    def load(self, device: str) -> None:
        """Loads the detector. Once per process, before `find`."""

    def find(self, image: Image) -> list[Detection]:
        """All faces of an image (H, W, 3)."""

    def crop(self, image: Image, face: Detection) -> FaceCrop:
        """One face of an image (H, W, 3) as the networks are trained on it."""

    def check_attributes(self, names: Sequence[str]) -> None:
        """Raises `SpecError` for a name that is no attribute."""

    def attributes(self, names: Sequence[str], age: float, p_female: float, tone: Rgb | None) -> Floats32:
        """(A,) 0/1 for one person."""

    def tone(self, text: str) -> Rgb:
        """``dark``, ``light``, ``beige`` or ``R-G-B``. Raises `SpecError`."""

    def recolour(self, image: Image, skin: tuple[float, float, float], tone: Rgb, *, whole: bool) -> Image:
        """``image`` with what has the colour ``skin`` brought to ``tone``; ``whole``: all of the image."""


def stop_time(text: str, now: datetime) -> float:
    """``+90s``, ``+9m``, ``+2h`` (from ``now``), ``17:30`` (the next) or ``2026-01-31T17:30`` -> seconds since 1970.

    Raises UsageError for anything else, and for a time that is past.
    """
    match = re.fullmatch(r"\+(\d+(?:\.\d+)?)([smh])", text)
    try:
        if match is not None:
            moment = now + timedelta(seconds=float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]])
        elif re.fullmatch(r"\d\d?:\d\d(:\d\d)?", text):
            clock = datetime.strptime(text, "%H:%M:%S" if text.count(":") == 2 else "%H:%M").time()
            moment = datetime.combine(now.date(), clock, now.tzinfo)
            moment += timedelta(days=moment <= now)
        else:
            moment = datetime.fromisoformat(text)
        seconds = moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--stop-at {text}: write +9m, 17:30 or 2026-01-31T17:30") from error
    if seconds < now.timestamp():
        raise UsageError(f"--stop-at {text} is past")
    return seconds


def weights_inspector() -> Callable[[Path], WeightsReport]:
    """What tells of a weights file which network it is."""
    return cast(
        Callable[[Path], WeightsReport], resolve_name("unmask.methods.gan.checkpoints.loading:inspect_checkpoint")
    )


def training_faces() -> TrainingFaces:
    """What turns photos into faces to train on: detector, crop and attributes are the methods' business."""
    return cast(TrainingFaces, resolve_name("unmask.methods.gan.runtime.preparing:PreparedFaces")())


def open_training(network: str, config: str, overrides: Sequence[str] = ()) -> TrainingJob:
    """A network's training with its settings read; ``config`` is a TOML file or a shipped config's name."""
    return cast(TrainingJob, resolve_name("unmask.methods.gan.training.jobs:open_training")(network, config, overrides))


def face_packer() -> FacePacker:
    """What packs training faces for another machine."""
    return cast(FacePacker, resolve_name("unmask.methods.gan.training.packing:Packer")())
