"""What a release tells of an attribute: how well scores order the classes, and classifiers that give such scores.

Scores are judged by the area under the ROC curve: 0.5 tells nothing, 1 everything. Of several classes it is the mean
over one class against the rest. Weights let people be drawn anew.

A classifier is cross-fitted: people are dealt into folds, and each fold is read by what was fitted on the others. It
is a logistic regression (of numbers: a ridge regression) of numbers that each have mean 0 and spread 1; every class
weighs the same; the penalty is chosen by folds by person inside the people fitted on. Only faces of one fold are
compared with each other: two fits have scales of their own, and a fit is the likelier to call a face of one class the
fewer of that class lie in the fold left out, so that across folds nothing at all would look like less than chance.

Everybody is read once and learned from four times. Where nothing can be read, what A's faces say of B's is what B's say
of A's, so each pair of people counts twice, and the number varies by `SPREAD` as much as it does if people are drawn
anew and the scores stay as they are. Simulated coverage where nothing can be read: .93 to .97, without it .84 to .88.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Bools, Float

LEAST_PEOPLE: Final = 2
"""Of each class; with one person a class is that person."""
STRENGTHS: Final = (1e-3, 1e-2, 1e-1)
"""Inverse of the penalty on the squared weights."""
FOLDS: Final = 5
FOLDS_INSIDE: Final = 2
"""In which the penalty is chosen."""
PEOPLE_A_CLASS: Final = 2 * FOLDS
"""Below which a classifier is not fitted to a class: two people to every fold."""
CLIP: Final = 5.0
"""Spreads from the mean at which numbers are cut off."""
SPREAD: Final = math.sqrt(2)
"""See the module, and `SetStatistic.spread`."""
AT_ONCE: Final = 2_000_000
"""Weights that are worked on at a time."""


class MacroAuc:
    """Mean AUC over C classes, each against the rest; of two classes the AUC of the first."""

    def __init__(
        self,
        scores: Float,
        label: NDArray[np.int64],
        person: NDArray[np.int64],
        fold: NDArray[np.int64] | None = None,
    ) -> None:
        """``scores``: (N, C), a column a class, NaN rows take no part; ``label``: (N,) 0..C-1, below 0 = unknown, takes
        no part; ``person``: (N,); ``fold``: (N,) only pairs of one fold count, ``None`` = all pairs."""
        self.scored: Bools = np.asarray((label >= 0) & np.isfinite(scores).all(axis=1), np.bool_)
        self._faces = faces = np.flatnonzero(self.scored)
        classes = range(1 if scores.shape[1] == 2 else scores.shape[1])
        fold = np.zeros(len(label), np.int64) if fold is None else fold
        self._each = [_Auc(scores[faces, k], label[faces] == k, person[faces], fold[faces]) for k in classes]

    def __call__(self, weights: Float) -> float:
        """0..1 under (N,) weights; classes with fewer than `LEAST_PEOPLE` people, or others, are left out, NaN where
        that leaves none."""
        return float(self.of_all(weights[None, :])[0])

    def of_all(self, weights: Float) -> Float:
        """(R,) the same under each of (R, N) weights."""
        rows = max(1, AT_ONCE // max(len(self._faces), 1))
        pieces = [weights[start : start + rows, self._faces] for start in range(0, len(weights), rows)]
        return np.concatenate([self._mean(piece) for piece in pieces]) if pieces else np.zeros(0)

    def _mean(self, weights: Float) -> Float:
        values = np.stack([auc.areas(weights) for auc in self._each])
        measured = np.isfinite(values)
        sums, counts = np.where(measured, values, 0).sum(axis=0), measured.sum(axis=0)
        return np.asarray(np.divide(sums, counts, out=np.full(len(weights), np.nan), where=counts > 0))


class _Auc:
    """Of one class against the rest."""

    def __init__(self, score: Float, positive: Bools, person: NDArray[np.int64], fold: NDArray[np.int64]) -> None:
        self._order = np.lexsort((score, fold))
        score, fold, self._positive = score[self._order], fold[self._order], positive[self._order]
        new_fold = np.diff(fold, prepend=-1) != 0
        self._folds = _runs(new_fold)
        self._ties = _runs(new_fold | (np.diff(score, prepend=np.inf) != 0))
        self._people = [_People(np.flatnonzero(side), person[side]) for side in (positive, ~positive)]

    def areas(self, weights: Float) -> Float:
        """(R,) AUC under (R, n) weights; NaN = undefined."""
        few = np.min([people.present(weights) for people in self._people], axis=0) < LEAST_PEOPLE
        weights = weights[:, self._order]
        above = weights * self._positive
        below = np.zeros((len(weights), weights.shape[1] + 1))
        np.cumsum(weights - above, axis=1, out=below[:, 1:])
        start = below[:, self._folds[0]]
        beaten = (below[:, self._ties[0]] + below[:, self._ties[1]]) / 2 - start
        pairs = (above * (below[:, self._folds[1]] - start)).sum(axis=1)
        value = np.divide((above * beaten).sum(axis=1), pairs, out=np.full(len(weights), np.nan), where=pairs > 0)
        return np.where(few, np.nan, np.round(value, 12))  # sums in another order are the same


def _runs(first: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(n,) each: where the run that an element belongs to begins, and where it ends; ``first``: (n,) begins of runs."""
    starts = np.flatnonzero(first)
    run = np.cumsum(first) - 1
    return starts[run], np.append(starts[1:], len(first))[run]


