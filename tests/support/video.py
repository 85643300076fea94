"""Made-up `Evidence` of clips: clips with face tracks that say which frames show whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from unmask.bench.core.evidence import KNOWN_PLACE, Evidence, OperatingPoint
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Floats32, Outcome
from unmask.bench.core.video import Tracks
from unmask.bench.run.video.evidence import OriginalClip, ScoredClip, clip_evidence

DIMENSION = 32
RECOGNISER = "mobilefacenet"
POINTS = (OperatingPoint(1e-3, 0.5, 0.4, 0.6),)


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one frame."""

    frame: int
    track: int
    distance: float = 1.0
    """Cosine distance of the output to the same frame's original."""
    outcome: Outcome = Outcome.ANONYMIZED
    readable: bool = True
    known: float | None = None
    """Cosine distance to the original at the original's place; ``None`` = nothing can be read there."""
    flicker: tuple[float, float] = (float("nan"), float("nan"))
    """Original, output."""


@dataclass(frozen=True, slots=True)
class Clip:
    faces: Sequence[Face]
    frames: int = 10
    rate: float = 10.0
    group: str = ""
    seconds: Sequence[float] | None = None
    people: Mapping[str, Tracks] = field(default_factory=dict)
    people_output: Mapping[str, Tracks] = field(default_factory=dict)
    truth: Tracks | None = None
    ms: Sequence[float] | None = None
    """The time that each frame took."""
    kbps: tuple[float, float] = (float("nan"), float("nan"))
    """Original, output."""


def video_evidence(clips: Sequence[Clip], seed: int = 0, recoded: Sequence[Mapping[str, Tracks]] = ()) -> Evidence:
    """Each track of each clip is a person of their own, seen in random but steady directions.

    ``recoded``: the people of each clip in the re-encoded control; none where it is not there.
    """
    rng = np.random.default_rng(seed)
    built = [build_clip(k, clip, rng) for k, clip in enumerate(clips)]
    return clip_evidence(
        "made-up",
        "method",
        [original for original, _ in built],
        [scored for _, scored in built],
        recoded or [{} for _ in clips],
        {RECOGNISER: POINTS},
        Settings(),
    )


def released(evidence: Evidence, **columns: Floats32) -> Evidence:
    """The evidence with other readings of the outputs: ``embedding`` (N, D), ``known_place`` (N, D)."""
    return replace(evidence, anonymized={RECOGNISER: {**evidence.anonymized[RECOGNISER], **columns}})


def at_distance(unit: Floats32, distance: float, rng: np.random.Generator) -> Floats32:
    """A unit vector at an exact cosine distance from another."""
    other = rng.standard_normal(len(unit))
    other -= (other @ unit) * unit
    other /= np.linalg.norm(other)
    cosine = 1 - distance
    return np.asarray(cosine * unit + np.sqrt(max(1 - cosine**2, 0.0)) * other, np.float32)


def build_clip(number: int, clip: Clip, rng: np.random.Generator) -> tuple[OriginalClip, ScoredClip]:
    faces = sorted(clip.faces, key=lambda face: (face.frame, face.track))
    people: dict[int, Floats32] = {}
    original, output, known = np.zeros((3, len(faces), DIMENSION), np.float32)
    for k, face in enumerate(faces):
        unit = rng.standard_normal(DIMENSION)
        original[k] = people.setdefault(face.track, np.asarray(unit / np.linalg.norm(unit), np.float32))
        output[k] = at_distance(original[k], face.distance, rng)
        if not face.readable or face.outcome is Outcome.DESTROYED:
            output[k] = np.nan
        known[k] = np.nan if face.known is None else at_distance(original[k], face.known, rng)
    landmarks = np.array([[[f.frame * 3.0 + i, f.track * 9.0 + i] for i in range(5)] for f in faces], np.float32)
    landmarks = landmarks.reshape(-1, 5, 2)
    found = landmarks.copy()
    found[[f.outcome in (Outcome.DESTROYED, Outcome.ERROR) for f in faces]] = np.nan
    seconds = np.arange(clip.frames) / clip.rate if clip.seconds is None else np.asarray(clip.seconds)
    count = len(faces)
    original_clip = OriginalClip(
        number=number,
        clip=f"clip{number}.mp4",
        group=clip.group,
        row={"problem": np.array([""]), "kbps": np.array([clip.kbps[0]])},
        seconds=seconds.astype(np.float64),
        faces={
            "frame": np.array([f.frame for f in faces], np.int64),
            "track": np.array([f.track for f in faces], np.int64),
            "landmarks": landmarks,
            "flicker": np.array([f.flicker[0] for f in faces], np.float64),
        },
        readings={RECOGNISER: original},
        people=clip.people,
        truth=clip.truth,
    )
    return original_clip, ScoredClip(
        outcome=np.array([str(f.outcome) for f in faces], np.str_),
        landmarks=found,
        flicker=np.array([f.flicker[1] for f in faces], np.float64),
        equal=np.zeros(count, np.bool_),
        explained=np.zeros(count, np.bool_),
        readings={RECOGNISER: {"embedding": output, KNOWN_PLACE: known}},
        people=clip.people_output,
        ms=np.full(len(seconds), 1.0) if clip.ms is None else np.asarray(clip.ms, np.float64),
        kbps=clip.kbps[1],
    )
