"""The stored readings of one method on one data set, as arrays in one fixed order of faces and of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.clips import Clips, no_clips
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Bools, Float, Floats32, Outcome, Strings, Unit
from unmask.bench.core.video import Ints

Columns = Mapping[str, NDArray[Any]]
"""Reading name -> (N,) or (N, D) float32 array; a NaN row = the instrument could not say."""

Readings = Mapping[str, Columns]
"""Instrument -> its readings."""


KNOWN_PLACE: Final = "known_place"
"""The reading of a recogniser on the output at the original's landmarks: an attacker who holds the photo knows them."""

LOOKS: Final = ("turned-90", "turned-180", "turned-270", "mirrored", "inverted", "blurred", "halved")
"""What an attacker tries with the crop at the known place before asking a recogniser again."""

ANY_LOOK: Final = "+any-look"
"""Behind a recogniser's name: the attack that takes the nearest of the reading at the known place and all `LOOKS` of
it, with thresholds of its own. As a part of a stored table: the readings of `LOOKS` alone."""

LOOKS_VERSION: Final = 1
"""Raise it whenever looks are others or are made otherwise: readings and thresholds of another version do not count."""


def look_column(look: str) -> str:
    """The reading of one of `LOOKS`, e.g. ``look:mirrored``; (N, D) like ``embedding``."""
    return f"look:{look}"


def found_or_placed(columns: Columns) -> NDArray[Any]:
    """(N, D) a recogniser's reading of each output: of the face found again, else of what lies at the known place."""
    embedding = columns["embedding"]
    if KNOWN_PLACE not in columns:
        return embedding
    return np.where(np.isfinite(embedding).all(axis=1, keepdims=True), embedding, columns[KNOWN_PLACE])


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A decision threshold of one recogniser at one false match rate."""

    fmr: float
    threshold: float
    """Cosine distance; at or below it two faces count as the same person."""
    low: float
    high: float
    """95 % interval of the threshold over identities."""


def point_at(points: Sequence[OperatingPoint], fmr: float) -> OperatingPoint:
    """The operating point for ``fmr``; one without a threshold (NaN) where it was never calibrated."""
    matching = (point for point in points if math.isclose(point.fmr, fmr, rel_tol=1e-9))
    return next(matching, OperatingPoint(fmr, math.nan, math.nan, math.nan))


@dataclass(frozen=True, slots=True)
class Units:
    """N faces (or N images) of a data set, the same ones in the same order for every method."""

    id: Strings
    """(N,) ``sample#k`` for faces, ``sample`` for images."""
    sample: Strings
    """(N,) the image each belongs to."""
    cluster: NDArray[np.int64]
    """(N,) resampling cluster: identity where labelled, else the image."""
    groups: Mapping[str, Bools]
    """Subgroup such as ``gender=female`` or ``skin=dark`` -> (N,) membership."""

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, slots=True)
class FaceTruth:
    """What the data set and the judge's detector say of the original faces, (N,) each."""

    identity: Strings
    """'' = not labelled."""
    age: Float
    """Years; NaN = not labelled."""
    gender: Strings
    """'female', 'male' or ''."""
    race: Strings
    landmarks: Floats32
    """(N, 5, 2) pixels."""
    eye_distance: Float
    """Pixels between the two eye points."""


@dataclass(frozen=True, slots=True)
class ExtraFaces:
    """M faces that the judge finds in outputs at places where the original has none: moved or copied ones."""

    sample: Strings
    """(M,) the image each lies in."""
    readings: Readings
    """Recogniser -> {"embedding": (M, D)}."""


@dataclass(frozen=True, slots=True)
class Background:
    """One recogniser's readings of N faces of people who are not tested, and of the same faces as released."""

    original: Columns
    """``embedding`` and, as the recogniser has them, `KNOWN_PLACE` and looks: (N, D) float32, L2-normalised; NaN rows
    where there is no reading."""
    released: Columns
    """The same, of what the method made of the photos."""
    identity: Strings
    """(N,) who each is."""


class LearnedAttack(Protocol):
    """An attacker with all that it has learned of one method, by each recogniser."""

    @property
    def label(self) -> str: ...

    @property
    def card(self) -> AttackerCard: ...

    @property
    def view(self) -> str:
        """What recognisers read for it, see `bench.core.views`."""

    def problem(self, recogniser: str, fit: str = ...) -> str:
        """Why it learned nothing of a recogniser's readings; '' = it did."""

    @property
    def recognisers(self) -> Sequence[str]:
        """Those whose readings it takes, in the order of the run."""

    def learns(self, recogniser: str) -> bool:
        """Whether what it learned of a recogniser's readings is anything at all."""

    def fits(self, recogniser: str) -> Sequence[str]:
        """What was learned of a recogniser's readings: `ALL_PEOPLE`, ``again/1``, ``fold/0``, ``share/0.5``,
        ``shuffled/0``..."""

    def read(self, recogniser: str, readings: Columns, *, released: bool, fit: str = ...) -> Columns:
        """Readings as it sees them, see `bench.core.protocols.Attacker.read`. Raises `UnavailableError` where it has a
        `problem`, or drops or invents readings."""


