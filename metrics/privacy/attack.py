"""What an attacker with one recogniser holds: the originals' embeddings, and those of what the method released.

Of each face several *candidates* are compared with an original, and the nearest counts:

- the plain attack (`sface`): the face that the judge finds again at its place, the crop at the original's landmarks,
  and every face that the output shows where the original has none (moved and copied faces);
- any look (`sface+any-look`): the crop at the original's landmarks as it is, turned, mirrored, inverted, blurred and
  halved. It has thresholds of its own, calibrated through the same looks.

Strangers' originals meet exactly the same candidates, so that more candidates give no advantage that chance does not
show. The rules that make every face count:

- `error`: the original was released, so the only candidate is the original itself (distance 0);
- `missed` and `anonymized`: whatever can be read; a face of which nothing can be read is unscored;
- `destroyed`: alike, but where nothing can be read there is nothing to compare (distance 2.0, the largest).

Faces whose original the recogniser cannot read are unscored too. Distances are cosine distances, 0..2, rounded to 6
decimals: embeddings are float32, and equal photos must not differ by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import (
    ALL_PEOPLE,
    ANY_LOOK,
    KNOWN_PLACE,
    LOOKS,
    Columns,
    Evidence,
    LearnedAttack,
    look_column,
)
from unmask.bench.core.exposure import FARTHEST
from unmask.bench.core.stats.fusion import templates, templates_without
from unmask.bench.core.types import Bools, Float, Floats32, Outcome
from unmask.bench.core.views import RELEASE, of_photos, viewed

Ints = NDArray[np.int64]
CANDIDATES = (
    "the face found again at its place, the crop at the original's landmarks, and faces at places where the original "
    "has none; with any look, the crop at the original's landmarks as it is, turned, mirrored, inverted, blurred and "
    "halved."
)
"""Part of every attack's card."""
FACES_AT_ONCE = 128
KEPT_FACES = 2_500
"""Up to so many faces an attack keeps all its distances (25 MB); beyond that they are worked out anew when asked."""


