"""What an attacker makes one of many: a person's photos into a template, several recognisers' scores into one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.types import Bools, Float, Floats32

FUSED: Final = "fused"
"""The channel of the scores that `Fusion` gives."""
LEAST_OWN: Final = 20
"""Comparisons with oneself below which a channel is not calibrated."""
MOST_PAIRS: Final = 50_000
"""Comparisons with others that are learned from, evenly spaced where there are more."""

_LEAST_SPREAD: Final = 1e-9


def templates(rows: NDArray[Any], person: NDArray[np.int64], people: int | None = None) -> Floats32:
    """(P, D) one reading of length 1 for each person: the mean of those of (N, D) that there are.

    ``person`` (N,) 0..P-1; ``people`` = P, by default the highest number. NaN = the person has none that can be read.
    """
    sums, count = _sums(rows, person, int(person.max(initial=-1)) + 1 if people is None else people)
    return _unit(sums, count)


def templates_without(rows: NDArray[Any], person: NDArray[np.int64], photo: NDArray[np.int64]) -> Floats32:
    """(N, D) for each row the template of its person without the photo that it is of, in no draw: what a probe is
    compared with where the attacker has not the photo itself. ``photo`` (N,) the number of the photo. NaN = the person
    has no other."""
    sums, count = _sums(rows, person, int(person.max(initial=-1)) + 1)
    own_sums, own_count = _sums(rows, photo, int(photo.max(initial=-1)) + 1)
    return _unit(sums[person] - own_sums[photo], count[person] - own_count[photo])


def _sums(rows: NDArray[Any], group: NDArray[np.int64], groups: int) -> tuple[Float, NDArray[np.int64]]:
    there = np.isfinite(rows).all(axis=1)
    sums = np.zeros((groups, rows.shape[1]))
    np.add.at(sums, group[there], rows[there])
    return sums, np.bincount(group[there], minlength=groups)


def _unit(sums: Float, count: NDArray[np.int64]) -> Floats32:
    length = np.linalg.norm(sums, axis=1)
    good = (count > 0) & (length > 0)
    scaled = np.where(good[:, None], sums / np.where(good, length, 1.0)[:, None], np.nan)
    return scaled.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Fusion:
    """How the scores of several recognisers (channels) become one: the ensemble.

    Each channel's score is made a log-odds by a logistic regression on background people, their weights by another over
    these (as usual in speaker recognition: Brümmer et al.: Fusion of Heterogeneous Speaker Recognition Systems, IEEE
    TASLP 15, 2007; scikit-learn). To be more alike never speaks against being one person: channels whose slope or
    weight comes out negative, as those of noise do, are left out one after the other; where that leaves none, all have
    the same weight over their standard deviation. A channel that could not compare counts as the mean of those that
    could, never as dissimilar.
    """

    channels: tuple[str, ...]
    slope: Float
    """(C,) of each channel's log-odds over its score."""
    intercept: Float
    """(C,)"""
    weight: Float
    """(C,) of each channel's log-odds in the fused score."""

    @classmethod
    def fit(cls, scores: Mapping[str, NDArray[Any]], own: Bools) -> Self:
        """From background people that no threshold and no result is about.

        ``scores``: channel -> (N, G) of N probes with G gallery entries, higher = more alike, NaN = not compared, which
        a probe with its own photo must be; ``own`` (N, G) whether both are of one person. A channel with fewer than
        `LEAST_OWN` comparisons of one person, or none of two, is left out; raises `UnavailableError` where all have.
        """
        kept = _evenly(own)
        layers = {name: np.asarray(matrix, np.float64)[kept] for name, matrix in scores.items()}
        labels = own[kept]
        usable = {name: v for name, v in layers.items() if _calibrates(labels[np.isfinite(v)])}
        if not usable:
            raise UnavailableError(
                f"fusing recognisers needs {LEAST_OWN} comparisons of two photos of one background person in at least "
                "one of them: add people with two photos to the background"
            )
        lines = {name: _log_odds(values[:, None], labels) for name, values in usable.items()}
        names = [name for name, (slope, _) in lines.items() if slope[0] > 0]
        while names:
            slopes = np.array([lines[name][0][0] for name in names])
            intercepts = np.array([lines[name][1] for name in names])
            odds = _filled(np.stack([usable[name] for name in names], axis=-1) * slopes + intercepts)
            weights = _log_odds(odds, labels)[0]
            if (weights > 0).all():
                return cls(tuple(names), slopes, intercepts, weights)
            del names[int(weights.argmin())]
        middle, spread = (np.array([of(v) for v in usable.values()]) for of in (np.nanmean, np.nanstd))
        spread = np.maximum(spread, _LEAST_SPREAD)
        return cls(tuple(usable), 1 / spread, -middle / spread, np.ones(len(usable)))

    def fuse(self, scores: Mapping[str, NDArray[Any]]) -> Float:
        """Fused scores of the shape of each of ``scores``, higher = more alike; NaN where no channel compared. Channels
        that were left out are ignored, and one that is missing altogether counts as one that could not compare. Equal
        scores give equal ones, to the last digit."""
        shape = next(iter(scores.values())).shape
        fused, odds, count, absent = (np.zeros(shape) for _ in range(4))
        for k, name in enumerate(self.channels):
            if name not in scores:
                absent += self.weight[k]
                continue
            own = np.asarray(scores[name], np.float64) * self.slope[k] + self.intercept[k]
            there = np.isfinite(own)
            fused[there] += self.weight[k] * own[there]
            odds[there] += own[there]
            count[there] += 1
            absent[~there] += self.weight[k]
        mean = np.divide(odds, count, out=np.full(shape, np.nan), where=count > 0)
        return np.asarray(fused + absent * mean)


def _evenly(own: Bools) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where all comparisons of one person are, and at most `MOST_PAIRS` others."""
    others = np.flatnonzero(~own)
    if len(others) > MOST_PAIRS:
        others = others[np.linspace(0, len(others) - 1, MOST_PAIRS).astype(np.int64)]
    rows, columns = np.unravel_index(np.concatenate([np.flatnonzero(own), others]), own.shape)
    return rows, columns


def _calibrates(labels: Bools) -> bool:
    return int(labels.sum()) >= LEAST_OWN and not bool(labels.all())


def _log_odds(features: Float, labels: Bools) -> tuple[Float, float]:
    """Weights (F,) and intercept of the log-odds of ``labels`` (N,) over ``features`` (N, F), both classes counting
    alike; rows with NaN are left out."""
    from sklearn.linear_model import LogisticRegression

    there = np.isfinite(features).all(axis=1)
    features, labels = features[there], labels[there]
    middle, spread = features.mean(axis=0), np.maximum(features.std(axis=0), _LEAST_SPREAD)
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit((features - middle) / spread, labels)
    weights: Float = model.coef_[0] / spread
    return weights, float(model.intercept_[0] - weights @ middle)


def _filled(odds: Float) -> Float:
    """(..., C) with NaN replaced by the mean of the channels that are there; all NaN stays."""
    there = np.isfinite(odds)
    count = there.sum(axis=-1, keepdims=True)
    mean = np.where(there, odds, 0).sum(axis=-1, keepdims=True) / np.maximum(count, 1)
    filled: Float = np.where(there, odds, np.where(count > 0, mean, np.nan))
    return filled