class _People:
    """Some faces, by person."""

    def __init__(self, faces: NDArray[np.intp], person: NDArray[np.int64]) -> None:
        order = np.argsort(person, kind="stable")
        self._faces = faces[order]
        self._starts = np.flatnonzero(np.diff(person[order], prepend=-1))

    def present(self, weights: Float) -> NDArray[np.int64]:
        """(R,) how many of them have a weight."""
        if not len(self._faces):
            return np.zeros(len(weights), np.int64)
        heaviest = np.maximum.reduceat(weights[:, self._faces], self._starts, axis=1)
        return np.asarray((heaviest > 0).sum(axis=1), np.int64)


class Spearman:
    """Rank correlation of two numbers, under weights of N faces (ties share their mean rank)."""

    def __init__(self, one: Float, other: Float) -> None:
        """(N,) each; faces without either take no part."""
        self._scored: Bools = np.isfinite(one) & np.isfinite(other)
        self._places = [np.unique(values[self._scored], return_inverse=True)[1] for values in (one, other)]

    def __call__(self, weights: Float) -> float:
        """-1..1; NaN below three faces, or where either number is the same for all."""
        w = weights[self._scored]
        if (w > 0).sum() < 3:
            return math.nan
        x, y = (_ranks(place, w) for place in self._places)
        spread = math.sqrt(float(w @ x**2) * float(w @ y**2))
        return float(np.clip(w @ (x * y) / spread, -1, 1)) if spread > 1e-9 else math.nan


def _ranks(place: NDArray[np.intp], weights: Float) -> Float:
    """(N,) mean ranks, less their mean."""
    totals = np.bincount(place, weights)
    ranks = (np.cumsum(totals) - totals / 2)[place]
    return np.asarray(ranks - weights @ ranks / weights.sum(), np.float64)


@dataclass(frozen=True, slots=True)
class CrossFitted:
    """What classifiers say of N faces whom they were not fitted on."""

    scores: Float
    """(N, C) the higher, the likelier the class; NaN = not scored."""
    label: NDArray[np.int64]
    """(N,) 0..C-1; -1 = takes no part."""
    fold: NDArray[np.int64]
    """(N,) the fold by person that each is in; -1 = none."""


