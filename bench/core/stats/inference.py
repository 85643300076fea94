"""What a release tells of an attribute: how well scores order the classes, and classifiers that give such scores.

Scores are judged by the area under the ROC curve: 0.5 tells nothing, 1 everything. Of several classes it is the mean
over one class against the rest. Weights let people be drawn anew.

A classifier is fitted on people who are not tested: logistic regression (of numbers: ridge regression) on numbers that
each have mean 0 and spread 1, its strength chosen by cross-validation in folds by person. Beside its score stand the
*ceiling*, the same on originals, the *floor*, the same with labels dealt blindly among the background people, and the
*own* score, on background people left out of the fit in turn: where that is at the floor, nothing was learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.error_rates import PairDistances
from unmask.bench.core.types import Bools, Float

LEAST_PEOPLE: Final = 2
"""Of each class; with one person a class is that person."""
STRENGTHS: Final = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse of the penalty on the squared weights."""
FOLDS: Final = 5
State = Mapping[str, NDArray[Any]]
"""What a classifier learned, as arrays to store."""


class Auc:
    """AUC of one score for one class against the rest, under weights of N faces."""

    def __init__(self, score: Float, positive: Bools, person: NDArray[np.int64]) -> None:
        """(N,) each; NaN scores take no part."""
        self._scored: Bools = np.isfinite(score)
        self._sides = [np.flatnonzero(self._scored & side) for side in (positive, ~positive)]
        self._people = [person[side] for side in self._sides]
        self._pairs = PairDistances(*(-score[side] for side in self._sides))

    def __call__(self, weights: Float) -> float:
        """0..1; NaN with fewer than `LEAST_PEOPLE` people on either side."""
        drawn = [weights[side] for side in self._sides]
        if any(len(np.unique(who[w > 0])) < LEAST_PEOPLE for who, w in zip(self._people, drawn, strict=True)):
            return math.nan
        rates = self._pairs.rates(*drawn)
        return math.nan if rates is None else rates.area_under_curve()


class MacroAuc:
    """Mean AUC over C classes, each against the rest; of two classes the AUC of the first."""

    def __init__(self, scores: Float, label: NDArray[np.int64], person: NDArray[np.int64]) -> None:
        """``scores``: (N, C), a column a class; ``label``: (N,) 0..C-1, below 0 = unknown, takes no part."""
        labelled = label >= 0
        columns = range(1 if scores.shape[1] == 2 else scores.shape[1])
        self._each = [Auc(np.where(labelled, scores[:, k], np.nan), label == k, person) for k in columns]

    def __call__(self, weights: Float) -> float:
        """0..1; classes with fewer than `LEAST_PEOPLE` people are left out, NaN where that leaves fewer than one that
        can be told from the rest."""
        values = [value for each in self._each if math.isfinite(value := each(weights))]
        return float(np.mean(values)) if values else math.nan


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


