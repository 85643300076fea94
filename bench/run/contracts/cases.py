"""What metrics and attackers are asked about where their contracts are checked: the ordinary case and the corners."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.clips import NOT_MEASURED, Clips
from unmask.bench.core.evidence import KNOWN_PLACE, LOOKS, Audit, Background, Columns, Evidence, Units, look_column
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Floats32, Outcome
from unmask.bench.core.values import AUDIT, CLIPS
from unmask.bench.core.video import Tracks
from unmask.bench.core.views import RELEASE
from unmask.bench.run.contracts.made_up import RECOGNISERS, REGIONS, directions, make_evidence
from unmask.bench.run.figures.attacking import Learned, folds_of, learned_of

_DIM: Final = 16
_MIXED: Final = ("anonymized", "anonymized", "destroyed", "missed", "error", "anonymized")
_FRAMES: Final = 12
"""Of each made-up clip."""
_TRACKER: Final = "sort"
_ATTACKERS: Final = ("ignorant", "parrot", "ridge")


def background(people: int = 40, seed: int = 7) -> Background:
    """Read-only readings of two photos each, released by a method that shifts them; two faces cannot be read."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(people), 2)
    original = _unit(directions(rng, people, _DIM)[person] + 0.6 * directions(rng, len(person), _DIM))
    released = _unit(original + 0.3 + 0.1 * directions(rng, len(person), _DIM))
    original[1], released[4] = np.nan, np.nan
    sides = [_columns(rows, rng) for rows in (original, released)]
    return Background(sides[0], sides[1], np.array([f"b{number:03d}" for number in person]))


def readings(seed: int = 11) -> Columns:
    """Read-only readings of 24 faces, three of which cannot be read."""
    rows = _unit(directions(np.random.default_rng(seed), 24, _DIM))
    rows[[0, 7, 23]] = np.nan
    return _columns(rows, np.random.default_rng(seed + 1))


def evidences(needs: Collection[str]) -> dict[str, Evidence]:
    """The cases for a metric that ``needs`` this (`Metric.needs`)."""
    if CLIPS in needs:
        return _clips()
    return {**(_audits() if AUDIT in needs else {}), **_photos()}


def _photos() -> dict[str, Evidence]:
    looked_at: dict[str, Any] = {"dim": _DIM, "known_place": 0.5, "looks": {"mirrored": 0.5}}
    return {
        "ordinary photos": make_evidence(**looked_at),
        "photos with every outcome": make_evidence(outcomes=_MIXED * 6, unscored=(1, 8), **looked_at),
        "photos whose faces are all destroyed": make_evidence(4, 2, outcomes=[Outcome.DESTROYED] * 8),
        "photos that all failed": make_evidence(4, 2, outcomes=[Outcome.ERROR] * 8),
        "photos without labels": make_evidence(labelled=False),
        "a single face": make_evidence(1, 1),
        "photos without readings": replace(
            make_evidence(), original={}, anonymized={}, features={r: ({}, {}) for r in REGIONS}, pairs={}
        ),
    }


def _audits() -> dict[str, Evidence]:
    return {
        "an audit": _audited(12),
        "an audit of a method that cannot be run": _audited(4, can_run=False),
    }


def _audited(people: int, *, can_run: bool = True) -> Evidence:
    """Of a method that shifts embeddings a little, with three attackers and the control."""
    shape: dict[str, Any] = {"dim": 24, "known_place": 0.3, "noise": 0.3, "photo_noise": 0.35}
    tested, others = make_evidence(people, 3, **shape), make_evidence(40, 2, seed=1, **shape)
    untouched = {
        name: dict.fromkeys(("embedding", KNOWN_PLACE), tested.original[name]["embedding"]) for name in RECOGNISERS
    }
    control = replace(tested, anonymized={**tested.anonymized, **untouched})
    control = replace(control, audit=_audit(control, others, others.original, tested.original, can_run=True))
    again = make_evidence(people, 3, method="again", **shape).anonymized
    return replace(tested, audit=_audit(tested, others, others.anonymized, again, can_run=can_run), control=control)


def _audit(
    tested: Evidence,
    others: Evidence,
    released: Mapping[str, Columns],
    again: Mapping[str, Columns],
    *,
    can_run: bool,
) -> Audit:
    """``released``: of the ``others``, from whom attackers learn; ``again``: of the tested, under another seed."""
    kept = slice(None) if can_run else slice(0)
    learned_from = {}
    for name in RECOGNISERS:
        original, anonymized = ({"embedding": side[name]["embedding"][kept]} for side in (others.original, released))
        sides = original, {**anonymized, KNOWN_PLACE: anonymized["embedding"]}
        learned_from[name] = Background(*sides, others.truth.identity[kept])
    fold = folds_of(others.truth.identity[kept], 0)
    attacks = []
    for name in _ATTACKERS:
        attacker = registry.create_attacker(parse_spec(name))
        states = {each: learned_of(attacker, faces, fold, 0) for each, faces in learned_from.items()}
        attacks.append(Learned(name, name, states))
    if not can_run:
        return Audit(attacks, {}, fold, {})
    once_more = {name: {"embedding": again[name]["embedding"]} for name in RECOGNISERS}
    return Audit(attacks, {(name, RELEASE): faces for name, faces in learned_from.items()}, fold, once_more)


