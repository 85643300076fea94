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

from unmask.bench.core.types import Float

_SLACK = 1 + 1e-12  # 0.001 * 3000 must not come out as 2.9999999


class PairDistances:
    """Genuine and impostor distances, sorted once, so that rates under new weights cost one pass over the pairs.

    ``genuine``: (P,), ``impostor``: (Q,); finite. Weights come in the same order; distances that ascend already save a
    gather each time.
    """

    def __init__(self, genuine: Float, impostor: Float) -> None:
        if not (np.isfinite(genuine).all() and np.isfinite(impostor).all()):
            raise ValueError("distances must be finite; leave out pairs that could not be measured")
        self._genuine_order, self.genuine = _ascending(genuine)
        self._impostor_order, self.impostor = _ascending(impostor)
        self.genuine_last = np.flatnonzero(np.append(self.genuine[1:] > self.genuine[:-1], [True] * (len(genuine) > 0)))
        """(K,) place of the last of each group of equal genuine distances."""
        steps = self.genuine[self.genuine_last]
        self.nearer = np.searchsorted(self.impostor, steps, "left")
        self.as_near = np.searchsorted(self.impostor, steps, "right")
        """(K,) impostor pairs below, and at or below, each of those distances."""

    def rates(self, genuine_weights: Float, impostor_weights: Float) -> ErrorRates | None:
        """The rates under weights (P,) and (Q,); ``None`` if either kind of pair has no weight at all."""
        genuine, impostor = (
            np.cumsum(weights if order is None else weights[order])
            for weights, order in ((genuine_weights, self._genuine_order), (impostor_weights, self._impostor_order))
        )
        if not len(genuine) or not len(impostor) or genuine[-1] <= 0 or impostor[-1] <= 0:
            return None
        return ErrorRates(self, genuine, impostor)


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Both error rates at every distance, under one set of weights."""

    pairs: PairDistances
    genuine: Float
    """(P,) weight of the genuine pairs up to each, by distance; the last is positive."""
    impostor: Float
    """(Q,) likewise."""

    def equal_error_rate(self) -> float:
        """Where FMR equals FNMR, on the straight line between the two steps around it."""
        fmr = self._fmr(self.pairs.as_near)
        fnmr = np.concatenate([[1.0], 1 - self.genuine[self.pairs.genuine_last] / self.genuine[-1]])
        crossed = int(np.argmax(fmr >= fnmr[1:]))
        before, start = float(fnmr[crossed]), float(self._fmr(self.pairs.nearer[crossed : crossed + 1])[0])
        if start >= before:  # between two genuine distances FNMR stands still: FMR passes it there
            return before
        gap_before, gap_after = before - start, float(fmr[crossed] - fnmr[crossed + 1])
        return start + gap_before / (gap_before + gap_after) * (float(fmr[crossed]) - start)

    def _fmr(self, accepted: NDArray[np.intp]) -> Float:
        """(K,) false match rates where so many impostor pairs are accepted."""
        weight = np.where(accepted > 0, self.impostor[np.maximum(accepted, 1) - 1], 0.0)
        return np.asarray(weight / self.impostor[-1])

    def true_accept_rate(self, fmr: float) -> float:
        """Share of genuine pairs, 0..1, accepted at the largest threshold whose FMR is not above ``fmr`` (0 if there is
        none); NaN where `measurable` says no."""
        if not measurable(float(self.impostor[-1]), fmr):
            return math.nan
        beyond = int(np.searchsorted(self.impostor, fmr * self.impostor[-1] * _SLACK, side="right"))
        if beyond == len(self.impostor):
            return 1.0
        nearer = int(np.searchsorted(self.pairs.genuine, self.pairs.impostor[beyond], side="left"))
        return float(self.genuine[nearer - 1] / self.genuine[-1]) if nearer else 0.0


def _ascending(distances: Float) -> tuple[NDArray[np.intp] | None, Float]:
    """What sorts them (``None`` = they ascend), and the distances sorted."""
    values = np.asarray(distances, dtype=np.float64)
    if (values[1:] >= values[:-1]).all():
        return None, values
    order = np.argsort(values, kind="stable")
    return order, values[order]


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