@dataclass(frozen=True)
class Attack:
    """One recogniser against one method, N faces with C candidates in all."""

    recogniser: str
    """Its name; with `ANY_LOOK` behind it for the attack that tries every look."""
    original: Floats32
    """(N, D) unit rows; NaN = the recogniser cannot read the original."""
    candidates: Floats32
    """(C, D) unit rows, ordered by face."""
    face: Ints
    """(C,) whose candidate each is, ascending."""
    gone: Bools
    """(N,) destroyed, and no candidate can be read."""
    error: Bools
    """(N,) nothing was released but the original."""
    probes: Bools | None = None
    """(N,) faces that may be searched for, where ``original`` is a gallery of other pictures, which may lack a face's
    own entry; ``None`` = those whose original can be read."""

    @cached_property
    def readable(self) -> Bools:
        """(N,) whether the original can be read."""
        return np.asarray(np.isfinite(self.original).all(axis=1), dtype=np.bool_)

    @cached_property
    def scored(self) -> Bools:
        """(N,) the original can be read, and a candidate too unless the face is gone, or was released as it was."""
        probes = self.readable if self.probes is None else self.probes
        return probes & (self.gone | self.error | (np.bincount(self.face, minlength=len(self.original)) > 0))

    @cached_property
    def own_distance(self) -> Float:
        """(N,) the nearest candidate's distance to the face's own original; NaN = unscored."""
        own = [
            block[np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)] for rows, block in self.blocks()
        ]
        return np.concatenate(own).astype(np.float64) if own else np.zeros(0)

    def blocks(self) -> Iterator[tuple[slice, Floats32]]:
        """(B, N) distances between what was released for a block of faces and all originals; NaN = unscored row, or
        an original that cannot be read."""
        n = len(self.original)
        for start in range(0, n, FACES_AT_ONCE):
            rows = slice(start, min(start + FACES_AT_ONCE, n))
            yield rows, self._matrix[rows] if n <= KEPT_FACES else self._block(rows)

    def distances(self, i: Ints, j: Ints) -> Float:
        """(P,) between what was released for face ``i`` and the original ``j``; NaN = cannot be compared."""
        distance = np.full(len(i), np.nan)
        order = np.argsort(i, kind="stable")
        ordered = i[order]
        for rows, block in self.blocks():
            part = order[slice(*np.searchsorted(ordered, [rows.start, rows.stop]))]
            distance[part] = block[i[part] - rows.start, j[part]]
        return distance

    @cached_property
    def _matrix(self) -> Floats32:
        n = len(self.original)
        parts = [self._block(slice(k, min(k + FACES_AT_ONCE, n))) for k in range(0, n, FACES_AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    @cached_property
    def _gallery(self) -> Floats32:
        return np.ascontiguousarray(np.where(self.readable[:, None], self.original, 0).T)

    def _block(self, rows: slice) -> Floats32:
        first, last = np.searchsorted(self.face, [rows.start, rows.stop])
        block = np.full((rows.stop - rows.start, len(self.original)), np.nan, np.float32)
        if last > first:
            present, starts = np.unique(self.face[first:last] - rows.start, return_index=True)
            block[present] = nearest(self.candidates[first:last] @ self._gallery, starts)
        block[self.gone[rows]] = FARTHEST
        block[~self.scored[rows]] = np.nan
        block[:, ~self.readable] = np.nan
        return block


def nearest(similarity: Floats32, starts: NDArray[np.intp]) -> Floats32:
    """(F, N) the smallest distance of each run of rows of (C, N) cosine similarities; ``starts`` (F,) where runs begin.
    Float32 products of equal rows are off by a millionth at most, which is rounded away."""
    distance = np.round(1 - np.maximum.reduceat(similarity, starts, axis=0), 6)
    distance[distance < 2e-6] = 0
    return np.minimum(distance, np.float32(FARTHEST))


def attacks(evidence: Evidence) -> Sequence[Attack]:
    """Two for each recogniser in the evidence: plain, and with any look where looks were read. Worked out once."""
    if "attacks" not in evidence.derived:
        evidence.derived["attacks"] = [
            attack for name in evidence.recognisers for attack in _attacks_by(evidence, name)
        ]
    shared: Sequence[Attack] = evidence.derived["attacks"]
    return shared


def plain_attacks(evidence: Evidence) -> list[Attack]:
    """Those without any look."""
    return [attack for attack in attacks(evidence) if not attack.recogniser.endswith(ANY_LOOK)]


def informed_attack(
    evidence: Evidence, learned: LearnedAttack, recogniser: str, fit: str = ALL_PEOPLE, person: Ints | None = None
) -> tuple[Attack, Float | None] | None:
    """What an attacker holds who knows the method, by one recogniser: candidates as in the plain attack and a gallery,
    both as the attacker reads them; ``None`` where it has learned nothing, or has nothing to compare with.

    ``person``: (N,) number of each face's person, for attackers who compare with templates. With them come the (N,)
    distances to the template of the face's own person without the face's photo.
    """
    audit, original, view = evidence.audit, evidence.original[recogniser], learned.view
    again = learned.card.gallery == "released"
    released = _released(evidence, recogniser, view)
    missing = not released or (again and recogniser not in (() if audit is None else audit.again))
    if audit is None or learned.problem(recogniser, fit) or missing:
        return None
    entries = gallery_of_view(audit.again[recogniser] if again else original, view, released=again)
    gallery = unit_rows(learned.read(recogniser, entries, released=again, fit=fit)["embedding"])
    faces, extra_rows = np.zeros(0, np.int64), gallery[:0]
    if not view:
        faces, extra = _extra_candidates(evidence, recogniser)
        extra_rows = unit_rows(learned.read(recogniser, {"embedding": extra}, released=True, fit=fit)["embedding"])
    layers = list(learned.read(recogniser, released, released=True, fit=fit).values())
    name = f"{learned.label}/{recogniser}"
    probes = np.asarray(np.isfinite(original["embedding"]).all(axis=1), dtype=np.bool_)
    if not learned.card.templates or person is None:
        return replace(_attack(evidence, name, gallery, layers, faces, extra_rows), probes=probes), None
    photo = np.unique(evidence.faces.sample, return_inverse=True)[1].astype(np.int64)
    # Of a person's faces in one photo only one is theirs: photos are told apart within a person.
    others = templates_without(gallery, person, np.unique(np.stack([person, photo]), axis=1, return_inverse=True)[1])
    own = _attack(evidence, name, others, layers, faces, extra_rows).own_distance
    attack = _attack(evidence, name, templates(gallery, person)[person], layers, faces, extra_rows)
    return replace(attack, probes=probes), own


def gallery_of_view(columns: Columns, view: str, *, released: bool) -> Columns:
    """What an attacker compares releases in a view with, ``embedding`` alone: photos or (``released``) what the method
    makes of them. {} where it was not read."""
    there = viewed(columns, view if released or of_photos(view) else RELEASE)
    return {"embedding": there["embedding"]} if there else {}


def _released(evidence: Evidence, recogniser: str, view: str) -> Columns:
    """What a recogniser reads of a release in a view; {} where that was not read."""
    columns = evidence.anonymized[recogniser]
    if view:
        return viewed(columns, view)
    return {name: columns[name] for name in ("embedding", KNOWN_PLACE)}


def _attacks_by(evidence: Evidence, name: str) -> Iterator[Attack]:
    original = unit_rows(evidence.original[name]["embedding"])
    readings = evidence.anonymized[name]
    plain = [readings[column] for column in ("embedding", KNOWN_PLACE) if column in readings]
    yield _attack(evidence, name, original, plain, *_extra_candidates(evidence, name))
    looks = [readings[look_column(look)] for look in LOOKS if look_column(look) in readings]
    if looks:
        looks += [readings[KNOWN_PLACE]] if KNOWN_PLACE in readings else []
        yield _attack(evidence, name + ANY_LOOK, original, looks, np.zeros(0, np.int64), original[:0])


def _attack(
    evidence: Evidence,
    name: str,
    original: Floats32,
    layers: Sequence[NDArray[Any]],
    extra_faces: Ints,
    extra_rows: Floats32,
) -> Attack:
    """``layers``: (N, D) each, one candidate a face; the extra ones come on top."""
    n = len(original)
    error = np.asarray(evidence.outcome == Outcome.ERROR.value, dtype=np.bool_)
    face = np.concatenate([np.tile(np.arange(n, dtype=np.int64), len(layers)), extra_faces])
    rows = np.concatenate([*(unit_rows(layer) for layer in layers), extra_rows])
    usable = np.isfinite(rows).all(axis=1) & ~error[face]
    released = np.flatnonzero(error & np.isfinite(original).all(axis=1))
    face, rows = np.concatenate([face[usable], released]), np.concatenate([rows[usable], original[released]])
    order = np.argsort(face, kind="stable")
    destroyed = evidence.outcome == Outcome.DESTROYED.value
    gone: Bools = destroyed & (np.bincount(face, minlength=n) == 0)
    return Attack(name, original, rows[order], face[order], gone, error)


def _extra_candidates(evidence: Evidence, name: str) -> tuple[Ints, Floats32]:
    """Every extra face of an image is a candidate for every face of that image: (face (K,), rows (K, D))."""
    dim = evidence.original[name]["embedding"].shape[1]
    rows = unit_rows(evidence.extra.readings.get(name, {}).get("embedding", np.zeros((0, dim), np.float32)))
    faces_of: dict[str, list[int]] = {}
    for face, sample in enumerate(evidence.faces.sample.tolist()):
        faces_of.setdefault(sample, []).append(face)
    pairs = [
        (face, k) for k, sample in enumerate(evidence.extra.sample[: len(rows)]) for face in faces_of.get(sample, [])
    ]
    faces, which = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return faces, rows[which]


def unit_rows(rows: NDArray[Any]) -> Floats32:
    """(N, D) L2-normalised; a zero row has no direction and becomes NaN."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats32 = np.divide(rows, length, out=np.full(rows.shape, np.nan, np.float32), where=length > 0)
    return unit
