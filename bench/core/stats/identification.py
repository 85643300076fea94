"""Naming a person by search: ranks, closed-set rates, and open-set error rates (ISO/IEC 19795-1).

A search compares a probe with a gallery. Ties count in the attacker's favour: entries exactly as alike as the right one
do not push it back.

- Closed set: everybody searched is in the gallery. The CMC at k is the share of searches whose right person is among
  the k most alike.
- Open set: the attacker does not know whether the person is in the gallery, and takes the best candidate at or above a
  threshold. Every probe is searched twice: a *mated* search, with everybody enrolled, and a *non-mated* one, with the
  probe's own person taken out of the gallery (all entries, nobody else). FPIR is the share of non-mated searches that
  return anybody, FNIR the share of mated ones that do not return the right person among the first R candidates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from unmask.bench.core.stats.error_rates import measurable
from unmask.bench.core.types import Bools, Float

Ints = NDArray[np.int64]
_SLACK = 1 + 1e-12


@dataclass(frozen=True, slots=True)
class Searches:
    """What N searches of one gallery gave."""

    rank: Float
    """(N,) of the right person among all people, 1 = first; inf = never found, NaN = could not be searched (probe
    unreadable, or nobody to be found)."""
    genuine: Float
    """(N,) best score with the person's own entries; -inf or NaN where the rank is inf, NaN where it is NaN."""
    stranger: Float
    """(N,) best score with anybody else's; -inf or NaN = nothing to return."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for shapes that differ, or a finite rank without a score."""
        if not self.rank.shape == self.genuine.shape == self.stranger.shape or self.rank.ndim != 1:
            raise ValueError("rank, genuine and stranger need one value a search each")
        if (np.isfinite(self.rank) & np.isnan(self.genuine)).any():
            raise ValueError("a search with a rank needs the score that the rank comes from")


class OpenSet(NamedTuple):
    """Error rates of open-set identification; shapes (...) as of the weights without their last axis."""

    threshold: Float
    """(...) at or above it a candidate is returned; -inf = always."""
    fpir: Float
    """(...) share of non-mated searches that return anybody at that threshold."""
    fnir: Float
    """(...) share of mated searches that miss the right person; NaN = not measured."""
    searches: Float
    """(...) weight of the mated searches; the non-mated ones weigh the same."""


def best_of(scores: Float, group: Ints, groups: int, axis: int) -> Float:
    """The largest score of each group of rows (``axis`` 0: probes of one person) or columns (1: their entries).

    ``scores``: (N, G), NaN = could not be compared, left out; ``group``: 0..groups-1 for each row (or column). NaN
    where a group has nothing to compare.
    """
    by_row = np.asarray(scores if axis == 0 else scores.T, dtype=np.float64)
    best = np.full((groups, by_row.shape[1]), np.nan)
    np.fmax.at(best, np.asarray(group), by_row)
    return best if axis == 0 else best.T


def search(scores: Float, own: Ints) -> Searches:
    """Every probe searched among all people, each person at their best entry (`best_of`).

    ``scores``: (N, P) probes against people; NaN = could not be compared, a row of -inf = nothing left to compare
    (destroyed; never found). ``own``: (N,) the probe's person, -1 = not in the gallery.
    """
    n, people = scores.shape
    enrolled = own >= 0
    right = np.zeros((n, people), dtype=np.bool_)
    right[np.flatnonzero(enrolled), own[enrolled]] = True
    genuine = np.where(right, scores, np.nan)[np.arange(n), np.maximum(own, 0)] if people else np.full(n, np.nan)
    others = np.where(right | np.isnan(scores), -np.inf, scores)
    ahead = (others > genuine[:, None]).sum(axis=1)
    rank = np.where(np.isnan(genuine), np.nan, np.where(np.isneginf(genuine), np.inf, 1.0 + ahead))
    seen = (~right & ~np.isnan(scores)).any(axis=1)
    return Searches(rank, genuine, np.where(seen, others.max(axis=1, initial=-np.inf), np.nan))


def best_match_rank(distances: Float, match: Bools, gallery: Bools | None = None) -> Float:
    """(Q,) 1 + the number of wrong gallery entries strictly nearer than the nearest right one.

    ``distances``: (Q, G), NaN = cannot be compared (ranked behind everything); ``match``: (Q, G) right entries;
    ``gallery``: (Q, G) entries to search, default all. NaN = no right entry among those that can be compared.
    """
    searched = np.isfinite(distances) if gallery is None else np.isfinite(distances) & gallery
    right = searched & match
    nearest = np.where(right, distances, np.inf).min(axis=1, initial=np.inf)
    nearer = searched & ~match & (np.where(searched, distances, np.inf) < nearest[:, None])
    return np.where(right.any(axis=1), 1.0 + nearer.sum(axis=1), np.nan)


def chance_within(k: int, gallery: Float, right: Float) -> Float:
    """Probability that ``k`` entries drawn blindly from ``gallery`` ones hold at least one of the ``right`` ones.

    All (Q,). Hypergeometric: 1 - prod_{t<k} (G - r - t) / (G - t); 1 where k entries cannot avoid the right ones.
    """
    size, hits = np.asarray(gallery, dtype=np.float64), np.asarray(right, dtype=np.float64)
    miss = np.ones(size.shape)
    for t in range(k):
        left = np.maximum(size - t, 1.0)
        miss *= np.clip(size - hits - t, 0.0, None) / left
    return 1 - miss


