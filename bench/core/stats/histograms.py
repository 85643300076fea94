"""Error rates from per-person histograms of scores, which outlive the embeddings that the scores came from.

A score is a similarity (higher = more alike), a comparison is accepted where its score is at or above a threshold. FMR
(false match rate) is the share of impostor comparisons accepted, FNMR that of genuine ones rejected, TAR = 1 - FNMR
(ISO/IEC 19795-1). Exact rates from the scores themselves: `error_rates.PairDistances` of their negatives.

Weights are of the people whose probes were compared, so that a bootstrap over people is one product of matrices; the
people that they were compared with stay as they are. Weights are (P,) for one set of rates, or (R, P) for R of them at
once; results have the weights' shape without its last axis, written (...) below.

What bins can say: every rate at a bin's edge is exact. Between two edges scores are taken as spread evenly, and
`Binned` says how far the exact value can be from that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.stats.error_rates import measurable
from unmask.bench.core.types import Float

Ints = NDArray[np.int64]
BINS: Final = 200


def even_edges(low: float, high: float, bins: int = BINS) -> Float:
    """(bins+1,) edges of equal bins from ``low`` to ``high``, which alone say what all of them are; of one value alone,
    over a range of 1 about it."""
    first, last = (low, high) if high > low else (low - 0.5, high + 0.5)
    return np.round(np.linspace(round(first, 12), round(last, 12), bins + 1), 12)


COSINE_EDGES: Final[Float] = even_edges(-1.0, 1.0)
"""(201,) equal bins of 0.01 for cosines."""
_ROUNDING = 1e-5
"""Share of the range by which a score may lie outside: cosines of float32 rows exceed 1 by a few millionths."""
_SLACK = 1 + 1e-12


class Binned(NamedTuple):
    """A rate read from bins."""

    value: Float
    """(...) with the scores of a bin spread evenly over it; NaN = not measured."""
    low: Float
    high: Float
    """(...) the exact value lies between these, both included."""


class DetCurve(NamedTuple):
    """The points of a DET curve (ISO/IEC 19795-1), one for each edge taken as the threshold."""

    threshold: Float
    """(B+1,) ascending"""
    fmr: Float
    """(..., B+1) 0..1, never rising; exact"""
    fnmr: Float
    """(..., B+1) 0..1, never falling; exact. Both NaN where that kind of comparison has no weight."""


@dataclass(frozen=True, slots=True)
class ScoreHistograms:
    """Comparisons of the probes of P people, counted by score in B bins.

    A bin holds scores from its lower edge up to, not including, its upper one; the last includes both.
    """

    genuine: Ints
    """(P, B) comparisons with the person's own entries."""
    impostor: Ints
    """(P, B) with other people's."""
    edges: Float
    """(B+1,) strictly ascending."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for shapes that do not fit, edges that do not ascend, or negative counts."""
        bins = len(self.edges) - 1
        if self.edges.ndim != 1 or bins < 1 or not (np.diff(self.edges) > 0).all():
            raise ValueError("the edges of a histogram must ascend, two of them at least")
        if self.genuine.shape != self.impostor.shape or self.genuine.shape[1:] != (bins,):
            raise ValueError(f"counts must be (people, {bins}), not {self.genuine.shape} and {self.impostor.shape}")
        if (self.genuine < 0).any() or (self.impostor < 0).any():
            raise ValueError("counts must not be negative")

    @property
    def people(self) -> int:
        """P."""
        return len(self.genuine)

    def totals(self, weights: Float | None = None) -> tuple[Float, Float]:
        """(..., B) weighted counts of genuine and impostor comparisons; ``None`` = everybody once.

        Raises `ValueError` unless there is one weight a person.
        """
        rows = np.ones(self.people) if weights is None else np.asarray(weights, dtype=np.float64)
        if rows.shape[-1:] != (self.people,):
            raise ValueError(f"expected one weight for each of {self.people} people, not {rows.shape}")
        return rows @ self.genuine, rows @ self.impostor

    def det(self, weights: Float | None = None) -> DetCurve:
        """FMR and FNMR with each edge as the threshold."""
        genuine, impostor = self.totals(weights)
        return DetCurve(self.edges, _accepted(impostor), 1 - _accepted(genuine))

    def true_accept_rate_at(self, threshold: float, weights: Float | None = None) -> Binned:
        """TAR (...) at a threshold of its own, e.g. one from background people; NaN = not measured, as for a NaN
        threshold."""
        tar = _accepted(self.totals(weights)[0])
        if math.isnan(threshold):
            nothing = np.full(tar.shape[:-1], np.nan)
            return Binned(nothing, nothing, nothing)
        if threshold <= self.edges[0]:
            everything = np.where(np.isnan(tar[..., 0]), np.nan, 1.0)
            return Binned(everything, everything, everything)
        if threshold > self.edges[-1]:
            return Binned(tar[..., -1], tar[..., -1], tar[..., -1])
        upper = int(np.searchsorted(self.edges, threshold, side="left"))
        width = self.edges[upper] - self.edges[upper - 1]
        share = float((self.edges[upper] - threshold) / width)
        low, high = tar[..., upper], tar[..., upper - 1]
        # On an edge the rate is exact, but for the last one: the last bin may hold scores equal to it.
        high = low if share == 0 and upper < len(self.edges) - 1 else high
        return Binned(low + share * (tar[..., upper - 1] - low), low, high)

    def true_accept_rate(self, fmr: float, weights: Float | None = None) -> Binned:
        """TAR (...) at the lowest threshold of these very comparisons whose FMR is not above ``fmr``.

        NaN where the impostor comparisons weigh less than 1/``fmr``, or where nobody has a genuine one. Raises
        `ValueError` unless 0 < ``fmr`` < 1.
        """
        if not 0 < fmr < 1:
            raise ValueError(f"a false match rate lies between 0 and 1, not at {fmr}")
        genuine, impostor = self.totals(weights)
        curve, tar = _accepted(impostor), _accepted(genuine)
        # FMR is 1 at the first edge and 0 at the last, so a bin always holds the crossing.
        above = np.argmax(~(curve > fmr * _SLACK), axis=-1)
        low, high = _take(tar, above), _take(tar, above - 1)
        fmr_low, fmr_high = _take(curve, above), _take(curve, above - 1)
        step = np.divide(fmr - fmr_low, fmr_high - fmr_low, out=np.zeros(low.shape), where=fmr_high > fmr_low)
        enough = np.vectorize(measurable, otypes=[np.bool_])(impostor.sum(axis=-1), fmr)
        return Binned(*(np.where(enough, each, np.nan) for each in (low + step * (high - low), low, high)))

    def equal_error_rate(self, weights: Float | None = None) -> Binned:
        """Where FMR equals FNMR (...), 0..1; above 0.5 own entries are less alike than strangers'."""
        _, fmr, fnmr = self.det(weights)
        gap = fmr - fnmr
        after = np.argmax(~(gap > 0), axis=-1)
        a, b = _take(gap, after - 1), _take(gap, after)
        fmr_a, fmr_b, fnmr_a, fnmr_b = (_take(rate, at) for rate in (fmr, fnmr) for at in (after - 1, after))
        step = np.divide(a, a - b, out=np.zeros(a.shape), where=a > b)
        measured = np.isfinite(gap).all(axis=-1)
        rates = (fmr_a + step * (fmr_b - fmr_a), np.maximum(fmr_b, fnmr_a), np.minimum(fmr_a, fnmr_b))
        return Binned(*(np.where(measured, each, np.nan) for each in rates))

    def shuffled(self, seed: int) -> ScoreHistograms:
        """The same comparisons with their labels drawn anew: each person has as many genuine ones as before, any of
        that person's comparisons with equal probability.

        What a statistic of histograms reaches on these is its floor. Comparisons count as independent; where one entry
        takes part in many, a floor from permuted people (`trust.permuted_floor`) is the better one.
        """
        rng = np.random.default_rng(seed)
        both = self.genuine + self.impostor
        rows = [
            rng.multivariate_hypergeometric(row, int(own.sum())) for row, own in zip(both, self.genuine, strict=True)
        ]
        genuine = np.array(rows, dtype=np.int64).reshape(both.shape)
        return ScoreHistograms(genuine, both - genuine, self.edges)


