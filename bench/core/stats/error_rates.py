"""Error rates of verification: how well pairs of one person are told from pairs of two people by their distance.

Two faces count as the same person if their distance is at or below a threshold. Genuine pairs are of one person,
impostor pairs of two. FMR (false match rate) is the weighted share of impostor pairs accepted, FNMR the share of
genuine pairs rejected (ISO/IEC 19795-1). Pairs carry weights, so that resampled people weigh their pairs: a pair drawn
twice counts twice.

Rates are steps: they change only at observed distances, and pairs at the same distance (ties) are accepted or rejected
together. A threshold for an asked FMR is the largest observed impostor distance at which the FMR is not above it;
it never exceeds the asked rate and may fall short of it by a step. Below 1/FMR impostor pairs (by weight) the
rate cannot be resolved: NaN, not measurable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.core.types import Float

_SLACK = 1 + 1e-12  # 0.001 * 3000 must not come out as 2.9999999


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Both error rates at every distinct distance."""

    thresholds: Float
    """(K,) ascending."""
    fmr: Float
    """(K,) rising to 1."""
    fnmr: Float
    """(K,) falling to 0."""


class PairDistances:
    """Genuine and impostor distances, sorted once, so that rates under new weights cost one pass.

    ``genuine``: (P,), ``impostor``: (Q,); finite.
    """

    def __init__(self, genuine: Float, impostor: Float) -> None:
        everything = np.concatenate([genuine, impostor]).astype(np.float64)
        if not np.isfinite(everything).all():
            raise ValueError("distances must be finite; leave out pairs that could not be measured")
        self.thresholds, place = np.unique(everything, return_inverse=True)
        self._genuine, self._impostor = place[: len(genuine)], place[len(genuine) :]

    def rates(self, genuine_weights: Float, impostor_weights: Float) -> ErrorRates | None:
        """The rates under weights (P,) and (Q,); ``None`` if either kind of pair has no weight at all."""
        genuine = self._cumulative(self._genuine, genuine_weights)
        impostor = self._cumulative(self._impostor, impostor_weights)
        if not len(self.thresholds) or genuine[-1] <= 0 or impostor[-1] <= 0:
            return None
        return ErrorRates(self.thresholds, impostor / impostor[-1], 1 - genuine / genuine[-1])

    def _cumulative(self, place: NDArray[np.intp], weights: Float) -> Float:
        return np.cumsum(np.bincount(place, weights=weights, minlength=len(self.thresholds)))


def equal_error_rate(rates: ErrorRates) -> float:
    """Where FMR equals FNMR, on the straight line between the two steps around it."""
    fmr, fnmr = np.concatenate([[0.0], rates.fmr]), np.concatenate([[1.0], rates.fnmr])
    after = int(np.argmax(fmr >= fnmr))
    before = after - 1
    gap_before, gap_after = fnmr[before] - fmr[before], fmr[after] - fnmr[after]
    along = gap_before / (gap_before + gap_after)
    return float(fmr[before] + along * (fmr[after] - fmr[before]))


def true_accept_rate(rates: ErrorRates, fmr: float) -> float:
    """Share of genuine pairs accepted at the largest threshold whose FMR is not above ``fmr`` (0 if there is none)."""
    last = int(np.searchsorted(rates.fmr, fmr * _SLACK, side="right")) - 1
    return 0.0 if last < 0 else float(1 - rates.fnmr[last])


def eer(
    genuine: Float, impostor: Float, genuine_weights: Float | None = None, impostor_weights: Float | None = None
) -> float:
    """Equal error rate, 0..1; NaN without both kinds of pairs."""
    rates = _rates(genuine, impostor, genuine_weights, impostor_weights)
    return math.nan if rates is None else equal_error_rate(rates)


def tar_at_fmr(
    genuine: Float,
    impostor: Float,
    fmr: float,
    genuine_weights: Float | None = None,
    impostor_weights: Float | None = None,
) -> float:
    """True accept rate at the threshold for ``fmr``; NaN if not measurable."""
    rates = _rates(genuine, impostor, genuine_weights, impostor_weights)
    if rates is None or not measurable(float(_weights(impostor, impostor_weights).sum()), fmr):
        return math.nan
    return true_accept_rate(rates, fmr)


def threshold_at_fmr(impostor: Float, fmr: float, weights: Float | None = None) -> float:
    """The largest observed distance with FMR <= ``fmr``; NaN if not measurable.

    Where even the smallest distance is shared by too many pairs it is the next number below that, so that nothing is
    accepted.
    """
    weight = _weights(impostor, weights)
    drawn = weight > 0
    distances, weight = np.asarray(impostor, dtype=np.float64)[drawn], weight[drawn]
    total = float(weight.sum())
    if not measurable(total, fmr):
        return math.nan
    order = np.argsort(distances, kind="stable")
    return step_threshold(distances[order], np.cumsum(weight[order]), fmr * total)


def step_threshold(distances: Float, cumulative: Float, allowed: float) -> float:
    """From ascending distances (Q,) and cumulated weights: the largest distance that accepts at most ``allowed``."""
    # Ties go in together: only the last of equal distances shows what accepting them costs.
    last = np.append(distances[1:] > distances[:-1], True)
    steps, accepted = distances[last], cumulative[last]
    within = int(np.searchsorted(accepted, allowed * _SLACK, side="right")) - 1
    if within < 0 or accepted[within] <= 0:
        positive = int(np.argmax(accepted > 0))
        return float(np.nextafter(steps[positive], -math.inf))
    # Distances of weight 0 accept nothing more: they were not drawn, so they are not observed.
    return float(steps[int(np.searchsorted(accepted, accepted[within], side="left"))])


def measurable(impostor_weight: float, fmr: float) -> bool:
    """Whether the impostor pairs weigh at least 1/``fmr`` in total."""
    return impostor_weight * fmr * _SLACK >= 1


def _rates(genuine: Float, impostor: Float, gw: Float | None, iw: Float | None) -> ErrorRates | None:
    pairs = PairDistances(np.asarray(genuine), np.asarray(impostor))
    return pairs.rates(_weights(genuine, gw), _weights(impostor, iw))


def _weights(distances: Float, weights: Float | None) -> Float:
    return np.ones(len(distances)) if weights is None else np.asarray(weights, dtype=np.float64)