def cmc(rank: Float, most: int = 10, weights: Float | None = None) -> Float:
    """(..., most) share of searches whose right person is among the 1, 2, ... ``most`` first; NaN without a search.

    ``rank``: (N,), inf = never found (counted as a miss), NaN = not searched (left out); ``weights``: (..., N) of the
    searches, default 1 each.
    """
    within = rank[:, None] <= np.arange(1, most + 1)
    return _mean(within.astype(np.float64), ~np.isnan(rank), weights)


def sub_gallery_rates(rank: Float, people: int, sizes: Ints, k: int = 1, weights: Float | None = None) -> Float:
    """(..., S) expected rank-k rate in a gallery of the probe's own person and others drawn blindly, in closed form.

    ``rank``: (N,) among ``people`` people (not entries), see `Searches.rank`; ``sizes``: (S,) people in the gallery,
    the own one included. Of the r - 1 people ahead of the right one, fewer than k may be among the G - 1 drawn of the
    M - 1 others: a hypergeometric tail. Raises `ValueError` for sizes beyond 1..``people``, or ranks beyond ``people``.
    """
    if (sizes < 1).any() or (sizes > people).any():
        raise ValueError(f"sub-galleries hold 1 to {people} people")
    finite = np.isfinite(rank)
    if (rank[finite] > people).any():
        raise ValueError(f"ranks go up to the number of people, {people}: rank people, not their entries")
    ahead: Float = np.where(finite, rank, 1.0)[:, None] - 1
    size: Float = np.asarray(sizes, dtype=np.float64)[None, :] - 1
    others = float(people - 1)
    within = np.zeros((len(rank), len(sizes)))
    for t in range(k):
        possible = (t <= ahead) & (t <= size) & (size - t <= others - ahead)
        ways = _log_choose(ahead, t) + _log_choose(others - ahead, size - t) - _log_choose(others, size)
        within += np.where(possible, np.exp(np.where(possible, ways, 0.0)), 0.0)
    within[~finite] = 0.0
    return _mean(np.minimum(within, 1.0), ~np.isnan(rank), weights)


def open_set(
    searches: Searches,
    fpir: float,
    threshold: float | None = None,
    weights: Float | None = None,
    candidates: int = 1,
) -> OpenSet:
    """FNIR at a false positive identification rate (ISO/IEC 19795-1); mated and non-mated searches: see the module.

    ``threshold``: handed in (e.g. from background people; NaN = there is none), or ``None`` for the lowest at which the
    FPIR of these very searches is not above ``fpir``. ``weights``: (..., N) of the probes; ``candidates``: R. A
    destroyed face (rank inf) is a mated search that misses, and a non-mated one that returns nobody. NaN where
    non-mated searches weigh less than 1/``fpir``, threshold handed in or not: whether it holds the asked rate could not
    be told. Raises `ValueError` unless 0 < ``fpir`` < 1.
    """
    if not 0 < fpir < 1:
        raise ValueError(f"a false positive identification rate lies between 0 and 1, not at {fpir}")
    use = ~np.isnan(searches.rank)
    rank, gone = searches.rank[use], np.isinf(searches.rank[use])
    genuine = np.where(gone, -np.inf, searches.genuine[use])
    stranger = np.where(np.isnan(searches.stranger[use]), -np.inf, searches.stranger[use])
    every = np.ones(len(use)) if weights is None else np.asarray(weights, dtype=np.float64)
    rows = every[..., use].reshape(int(np.prod(every.shape[:-1])), len(rank))
    points = np.array([_open_point(rank <= candidates, genuine, stranger, row, fpir, threshold) for row in rows])
    points = points.reshape(-1, 4)
    return OpenSet(*(points[:, k].reshape(every.shape[:-1]) for k in range(4)))


def _open_point(
    listed: Bools, genuine: Float, stranger: Float, weights: Float, fpir: float, threshold: float | None
) -> tuple[float, float, float, float]:
    total = float(weights.sum())
    if not measurable(total, fpir) or (threshold is not None and math.isnan(threshold)):
        return math.nan, math.nan, math.nan, total
    at = _lowest_threshold(stranger, weights, fpir) if threshold is None else threshold
    alarms = float(weights[(stranger >= at) & (stranger > -np.inf)].sum()) / total
    # A destroyed face has nothing to return, whatever the threshold; its rank is inf.
    named = float(weights[listed & (genuine >= at)].sum()) / total
    return at, alarms, 1 - named, total


def _lowest_threshold(stranger: Float, weights: Float, fpir: float) -> float:
    order = np.argsort(-stranger, kind="stable")
    alarms = np.cumsum(weights[order])
    beyond = int(np.searchsorted(alarms, fpir * alarms[-1] * _SLACK, side="right"))
    # Just above the first stranger that would be one too many.
    return float(np.nextafter(stranger[order[beyond]], np.inf)) if beyond < len(order) else -math.inf


def _mean(values: Float, scored: Bools, weights: Float | None) -> Float:
    """(N, S) values -> (..., S) means over scored rows."""
    every = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = every[..., scored].sum(axis=-1)[..., None]
    sums = every[..., scored] @ values[scored]
    return np.asarray(np.divide(sums, total, out=np.full(sums.shape, np.nan), where=total > 0))


def _log_choose(n: Float | float, k: Float | float) -> Float:
    size, part = np.maximum(n, 0.0), np.clip(k, 0.0, np.maximum(n, 0.0))
    ways: Float = special.gammaln(size + 1) - special.gammaln(part + 1) - special.gammaln(size - part + 1)
    return ways