def pooled_edges(*scores: Float, bins: int = BINS) -> Float:
    """(bins+1,) edges of equal bins over the range of all finite ``scores``, (N,) each.

    Raises `ValueError` where none is finite.
    """
    finite = np.concatenate([each[np.isfinite(each)] for each in scores])
    if not len(finite):
        raise ValueError("no finite score to make a histogram of")
    return even_edges(float(finite.min()), float(finite.max()), bins)


def score_histograms(
    genuine: Float, genuine_person: Ints, impostor: Float, impostor_person: Ints, people: int, edges: Float
) -> ScoreHistograms:
    """Counts the scores of comparisons by the person whose probe was compared.

    ``genuine``: (N,), ``impostor``: (M,) scores; ``..._person``: 0..people-1 for each. NaN = could not be compared,
    left out; -inf = nothing is left to compare (a destroyed face), counted in the lowest bin. Raises `ValueError` for
    scores beyond the edges by more than rounding explains.
    """
    counted = [
        _counts(scores, person, people, edges)
        for scores, person in ((genuine, genuine_person), (impostor, impostor_person))
    ]
    return ScoreHistograms(counted[0], counted[1], edges)


def people_weights(weights: Float, person: Ints, people: int) -> Float:
    """(..., N) weights of faces -> (..., P) of their people: a person counts as often as the face that counts most.

    ``person``: (N,) 0..people-1. For a `SetStatistic`, whose weights are of faces: all faces of a person are drawn
    together, and those that are not scored weigh 0.
    """
    faces = np.asarray(weights, dtype=np.float64)
    out = np.zeros((people, *faces.shape[:-1]))
    np.maximum.at(out, person, np.moveaxis(faces, -1, 0))
    return np.asarray(np.moveaxis(out, 0, -1))


def _counts(scores: Float, person: Ints, people: int, edges: Float) -> Ints:
    use = ~np.isnan(scores)
    values, owners, bins = scores[use], person[use], len(edges) - 1
    slack = _ROUNDING * float(edges[-1] - edges[0])
    outside = (values > edges[-1] + slack) | ((values < edges[0] - slack) & ~np.isneginf(values))
    if outside.any():
        raise ValueError(f"{outside.sum()} of {len(values)} scores lie outside {edges[0]:g}..{edges[-1]:g}")
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    return np.bincount(owners * bins + at, minlength=people * bins).reshape(people, bins).astype(np.int64)


def _accepted(counts: Float) -> Float:
    """(..., B) -> (..., B+1) share at or above each edge; NaN where there is nothing."""
    beyond = np.concatenate([np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1], np.zeros((*counts.shape[:-1], 1))], -1)
    total = beyond[..., :1]
    return np.asarray(np.divide(beyond, total, out=np.full(beyond.shape, np.nan), where=total > 0))


def _take(rates: Float, at: NDArray[np.intp]) -> Float:
    """(..., B+1), (...) -> (...); place -1 counts as 0."""
    taken: Float = np.take_along_axis(rates, np.maximum(at, 0)[..., None], axis=-1)[..., 0]
    return taken
