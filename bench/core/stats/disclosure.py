"""ZEBRA: how much a comparison discloses about whether two faces are of one person.

Nautsch, Patino, Tomashenko, Yamagishi, Noe, Bonastre, Todisco and Evans, The Privacy ZEBRA: Zero Evidence Biometric
Recognition Assessment, Interspeech 2020. Scores become log-likelihood ratios (LLR) by the best monotone calibration of
these very comparisons (pool adjacent violators, PAV; scores that are equal are pooled first). Then

- expected disclosure (the population's; section 3.1): the area between the prior's entropy and the empirical
  cross-entropy over all priors. 0 = nothing is told whatever the prior, 1 / log 4 = 0.721 bit = everything;
- worst-case disclosure (the individual's; section 3.2): the largest absolute LLR, in decades (base 10), of a PAV with
  one comparison of each kind added at either end (Laplace's rule), which keeps it finite. Its letter: 0 = none, A up to
  1, B up to 2, C up to 4, D up to 5, E up to 6, F above, as in the authors' code.

The calibration is fitted to the comparisons that it is then measured on, so that noise alone discloses something: read
the expected disclosure beside its floor (`histograms.ScoreHistograms.shuffled`, `trust.permuted_floor`), and resample
it by the jackknife, since repeated people would add to it. The worst case is a maximum: it has no interval, but a
largest value that so many comparisons can show (about the number of impostor comparisons), which grows with them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from unmask.bench.core.stats.histograms import ScoreHistograms
from unmask.bench.core.types import Float

MOST_BITS: Final = 1 / math.log(4)
"""Expected disclosure where every comparison is told apart."""
_TAGS: Final = (("A", 1.0), ("B", 2.0), ("C", 4.0), ("D", 5.0), ("E", 6.0))


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The strongest evidence that one comparison gives."""

    decades: float
    """log10 of the likelihood ratio, in the direction in which it is larger; NaN = no comparison of a kind."""
    tag: str
    """``0``, ``A`` ... ``F``; '' = not measured."""
    limit: float
    """The most that so many comparisons can show, in decades: reached where all are told apart."""
    limit_tag: str


def evidence_tag(decades: float) -> str:
    """The letter of an absolute log10 likelihood ratio; '' for NaN."""
    if math.isnan(decades):
        return ""
    if decades <= np.finfo(np.float64).eps:
        return "0"
    return next((tag for tag, end in _TAGS if decades <= end), "F")


def log_likelihood_ratios(genuine: Float, impostor: Float, laplace: bool = False) -> Float:
    """(B,) natural-log likelihood ratios by PAV for (B,) weighted counts of comparisons in ascending order of score.

    NaN where a bin holds nothing; -inf and inf can occur unless ``laplace``, which adds a genuine and an impostor
    comparison at either end. All NaN where either kind has no weight.
    """
    from scipy.optimize import isotonic_regression  # takes a fifth of a second

    ratios = np.full(len(genuine), np.nan)
    total, others = float(genuine.sum()), float(impostor.sum())
    if total <= 0 or others <= 0:
        return ratios
    used = genuine + impostor > 0
    weight = (genuine + impostor)[used]
    share = genuine[used] / weight
    if laplace:
        share, weight = np.concatenate([[1, 0], share, [1, 0]]), np.concatenate([[1, 1], weight, [1, 1]])
    posterior = np.clip(isotonic_regression(share, weights=weight).x, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        odds = np.log(posterior) - np.log1p(-posterior)
    ratios[used] = (odds[2:-2] if laplace else odds) - math.log(total / others)
    return ratios


def expected_disclosure(histograms: ScoreHistograms, weights: Float | None = None) -> Float:
    """(...) expected disclosure in bits, 0..0.721, under (..., P) weights of people; NaN = no comparison of a kind."""
    genuine, impostor = histograms.totals(weights)
    bins = genuine.shape[-1]
    rows = zip(genuine.reshape(-1, bins), impostor.reshape(-1, bins), strict=True)
    return np.array([_expected(own, other) for own, other in rows]).reshape(genuine.shape[:-1])


def worst_disclosure(histograms: ScoreHistograms) -> WorstCase:
    """The worst case over all comparisons."""
    return _worst(*histograms.totals())


def disclosure_of_scores(genuine: Float, impostor: Float) -> tuple[float, WorstCase]:
    """Expected disclosure in bits and the worst case, exactly, from (N,) and (M,) scores, none NaN."""
    scores, at = np.unique(np.concatenate([genuine, impostor]), return_inverse=True)
    counts = [
        np.bincount(part, minlength=len(scores)).astype(np.float64) for part in (at[: len(genuine)], at[len(genuine) :])
    ]
    return _expected(counts[0], counts[1]), _worst(counts[0], counts[1])


def _expected(genuine: Float, impostor: Float) -> float:
    ratios = log_likelihood_ratios(genuine, impostor)
    if np.isnan(ratios).all():
        return math.nan
    own, other = genuine > 0, impostor > 0
    for_genuine = genuine[own] @ _disclosed(ratios[own]) / genuine.sum()
    for_impostor = impostor[other] @ _disclosed(-ratios[other]) / impostor.sum()
    # PAV of equal distributions leaves rounding, which may be negative.
    return max(float(for_genuine + for_impostor) / math.log(2), 0.0)


def _disclosed(ratio: Float) -> Float:
    """1/4 + (a - b) / (2 b^2), a = the LLR in the comparison's own favour, b = e^a - 1: the area in nats."""
    a = np.clip(ratio, None, 300.0)  # Beyond e^300 the second term is 0 in floating point, as it is at infinity.
    b = np.expm1(a)
    flat = np.abs(a) <= 1e-6
    b_safe = np.where(flat, 1.0, b)
    return 0.25 + np.where(flat, -0.5, (a - b_safe) / b_safe**2) / 2


def _worst(genuine: Float, impostor: Float) -> WorstCase:
    ratios = log_likelihood_ratios(genuine, impostor, laplace=True)
    if np.isnan(ratios).all():
        return WorstCase(math.nan, "", math.nan, "")
    worst = float(np.nanmax(np.abs(ratios))) / math.log(10)
    own, other = float(genuine.sum()), float(impostor.sum())
    limit = math.log10(max((own + 1) * other / own, (other + 1) * own / other))
    return WorstCase(worst, evidence_tag(worst), limit, evidence_tag(limit))