def fit_classes(features: NDArray[Any], label: NDArray[np.int64], person: NDArray[np.int64], *, seed: int) -> State:
    """Logistic regression of classes.

    ``features``: (N, D), NaN rows take no part; ``label``: (N,) 0..C-1, below 0 = unknown; ``person``: (N,). Returns
    ``mean``, ``scale`` (D,), ``weights`` (C, D), ``offset`` (C,), ``strength``. Raises `ValueError` where a class has
    fewer than `FOLDS` people, or there is one class only.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedGroupKFold

    rows, label, person = _known(features, label, person, label >= 0)
    classes, label = np.unique(label, return_inverse=True)
    people = [len(np.unique(person[label == k])) for k in range(len(classes))]
    if len(classes) < 2 or min(people) < FOLDS:
        raise ValueError(f"at least two classes of {FOLDS} people each are needed, not {people}")
    mean, scale, x = _scaled(rows)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=derive_seed(seed, "folds") % 2**32)
    losses = np.zeros(len(STRENGTHS))
    for train, test in folds.split(x, label, person):
        for k, strength in enumerate(STRENGTHS):
            model = LogisticRegression(C=strength, max_iter=300).fit(x[train], label[train])
            present = np.isin(label[test], model.classes_)
            if not present.any():
                continue
            chances = model.predict_proba(x[test][present])
            losses[k] += log_loss(label[test][present], chances, labels=model.classes_)
    strength = STRENGTHS[int(losses.argmin())]
    model = LogisticRegression(C=strength, max_iter=300).fit(x, label)
    weights, offset = model.coef_, model.intercept_
    if len(classes) == 2:
        weights, offset = np.concatenate([-weights, weights]) / 2, np.concatenate([-offset, offset]) / 2
    wide = int(classes.max()) + 1
    every, start = np.zeros((wide, x.shape[1])), np.full(wide, -np.inf)
    every[classes], start[classes] = weights, offset
    return {"mean": mean, "scale": scale, "weights": every, "offset": start, "strength": np.array(strength)}


def score_classes(state: State, features: NDArray[Any]) -> Float:
    """(N, C) probabilities by what `fit_classes` returned; 0 for classes it has not met, NaN for NaN rows."""
    rows = (np.asarray(features, np.float64) - state["mean"]) / state["scale"]
    logits = rows @ state["weights"].T + state["offset"]
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit_number(features: NDArray[Any], value: Float, person: NDArray[np.int64], *, seed: int) -> State:
    """Ridge regression of a number, e.g. ITA or years; as `fit_classes`. ``value``: (N,), NaN = unknown. Raises
    `ValueError` with fewer than `FOLDS` people."""
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold

    rows, value, person = _known(features, value, person, np.isfinite(value))
    if len(np.unique(person)) < FOLDS:
        raise ValueError(f"at least {FOLDS} people are needed, not {len(np.unique(person))}")
    mean, scale, x = _scaled(rows)
    errors = np.zeros(len(STRENGTHS))
    folds = GroupKFold(FOLDS, shuffle=True, random_state=derive_seed(seed, "folds") % 2**32)
    for train, test in folds.split(x, value, person):
        for k, strength in enumerate(STRENGTHS):
            model = Ridge(alpha=1 / strength).fit(x[train], value[train])
            errors[k] += float(((model.predict(x[test]) - value[test]) ** 2).sum())
    strength = STRENGTHS[int(errors.argmin())]
    model = Ridge(alpha=1 / strength).fit(x, value)
    weights, offset = model.coef_[None, :], np.array([model.intercept_])
    return {"mean": mean, "scale": scale, "weights": weights, "offset": offset, "strength": np.array(strength)}


def score_number(state: State, features: NDArray[Any]) -> Float:
    """(N,) by what `fit_number` returned; NaN for NaN rows."""
    rows = (np.asarray(features, np.float64) - state["mean"]) / state["scale"]
    return np.asarray(rows @ state["weights"][0] + state["offset"][0])


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


@dataclass(frozen=True, slots=True)
class Readable:
    """How well a classifier reads an attribute, as AUC; NaN = not measured."""

    scores: Float
    """(N, C) of the tested faces, to be asked again under other weights (`MacroAuc`)."""
    value: float
    ceiling: float
    floor: float
    own: float
    people: int
    """Background people it was fitted on."""


@dataclass(frozen=True, slots=True)
class Faces:
    """N faces of some people, as they are and as released."""

    original: NDArray[Any]
    """(N, D) features, e.g. a recogniser's embedding beside photometric numbers; NaN rows = could not be read."""
    released: NDArray[Any]
    label: NDArray[np.int64]
    """(N,) the class of the original, 0..C-1; below 0 = unknown."""
    person: NDArray[np.int64]


def readable(background: Faces, tested: Faces, *, seed: int) -> Readable:
    """What an attacker reads of tested people's released faces who fits on background people's. Raises `ValueError` as
    `fit_classes`, and where somebody is both."""
    if np.isin(tested.person, background.person).any():
        raise ValueError("nobody who is tested may be among the background people")

    def judged(fitted: Faces, features: NDArray[Any], label: NDArray[np.int64], faces: Faces, rows: Any) -> Any:
        scores = score_classes(fit_classes(features, label, fitted.person, seed=seed), rows)
        full = np.zeros((len(rows), max(scores.shape[1], int(faces.label.max(initial=0)) + 1)))
        full[:, : scores.shape[1]] = scores
        full[~np.isfinite(scores).all(axis=1)] = np.nan
        return full, MacroAuc(full, faces.label, faces.person)(np.ones(len(rows)))

    scores, value = judged(background, background.released, background.label, tested, tested.released)
    _, ceiling = judged(background, background.original, background.label, tested, tested.original)
    blind = dealt_blindly(background.label, background.person, seed)
    _, floor = judged(background, background.released, blind, tested, tested.released)
    own = _own(background, seed)
    return Readable(scores, value, ceiling, floor, own, len(np.unique(background.person)))


def _own(background: Faces, seed: int) -> float:
    """AUC on background people in two halves, each read by what was fitted on the other; NaN where a half has too few
    people of a class."""
    names = np.unique(background.person)
    first = np.isin(background.person, np.random.default_rng(derive_seed(seed, "halves")).permutation(names)[::2])
    wide = int(background.label.max(initial=0)) + 1
    scores = np.full((len(first), wide), np.nan)
    for half in (first, ~first):
        try:
            state = fit_classes(
                background.released[~half], background.label[~half], background.person[~half], seed=seed
            )
        except ValueError:
            return math.nan
        probabilities = score_classes(state, background.released[half])
        scores[half, : probabilities.shape[1]] = probabilities
        scores[half, probabilities.shape[1] :] = 0
    return MacroAuc(scores, background.label, background.person)(np.ones(len(first)))


def _known(features: NDArray[Any], *columns_and_use: Any) -> tuple[Any, ...]:
    *columns, use = columns_and_use
    rows = np.asarray(features, np.float64)
    use = use & np.isfinite(rows).all(axis=1)
    return rows[use], *(column[use] for column in columns)


def _scaled(rows: Float) -> tuple[Float, Float, Float]:
    """Mean and spread (D,) each, and the rows with mean 0 and spread 1; what does not vary stays 0."""
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    return mean, scale, (rows - mean) / scale
