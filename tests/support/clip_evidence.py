"""Made-up readings of clips, clip by clip -> `Evidence`: faces of all frames in one order, clustered by clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.clips import Clips
from unmask.bench.core.evidence import KNOWN_PLACE, Evidence, FaceTruth, OperatingPoint, Units
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Bools, Floats32, Strings
from unmask.bench.core.video import Ints, Tracks
from unmask.bench.run.figures.clips import OriginalClip
from unmask.bench.store.tables import Table


@dataclass(frozen=True, slots=True)
class ReadClip(OriginalClip):
    """With how recognisers read its faces."""

    readings: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class ScoredClip:
    """What became of one clip under one contestant: of its N faces, its F frames and its people."""

    outcome: NDArray[np.str_]
    landmarks: Floats32
    """(N, 5, 2) found again on the output; NaN where no face was."""
    flicker: NDArray[np.float64]
    equal: Bools
    explained: Bools
    readings: Mapping[str, Table]
    """Recogniser -> {"embedding", `KNOWN_PLACE`: (N, D)}."""
    people: Mapping[str, Tracks]
    ms: NDArray[np.float64]
    """(F,)"""
    kbps: float


def clip_evidence(
    dataset: str,
    method: str,
    originals: Sequence[ReadClip],
    scored: Sequence[ScoredClip],
    recoded: Sequence[Mapping[str, Tracks]],
    points: Mapping[str, tuple[OperatingPoint, ...]],
    settings: Settings,
) -> Evidence:
    """The evidence over these clips; ``recoded``: their people in the re-encoded control, by tracker."""
    frames = np.array([len(one.seconds) for one in originals], np.int64)
    faces = np.array([len(one.faces["frame"]) for one in originals], np.int64)
    clip = np.repeat(np.arange(len(originals)), faces)
    frame = _joined([one.faces["frame"] for one in originals], np.int64)
    images = np.array([f"{one.clip}/{k:06d}" for one in originals for k in range(len(one.seconds))], np.str_)
    of_image = np.repeat(np.cumsum(frames) - frames, faces) + frame
    number, within = np.unique(
        np.stack([clip, _joined([one.faces["track"] for one in originals], np.int64)]), axis=1, return_inverse=True
    )
    track = within.reshape(-1).astype(np.int64)
    names = [f"{originals[k].clip}#{name}" for k, name in number.T]
    landmarks = _joined([one.faces["landmarks"].reshape(-1, 5, 2) for one in originals], np.float32, (0, 5, 2))
    groups = [one.group for one in originals]
    recognisers = dict.fromkeys(name for one in originals for name in one.readings)
    return Evidence(
        dataset=dataset,
        method=method,
        faces=_units(images[of_image], clip, groups, [f"#{k}" for k in track]),
        images=_units(images, np.repeat(np.arange(len(originals)), frames), groups),
        truth=_unlabelled(np.array(names, np.str_)[track] if names else np.zeros(0, np.str_), landmarks),
        outcome=_joined([one.outcome for one in scored], np.str_),
        landmarks=_joined([one.landmarks for one in scored], np.float32, (0, 5, 2)),
        original={
            name: {"embedding": np.concatenate([one.readings[name] for one in originals])} for name in recognisers
        },
        anonymized={
            name: {
                column: np.concatenate([one.readings[name][column] for one in scored])
                for column in ("embedding", KNOWN_PLACE)
            }
            for name in recognisers
        },
        features={},
        pairs={},
        ms=_joined([one.ms for one in scored], np.float64),
        faces_per_image=np.bincount(of_image, minlength=len(images)).astype(np.int64),
        peak_memory_mib=float("nan"),
        operating_points=points,
        settings=settings,
        equal=_joined([one.equal for one in scored], np.bool_),
        explained=_joined([one.explained for one in scored], np.bool_),
        clips=Clips(
            id=np.array([one.clip for one in originals], np.str_),
            seconds=tuple(one.seconds for one in originals),
            clip=clip,
            frame=frame,
            track=track,
            flicker_original=_joined([one.faces["flicker"] for one in originals], np.float64),
            flicker_output=_joined([one.flicker for one in scored], np.float64),
            people=tuple(one.people for one in originals),
            people_output=tuple(one.people for one in scored),
            people_recoded=tuple(recoded),
            truth=tuple(one.truth for one in originals),
            kbps_original=np.array([one.row["kbps"][0] for one in originals], np.float64),
            kbps=np.array([one.kbps for one in scored], np.float64),
        ),
    )


def _joined(parts: Sequence[NDArray[Any]], dtype: Any, empty: tuple[int, ...] = (0,)) -> NDArray[Any]:
    return np.concatenate([part.astype(dtype) for part in parts]) if parts else np.zeros(empty, dtype)


def _units(samples: Strings, clip: Ints, groups: Sequence[str], endings: Sequence[str] = ()) -> Units:
    """Faces, or frames, whose cluster is their clip."""
    of_unit = np.array(groups, np.str_)[clip] if groups else np.zeros(0, np.str_)
    ids = np.char.add(samples, np.array(endings, np.str_)) if len(endings) else samples
    members = {f"group={name}": of_unit == name for name in sorted(set(groups) - {""})}
    return Units(ids, samples, clip.astype(np.int64), members)


def _unlabelled(identity: Strings, landmarks: Floats32) -> FaceTruth:
    """Faces of which nothing is known but their tracks."""
    nothing = np.full(len(identity), "", np.str_)
    eyes = np.linalg.norm(landmarks[:, 0] - landmarks[:, 1], axis=1).astype(np.float64)
    return FaceTruth(identity, np.full(len(identity), np.nan), nothing, nothing, landmarks, eyes)