ALL_PEOPLE: Final = "all"
"""The fit that attacks: what was learned of all background people."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What attackers who know the method have, besides the evidence on it."""

    attacks: Sequence[LearnedAttack]
    background: Mapping[tuple[str, str], Background]
    """Recogniser and view (`bench.core.views`) -> readings of M faces of people who are not tested; empty where there
    are none, or where the method cannot be run on them."""
    fold: Ints
    """(M,) which of the folds by person each of those faces is in, from 0."""
    again: Readings
    """Recogniser -> {"embedding": (N faces, D)} of what the same method, under another seed, made of the same photos,
    and columns of views; empty where the method cannot be run."""
    restored: Readings = field(default_factory=dict)
    """Restoring attacker -> ``psnr`` and ``psnr_released`` (N,) in dB against the original, of what it makes of each
    face and of the face as it was released; of several restorations the best."""
    one_draw: Readings = field(default_factory=dict)
    """Recogniser -> {"embedding": (N faces, D), "destroyed": (N,)} of what the method makes of the same photos with one
    draw a person; empty where it draws nothing, or cannot be run."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that metrics may look at, for one method on one data set of photos or of clips.

    Of clips, every face in every frame is a face (and every frame an image) whose cluster is its clip and whose
    identity is its face track. An outcome may then be `NOT_MEASURED`, and all readings of that output NaN.
    """

    dataset: str
    method: str
    faces: Units
    images: Units
    truth: FaceTruth
    outcome: Strings
    """(N faces,) an `Outcome` value each, or `NOT_MEASURED`."""
    landmarks: Floats32
    """(N faces, 5, 2) re-detected on the output; NaN where no face was found again."""
    original: Readings
    """Per-face readings on the originals, (N faces, ...)."""
    anonymized: Readings
    """Per-face readings on the outputs; NaN rows where no face was found again. Recognisers also have `KNOWN_PLACE`
    and, but for dlib, each `look_column`: rows are NaN only where there is no output or it cannot be read."""
    features: Mapping[str, tuple[Readings, Readings]]
    """Region -> (originals, outputs) readings of ``features`` instruments, over faces or images."""
    pairs: Mapping[str, Readings]
    """Region -> readings of ``pair`` instruments, over faces (regions ``face`` and ``wide``) or images."""
    ms: Float
    """(N images,) milliseconds the method took; NaN where it failed."""
    faces_per_image: NDArray[np.int64]
    """(N images,) faces the judge found in the original."""
    peak_memory_mib: float
    """Largest resident memory while the method ran, above what the harness held before; NaN = not measured."""
    operating_points: Mapping[str, tuple[OperatingPoint, ...]]
    """Recogniser -> calibrated thresholds."""
    settings: Settings = field(default_factory=Settings)
    extra: ExtraFaces = field(default_factory=lambda: ExtraFaces(np.zeros(0, np.str_), {}))
    """Faces on the outputs at places where no original face was."""
    equal: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    """(N faces,) whether the face's pixels are the original's, byte for byte; (0,) = not recorded."""
    explained: Bools = field(default_factory=lambda: np.zeros(0, np.bool_))
    """(N faces,) whether one smooth tone curve and noise as strong as JPEG quality 50 explain the output's face from
    the original's; (0,) = not recorded."""
    clips: Clips = field(default_factory=no_clips)
    audit: Audit | None = None
    """``None`` = nobody was asked who knows the method."""
    control: Evidence | None = None
    """The evidence on the originals themselves, where an audit compares with it; ``None`` in that."""
    derived: dict[str, Any] = field(init=False, default_factory=dict, repr=False, compare=False)
    """What metrics work out of the fields above and share, e.g. the attacks with their distances; empty at first."""

    @property
    def recognisers(self) -> list[str]:
        """Those that read the originals."""
        return [name for name, columns in self.original.items() if "embedding" in columns]

    def released(self, instrument: str, reading: str) -> NDArray[Any]:
        """(N,) or (N, D): a reading of what was released for each face: of the face found again, else (recognisers) of
        what lies in its place; of an error of the original, which was released. NaN where there is none."""
        columns = self.anonymized[instrument]
        rows = columns[reading]
        if reading == "embedding" and KNOWN_PLACE in columns:
            rows = found_or_placed(columns)
        error = np.asarray(self.outcome == Outcome.ERROR.value, np.bool_)
        return np.where(error if rows.ndim == 1 else error[:, None], self.original[instrument][reading], rows)

    def count(self, unit: Unit) -> int:
        units: Mapping[str, Sized] = {
            "face": self.faces,
            "image": self.images,
            "track": self.clips.tracks,
            "clip": self.clips,
        }
        return len(units[unit])
