"""Who counts as another person: labels first, and repeats of one person where labels are missing or wrong.

A false match rate is of pairs of two people. Two originals are left out of those pairs where they are

- *copies*: for every recogniser nearer than a tenth of its distance at a false match rate of 1e-3, whatever the
  labels say: the same photo, or the same photo saved again;
- *repeats*: at least one of them unlabelled, in two images, and within 0.6 of the distance at a false match rate of
  1e-4 for every calibrated recogniser, of which there must be two.

In clips, every face in every frame is a face, named by its track, and two faces of one clip are never two people: a
track may break.

Repeats cannot be told from lookalikes for certain. Within that distance lie 3 of 10 pairs of photos of one person
(lfw, three recognisers, 454 pairs), and 1 of 703 pairs of two children (utkface), of whom half match at a rate "of
1e-3"; at the whole distance it would be 8 of 10, and 108 of the 703, which would make chance look far better than it
is.

Strangers of the same group are of the same age group and gender, as `Evidence.faces.groups` has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unmask.bench.core.evidence import Evidence, point_at
from unmask.bench.core.types import Bools, Float, Floats32
from unmask.metrics.privacy.attack import FACES_AT_ONCE, Attack, Ints, unit_rows

MIN_PEOPLE = 20
"""People of a group below which its rate is not measured."""
COPY = 0.1
"""Share of the distance at a false match rate of 1e-3 within which two originals are one photo."""
UNCALIBRATED = 0.3
"""What stands for that distance where a recogniser has no thresholds."""
REPEAT_FMR = 1e-4
REPEAT = 0.6
"""Share of the distance at that rate within which two unlabelled originals are one person."""
MIN_RECOGNISERS = 2


@dataclass(frozen=True, slots=True)
class Strangers:
    """Which of N x N pairs of faces are of two people, as far as labels and distances tell."""

    different: Bools
    """(N, N)"""
    group: Ints
    """(N,) a number for each age group and gender; -1 = not known, or fewer than `MIN_PEOPLE` people."""
    copies: Ints
    """(K, 2) face numbers, the lower first: one photo under two names, not labelled as one person."""
    repeats: int
    """Pairs that look like one person and are not labelled so, copies not counted."""


def strangers(evidence: Evidence) -> Strangers:
    """Worked out once for all metrics."""
    if "strangers" not in evidence.derived:
        evidence.derived["strangers"] = _strangers(evidence)
    shared: Strangers = evidence.derived["strangers"]
    return shared


def match_shares(
    attack: Attack, others: Strangers, thresholds: Sequence[float], *, same_group: bool = False
) -> list[Float]:
    """For each threshold (N,): the share of strangers' originals that is at or within it from what was released for a
    face. NaN = unscored, nobody to compare with, or a threshold that was not calibrated."""
    shares = np.full((len(thresholds), len(attack.original)), np.nan)
    for rows, distance in attack.blocks():
        pairs = others.different[rows] & np.isfinite(distance)
        if same_group:
            pairs &= (others.group[rows, None] == others.group) & (others.group[rows, None] >= 0)
        many = pairs.sum(axis=1)
        for k, threshold in enumerate(thresholds):
            if math.isfinite(threshold):
                matched = ((distance <= np.float32(threshold)) & pairs).sum(axis=1)
                shares[k, rows] = np.divide(matched, many, out=np.full(len(many), np.nan), where=many > 0)
    return list(shares)


def group_numbers(evidence: Evidence) -> Ints:
    """(N,) see `Strangers.group`; without any age group (or gender) in the evidence the other alone makes the group."""
    number = np.zeros(len(evidence.faces), dtype=np.int64)
    missing = True
    for attribute in ("age=", "gender="):
        members = [member for name, member in evidence.faces.groups.items() if name.startswith(attribute)]
        if members:
            which = np.where(np.any(members, axis=0), np.argmax(members, axis=0), -1)
            number = np.where((number < 0) | (which < 0), -1, number * (len(members) + 1) + which)
            missing = False
    if missing:
        return np.full(len(number), -1, dtype=np.int64)
    for group in np.unique(number):
        if len(np.unique(evidence.faces.cluster[number == group])) < MIN_PEOPLE:
            number[number == group] = -1
    return number


def _strangers(evidence: Evidence) -> Strangers:
    n, identity, sample = len(evidence.faces), evidence.truth.identity, evidence.faces.sample
    clip = evidence.clips.clip
    different = np.zeros((n, n), dtype=np.bool_)
    copies: list[tuple[int, int]] = []
    repeats = 0
    for rows, alike, one_person in _alike(evidence):
        numbers = np.arange(rows.start, rows.stop)
        labelled = (identity[rows, None] != "") & (identity[None, :] != "")
        # Unlabelled faces are the same person as themselves only.
        same = (numbers[:, None] == np.arange(n)) | ((identity[rows, None] == identity[None, :]) & labelled)
        copied = alike & ~same
        repeated = one_person & ~same & ~copied & ~labelled & (sample[rows, None] != sample[None, :])
        # Two tracks of one clip may be one person who was lost in between.
        together = clip[rows, None] == clip[None, :] if len(clip) else np.zeros((len(numbers), n), np.bool_)
        different[rows] = ~(same | copied | repeated | together)
        later = np.arange(n)[None, :] > numbers[:, None]
        copies += [(int(a) + rows.start, int(b)) for a, b in np.argwhere(copied & later)]
        repeats += int((repeated & later).sum())
    return Strangers(different, group_numbers(evidence), np.array(copies, dtype=np.int64).reshape(-1, 2), repeats)


def _alike(evidence: Evidence) -> Iterator[tuple[slice, Bools, Bools]]:
    """(B, N) pairs of originals that are one photo, and pairs that look like one person, to every recogniser that can
    read both and to at least one (of calibrated ones two)."""
    n = len(evidence.faces)
    readers = [_reader(evidence, name) for name in evidence.recognisers]
    for start in range(0, n, FACES_AT_ONCE):
        rows = slice(start, min(start + FACES_AT_ONCE, n))
        shape = (rows.stop - rows.start, n)
        able, copied = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        judges, matched = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for original, copy, repeat in readers:
            with np.errstate(invalid="ignore"):
                distance = 1 - original[rows] @ original.T
            readable = np.isfinite(distance)
            able += readable
            copied += readable & (distance <= copy)
            if math.isfinite(repeat):
                judges += readable
                matched += readable & (distance <= repeat)
        yield rows, (able > 0) & (copied == able), (judges >= MIN_RECOGNISERS) & (matched == judges)


def _reader(evidence: Evidence, name: str) -> tuple[Floats32, float, float]:
    """Unit originals, and the distances up to which they are one photo, and one person (NaN = not calibrated)."""
    points = evidence.operating_points.get(name, ())
    usual = point_at(points, 1e-3).threshold
    copy = COPY * (usual if math.isfinite(usual) else UNCALIBRATED)
    return unit_rows(evidence.original[name]["embedding"]), copy, REPEAT * point_at(points, REPEAT_FMR).threshold