def _clips() -> dict[str, Evidence]:
    looked_at: dict[str, Any] = {"dim": _DIM, "known_place": 0.5}
    ordinary = _of_clips(make_evidence(4, _FRAMES, **looked_at), 2)
    mixed = make_evidence(4, _FRAMES, outcomes=_MIXED * 8, unscored=(1, 8), **looked_at)
    unwritten = replace(
        ordinary,
        outcome=np.full_like(ordinary.outcome, NOT_MEASURED),
        landmarks=np.full_like(ordinary.landmarks, np.nan),
        anonymized={
            name: {key: np.full_like(rows, np.nan) for key, rows in columns.items()}
            for name, columns in ordinary.anonymized.items()
        },
        clips=replace(ordinary.clips, people_output=({}, {}), kbps=np.full(2, np.nan)),
    )
    return {
        "ordinary clips": ordinary,
        "clips with every outcome": _of_clips(mixed, 2),
        "clips that could not be written": unwritten,
        "a single clip": _of_clips(make_evidence(2, _FRAMES, **looked_at), 1),
        "clips without faces": _of_clips(make_evidence(2, _FRAMES, **looked_at), 0, without_faces=2),
    }


def _of_clips(photos: Evidence, many: int, without_faces: int = 0) -> Evidence:
    """The faces of every two people as tracks in all frames of one of ``many`` clips; ``without_faces``: how many clips
    there are beside these."""
    count = many + without_faces
    order = np.arange(many * 2 * _FRAMES).reshape(many, 2, _FRAMES).transpose(0, 2, 1).reshape(-1)
    clip = np.repeat(np.arange(many), 2 * _FRAMES)
    frame = np.tile(np.repeat(np.arange(_FRAMES), 2), many)
    track = 2 * clip + np.tile(np.arange(2), _FRAMES * many)
    images = np.array([f"clip-{c}/{f:06d}" for c in range(count) for f in range(_FRAMES)], np.str_)
    of_image = clip * _FRAMES + frame
    faces = np.array([f"{images[i]}#{t}" for i, t in zip(of_image, track, strict=True)], np.str_)
    rng, flicker = np.random.default_rng(5), np.where(frame == 0, np.nan, 2.0)
    names = np.array([f"clip-{c}#{t}" for c, t in zip(clip, track, strict=True)], np.str_)
    texts = np.full(len(order), "", np.str_)
    walked = _walk()
    return replace(
        photos,
        faces=Units(faces, images[of_image], clip, {}),
        images=Units(images, images, np.repeat(np.arange(count), _FRAMES), {}),
        truth=replace(
            photos.truth,
            identity=names,
            age=np.full(len(order), np.nan),
            gender=texts,
            race=texts,
            landmarks=photos.truth.landmarks[order],
            eye_distance=photos.truth.eye_distance[order],
        ),
        outcome=photos.outcome[order],
        landmarks=photos.landmarks[order],
        original=_recognised(photos.original, order),
        anonymized=_recognised(photos.anonymized, order),
        features={},
        pairs={},
        ms=rng.uniform(5, 15, len(images)),
        faces_per_image=np.bincount(of_image, minlength=len(images)).astype(np.int64),
        clips=Clips(
            id=np.array([f"clip-{c}" for c in range(count)], np.str_),
            seconds=(np.arange(_FRAMES) / 10,) * count,
            clip=clip,
            frame=frame,
            track=track,
            flicker_original=flicker,
            flicker_output=flicker + rng.uniform(0, 1, len(flicker)),
            people=({_TRACKER: walked},) * count,
            people_output=({_TRACKER: walked},) * count,
            people_recoded=({_TRACKER: walked},) * count,
            truth=(walked, *(None,) * (count - 1)) if count else (),
            kbps_original=np.full(count, 900.0),
            kbps=np.full(count, 1000.0),
        ),
    )


def _walk() -> Tracks:
    """Two people far apart who walk through all frames of a clip."""
    places = [(f, who, (20 + 160 * who + 2 * f, 60, 30, 60)) for f in range(_FRAMES) for who in (0, 1)]
    return Tracks.sorted([f for f, *_ in places], [who for _, who, _ in places], [box for *_, box in places])


def _recognised(side: Mapping[str, Columns], order: NDArray[np.int64]) -> dict[str, dict[str, NDArray[Any]]]:
    """What recognisers read of faces, in another order."""
    return {name: {key: rows[order] for key, rows in side[name].items()} for name in RECOGNISERS}


def _columns(rows: Floats32, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """``rows`` (N, D) with what lies at the known place and its looks, read-only."""
    columns = {"embedding": rows, KNOWN_PLACE: _unit(rows + 0.2 * directions(rng, len(rows), _DIM))}
    columns |= {look_column(look): _unit(rows + 0.5 * directions(rng, len(rows), _DIM)) for look in LOOKS}
    for column in columns.values():
        column.setflags(write=False)
    return columns


def _unit(rows: NDArray[Any]) -> Floats32:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