def cross_fitted(
    features: NDArray[Any],
    label: NDArray[np.int64],
    person: NDArray[np.int64],
    *,
    seed: int,
    value: Float | None = None,
) -> CrossFitted:
    """Reads each fold of the people by what was fitted on the other folds.

    ``features``: (N, D), NaN rows take no part; ``label``: (N,) 0..C-1, below 0 = unknown; ``person``: (N,). Of two
    classes that are the ends of a number, ``value`` (N,) is that number, NaN = unknown: then it is what is learned, of
    the faces between the ends, too. Classes of fewer than `PEOPLE_A_CLASS` people take no part; with fewer than two
    others nothing is scored.
    """
    rows = np.asarray(features, np.float64)
    readable = np.isfinite(rows).all(axis=1)
    classes = int(label.max(initial=-1)) + 1
    many = [len(np.unique(person[readable & (label == k)])) >= PEOPLE_A_CLASS for k in range(classes)]
    label = np.where(readable & np.isin(label, np.flatnonzero(many)), label, -1)
    scores, fold = np.full((len(rows), classes), np.nan), np.full(len(rows), -1)
    if sum(many) < 2:
        return CrossFitted(scores, label, fold)
    use = np.flatnonzero(label >= 0 if value is None else readable & np.isfinite(value))
    fold[use] = folds_by_person(person[use], label[use], FOLDS, derive_seed(seed, "folds"))
    for k in range(FOLDS):
        train, test = use[fold[use] != k], use[fold[use] == k]
        mean, scale = _scale(rows[train])
        known, unknown = (np.clip((rows[part] - mean) / scale, -CLIP, CLIP) for part in (train, test))
        inside = folds_by_person(person[train], label[train], FOLDS_INSIDE, derive_seed(seed, "inside", str(k)))
        if value is None:
            scores[test] = _classes_read(known, label[train], inside, unknown, classes)
        else:
            number = _number_read(known, value[train], inside, unknown)
            scores[test] = np.stack([-number, number], axis=1)
    # The same picture must have the same score, whatever rows it is multiplied with.
    return CrossFitted(np.round(scores, 6), label, fold)


def folds_by_person(person: NDArray[np.int64], label: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """(N,) 0..folds-1: all faces of a person in one fold, people of each class (that of their first face) dealt over
    all folds in turn."""
    names, first, of = np.unique(person, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(label[first][order], kind="stable")]
    fold = np.empty(len(names), np.int64)
    fold[order] = np.arange(len(names)) % folds
    return np.asarray(fold[of], np.int64)


def _classes_read(
    known: Float, label: NDArray[np.int64], inside: NDArray[np.int64], unknown: Float, classes: int
) -> Float:
    """(M, C) log odds of each class of (M, D) ``unknown`` faces, by (N, D) ``known`` ones."""
    from sklearn import config_context
    from sklearn.linear_model import LogisticRegression

    def chances(strength: float, train: Bools, rows: Float) -> Float:
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=300, tol=1e-3)
        every = np.zeros((len(rows), classes))
        with config_context(assume_finite=True, skip_parameter_validation=True):  # a third of the time
            model.fit(known[train], label[train])
            every[:, model.classes_] = model.predict_proba(rows)
        return np.asarray(np.clip(every, 1e-9, 1 - 1e-9))

    def loss(strength: float) -> float:
        total = 0.0
        for k in range(FOLDS_INSIDE):
            test = inside == k
            own = label[test]
            right = -np.log(chances(strength, ~test, known[test])[np.arange(len(own)), own])
            total += float(np.mean([right[own == each].mean() for each in np.unique(own)]))
        return total

    best = min(STRENGTHS, key=loss)
    odds = chances(best, np.ones(len(label), np.bool_), unknown)
    return np.asarray(np.log(odds / (1 - odds)))


def _number_read(known: Float, value: Float, inside: NDArray[np.int64], unknown: Float) -> Float:
    """(M,) the number of (M, D) ``unknown`` faces, by (N, D) ``known`` ones."""
    from sklearn.linear_model import Ridge

    def loss(strength: float) -> float:
        total = 0.0
        for k in range(FOLDS_INSIDE):
            test = inside == k
            model = Ridge(alpha=1 / strength).fit(known[~test], value[~test])
            total += float(((model.predict(known[test]) - value[test]) ** 2).sum())
        return total

    best = min(STRENGTHS, key=loss)
    return np.asarray(Ridge(alpha=1 / best).fit(known, value).predict(unknown))


def _scale(rows: Float) -> tuple[Float, Float]:
    """(D,) mean and spread, of what does not vary 1."""
    scale = rows.std(axis=0)
    return rows.mean(axis=0), np.where(scale > 1e-9, scale, 1.0)


def dealt_blindly(label: NDArray[Any], person: NDArray[np.int64], seed: int) -> NDArray[Any]:
    """(N,) labels with whole people exchanged: each person gets those of another one drawn, over again where it has
    more faces. What a person's photos share stays shared."""
    names, of = np.unique(person, return_inverse=True)
    faces = [np.flatnonzero(of == k) for k in range(len(names))]
    other = np.random.default_rng(derive_seed(seed, "dealt")).permutation(len(names))
    dealt = label.copy()
    for mine, whose in zip(faces, other, strict=True):
        dealt[mine] = np.resize(label[faces[whose]], len(mine))
    return dealt
