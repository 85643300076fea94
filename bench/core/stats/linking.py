"""Linking without anything to compare with: which faces of a release are of one person, by their distances alone.

Faces are joined by average linkage (Sokal and Michener 1958; scipy's, which scikit-learn's agglomerative clustering
calls). Faces at exactly the same distance are never split by their order, which follows people in most data sets: a cut
has at most the number of clusters that was asked for.

Agreement with the people: the adjusted Rand index (Hubert and Arabie, J. Classification 2, 1985), 1 = exactly the
people, 0 = no better than clusters of the same sizes dealt blindly; and purity (Manning, Raghavan and Schütze,
Introduction to Information Retrieval, 2008, section 16.3), the share of faces whose cluster belongs to their person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Float
from unmask.bench.core.values import Estimate

Ints = NDArray[np.int64]
CANDIDATES: Final = 16
"""Numbers of clusters that are tried, from 2 to one less than there are faces, in equal steps of their logarithm."""
PERMUTATIONS: Final = 20


@dataclass(frozen=True)
class Joined:
    """N faces joined step by step."""

    distance: Float
    """(N, N) symmetric, finite, 0 on the diagonal."""
    tree: Float
    """(N - 1, 4) as scipy's `linkage` gives it; (0, 4) for a single face."""

    def cut(self, number: int) -> Ints:
        """(N,) cluster numbers 0..K-1 of at most ``number`` clusters."""
        if not len(self.tree):
            return np.zeros(len(self.distance), np.int64)
        from scipy.cluster import hierarchy

        labels = hierarchy.fcluster(self.tree, max(number, 1), "maxclust")
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)

    def chosen(self) -> Ints:
        """(N,) the cut with the largest mean silhouette (Rousseeuw, J. Comp. Appl. Math. 20, 1987) of `CANDIDATES`
        ones; one cluster where none is above 0."""
        from sklearn.metrics import silhouette_score

        best, largest = self.cut(1), 0.0
        last = len(self.distance) - 1
        numbers = np.unique(np.round(np.geomspace(2, max(last, 2), CANDIDATES)).astype(np.int64))
        for number in numbers.tolist() if last >= 2 else ():
            labels = self.cut(number)
            if not 1 < len(np.unique(labels)) < len(labels):
                continue
            width = silhouette_score(self.distance, labels, metric="precomputed")
            if width > largest:
                best, largest = labels, width
        return best


def joined(distance: Float) -> Joined:
    """``distance``: (N, N) symmetric, rounded to 6 decimals here so that equal ones are equal. Raises `ValueError` for
    another shape or numbers that are not finite."""
    from scipy.cluster import hierarchy  # imported here, since every run lists all metrics and few need it
    from scipy.spatial.distance import squareform

    if distance.ndim != 2 or distance.shape[0] != distance.shape[1] or not np.isfinite(distance).all():
        raise ValueError(f"finite distances of every two faces are needed, not {distance.shape}")
    rounded = np.asarray(np.round(distance, 6), np.float64)
    if len(rounded) < 2:
        return Joined(rounded, np.zeros((0, 4)))
    return Joined(rounded, hierarchy.linkage(squareform(rounded, checks=False), "average"))


class RandIndex:
    """The adjusted Rand index of two labellings of N faces, under weights, so that people can be drawn anew.

    Clusters stay as they are. Two faces of one person weigh as often as the person was drawn, two of different people
    the product; copies of one person are not compared with each other. With pairs that are a = together in both, b =
    of one person only, c = in one cluster only, d = in neither: 2 (ad - bc) / ((a+b)(b+d) + (a+c)(c+d)).
    """

    def __init__(self, person: Ints, cluster: Ints) -> None:
        """(N,) numbers from 0 each."""
        self._person, self._cell = person, np.unique(np.stack([person, cluster]), axis=1, return_inverse=True)[1]
        pairs = np.unique(np.stack([person, cluster]), axis=1)
        self._person_of, self._cluster_of = pairs[0], pairs[1]

    def __call__(self, weights: Float) -> float:
        """-0.5..1 under (N,) weights, equal for the faces of a person but for those left out (0); NaN where all are of
        one person, or nobody has two."""
        drawn = weights > 0
        faces = np.bincount(self._cell, drawn, len(self._person_of))
        often = np.zeros(int(self._person.max(initial=-1)) + 1)
        np.maximum.at(often, self._person, weights)
        each = np.bincount(self._person, drawn, len(often))
        of_cell = often[self._person_of]
        one_person = float(often @ (each * (each - 1))) / 2
        two_people = (float(often @ each) ** 2 - float(((often * each) ** 2).sum())) / 2
        a = float(of_cell @ (faces * (faces - 1))) / 2
        in_cluster = np.bincount(self._cluster_of, of_cell * faces)
        c = (float((in_cluster**2).sum()) - float(((of_cell * faces) ** 2).sum())) / 2
        b, d = one_person - a, two_people - c
        room = (a + b) * (b + d) + (a + c) * (c + d)
        return 2 * (a * d - b * c) / room if one_person > 0 and two_people > 0 and room > 0 else math.nan


def pure(person: Ints, cluster: Ints) -> Float:
    """(N,) 1.0 for faces that belong to the commonest person of their cluster (the first of equals), else 0.0; their
    mean is the purity."""
    wide = int(cluster.max(initial=-1)) + 1
    counts = np.bincount(person * wide + cluster, minlength=(int(person.max(initial=-1)) + 1) * wide)
    commonest = counts.reshape(-1, wide).argmax(axis=0) if len(person) else person
    return np.asarray(commonest[cluster] == person, np.float64)


def pure_by_chance(person: Ints, cluster: Ints, rng: np.random.Generator) -> Float:
    """(N,) how often `pure` is 1 for each face with people dealt blindly over the same clusters, `PERMUTATIONS` times:
    many small clusters are pure whoever is in them."""
    return np.asarray(np.mean([pure(rng.permutation(person), cluster) for _ in range(PERMUTATIONS)], axis=0))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what a method draws at random decides if photos of one person can be linked."""

    kind: str
    """``unlinkable``, ``pseudonymous`` (linked only where all photos of a person share a draw), ``linkable``, or
    ``not measured``."""
    text: str
    """One plain sentence."""


def pseudonymous(per_person: Estimate, per_photo: Estimate) -> Verdict:
    """The verdict of two regimes, one draw for all photos of a person and one for each photo, by the same AUC among
    released pairs (0.5..1; chance 0.5). Linked = the 95 % interval lies above 0.5."""
    linked = [_linked(each) for each in (per_person, per_photo)]
    figures = f"AUC {_shown(per_person)} with one draw a person, {_shown(per_photo)} with one a photo"
    if None in linked:
        return Verdict("not measured", f"Whether photos of one person can be linked was not measured ({figures}).")
    if linked[1]:
        return Verdict("linkable", f"Photos of one person can be linked even with a draw of their own ({figures}).")
    if linked[0]:
        return Verdict(
            "pseudonymous", f"Photos of one person can be linked only if they share a draw: a pseudonym ({figures})."
        )
    return Verdict("unlinkable", f"Photos of one person could not be linked in either regime ({figures}).")


def _linked(auc: Estimate) -> bool | None:
    return None if math.isnan(auc.value) or math.isnan(auc.low) else auc.low > 0.5


def _shown(auc: Estimate) -> str:
    return "not measured" if math.isnan(auc.value) else f"{auc.value:.2f} [{auc.low:.2f}, {auc.high:.2f}]"
