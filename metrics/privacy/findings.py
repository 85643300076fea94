"""What a reader must know before trusting a method's rates of privacy: each counted, and said only beyond chance.

About the data set, said with a method that leaves every face as it is (the control):

- ``chance-off``: strangers are matched far more or less often than the thresholds promise;
- ``copies``: one photo under two names;
- ``likely-repeats``: unlabelled originals of which some look like one person.

About a method:

- ``matches-others``: outputs whose nearest original is another person's, nearer than the originals of two people are;
- ``one-face``: outputs that look like one and the same person;
- ``other-place``: faces that match what the output shows at another person's place in the photo;
- ``alike-yet-private``: faces that hardly change though recognisers lose the person, as adversarial cloaks do.

With several recognisers, more than half of those that can read a face must agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import scipy

from unmask.bench.core.evidence import Evidence, point_at
from unmask.bench.core.types import Bools, Float, Outcome, Strings
from unmask.bench.core.values import Finding
from unmask.metrics.privacy.attack import Attack, Ints, attacks, plain_attacks, unit_rows
from unmask.metrics.privacy.deid_rate import not_matched
from unmask.metrics.privacy.strangers import Strangers, match_shares, strangers

FMR: Final = 1e-3
NEAR_FMR: Final = 1e-4
OFF: Final = 2.0
"""A realised rate is far from the stated one where its whole interval lies beyond this factor of it."""
LOOKALIKES: Final = 0.01
"""Share of the originals that may have a stranger as near as what counts as matching others."""
SURE: Final = 1e-3
"""Significance of what is said about a method."""
ALIKE_SSIM: Final = 0.85
ALIKE_LPIPS: Final = 0.2
"""A face is alike at or above this SSIM and at or below this LPIPS of the face, where these are measured."""
ALIKE_SHARE: Final = 0.05
"""Share of the changed faces below which alike and private ones are not mentioned."""
NAMED: Final = 3
"""Pairs of copies that are named."""


def findings(evidence: Evidence) -> Iterator[Finding]:
    """Those that hold for one method on one data set."""
    others = strangers(evidence)
    if len(evidence.outcome) and (evidence.outcome == Outcome.MISSED.value).all():
        yield from _of_the_data(evidence, others)
        return
    yield from _matches_others(evidence, others)
    yield from _one_face(evidence, others)
    yield from _other_place(evidence, others)
    yield from _alike_yet_private(evidence)


def _of_the_data(evidence: Evidence, others: Strangers) -> Iterator[Finding]:
    yield from _chance_off(evidence, others)
    if len(others.copies):
        pairs = ", ".join(f"{evidence.faces.id[a]} = {evidence.faces.id[b]}" for a, b in others.copies[:NAMED])
        more = f" and {len(others.copies) - NAMED:,} more" if len(others.copies) > NAMED else ""
        faces = len(np.unique(others.copies))
        text = (
            f"{faces:,} of {len(evidence.faces):,} faces are in the set twice, as the same or nearly the same photo "
            f"under two names ({pairs}{more}); these pairs do not count as two people"
        )
        yield Finding("copies", faces, len(evidence.faces), text)
    unlabelled = int((evidence.truth.identity == "").sum())
    if others.repeats:
        text = (
            f"{unlabelled:,} of {len(evidence.faces):,} faces have no name; pairs of them that all recognisers "
            f"clearly take for one person ({others.repeats:,}) do not count as two people, other repeats of a person do"
        )
        yield Finding("likely-repeats", unlabelled, len(evidence.faces), text)


def _chance_off(evidence: Evidence, others: Strangers) -> Iterator[Finding]:
    calibrated, off = _calibrated(evidence, attacks(evidence), FMR), []
    for attack, threshold in calibrated:
        (share,) = match_shares(attack, others, [threshold])
        rate, low, high = realised_rate(share, evidence.faces.cluster)
        if low > OFF * FMR or high < FMR / OFF:
            (group,) = match_shares(attack, others, [threshold], same_group=True)
            alike = group[np.isfinite(group)]
            in_group = f", {100 * alike.mean():.3g} % in the same age group and gender" if len(alike) else ""
            off.append(f"{attack.recogniser} {100 * rate:.3g} % ({100 * low:.3g} to {100 * high:.3g}){in_group}")
    if off:
        labelled = bool((evidence.truth.identity != "").any())
        pairs = "two people" if labelled else "two faces that may be of one person, since nobody is named,"
        text = (
            f"{len(off)} of {len(calibrated)} attacks match originals of {pairs} at another rate than the stated "
            f"{100 * FMR:g} %: {'; '.join(off)}. Read the rates of privacy against the measured chance"
        )
        yield Finding("chance-off", len(off), len(calibrated), text)


def realised_rate(share: Float, cluster: Ints) -> tuple[float, float, float]:
    """Mean of (N,) shares of strangers matched among originals, with a 95 % interval over people.

    A pair depends on both of its people, so the standard error is twice that of a mean of independent shares
    (Hoeffding, The Annals of Mathematical Statistics 19, 1948: variance of a U-statistic of two arguments). The upper
    end is at least that of 3 matches more than there are (the rule of three). NaN where nobody can be compared.
    """
    scored = np.isfinite(share)
    people, code = np.unique(cluster[scored], return_inverse=True)
    if len(people) < 2:
        return math.nan, math.nan, math.nan
    rate = float(share[scored].mean())
    off = np.bincount(code, weights=share[scored] - rate)
    error = 2 * math.sqrt(float((off**2).sum()) * len(people) / (len(people) - 1)) / int(scored.sum())
    reach = float(scipy.stats.t.ppf(0.975, len(people) - 1)) * error
    pairs = len(people) * (len(people) - 1) / 2
    return rate, max(rate - reach, 0.0), min(max(rate + reach, rate + 3 / pairs), 1.0)


def _matches_others(evidence: Evidence, others: Strangers) -> Iterator[Finding]:
    before, after = [], []
    for attack in plain_attacks(evidence):
        unprotected = _nearest_stranger(_originals(attack), others)
        released = _nearest_stranger(attack, others)
        limit = _lookalike_limit(evidence, attack, unprotected)
        able = np.isfinite(released) & np.isfinite(unprotected)
        after.append(np.where(able, (released <= limit) & (released < attack.own_distance), np.nan))
        before.append(np.where(able, unprotected <= limit, np.nan))
    matched, readable = _agreed(after, len(evidence.faces))
    count, many, usual = (int(which.sum()) for which in (matched, readable, _agreed(before, len(readable))[0]))
    table = np.array([[count, many - count], [usual, many - usual]])
    if count > usual and scipy.stats.fisher_exact(table, "greater").pvalue < SURE:
        text = (
            f"{count:,} of {many:,} outputs match another person of the set; of the originals {usual:,} come as near "
            "to somebody else's"
        )
        yield Finding("matches-others", count, many, text)


def _originals(attack: Attack) -> Attack:
    """The same recogniser against unprotected photos."""
    nothing = np.zeros(len(attack.original), dtype=np.bool_)
    readable = np.flatnonzero(attack.readable)
    return Attack(attack.recogniser, attack.original, attack.original[readable], readable, nothing, nothing)


def _nearest_stranger(attack: Attack, others: Strangers) -> Float:
    """(N,) distance to the nearest original of another person; NaN = unscored."""
    nearest = np.full(len(attack.original), np.nan)
    for rows, distance in attack.blocks():
        usable = others.different[rows] & np.isfinite(distance)
        nearest[rows] = np.where(usable.any(axis=1), np.where(usable, distance, np.inf).min(axis=1), np.nan)
    return nearest


def _lookalike_limit(evidence: Evidence, attack: Attack, unprotected: Float) -> float:
    """The threshold at a false match rate of 1e-4, or the smaller distance that `LOOKALIKES` of the originals come
    within of a stranger's."""
    ascending = np.sort(unprotected[np.isfinite(unprotected)])
    if not len(ascending):
        return math.nan
    rank = int(LOOKALIKES * len(ascending))
    threshold = point_at(evidence.operating_points.get(attack.recogniser, ()), NEAR_FMR).threshold
    limit = float(ascending[rank]) - 2e-6
    return min(limit, threshold) if math.isfinite(threshold) else limit


def _one_face(evidence: Evidence, others: Strangers) -> Iterator[Finding]:
    changed = np.flatnonzero(evidence.outcome == Outcome.ANONYMIZED.value)
    apart = others.different[np.ix_(changed, changed)]
    answers = []
    for attack, threshold in _calibrated(evidence, plain_attacks(evidence), FMR):
        rows = unit_rows(evidence.anonymized[attack.recogniser]["embedding"][changed])
        with np.errstate(invalid="ignore"):
            distance = 1 - rows @ rows.T
        pairs = apart & np.isfinite(distance)
        alike = ((distance <= threshold) & pairs).sum(axis=1) > pairs.sum(axis=1) / 2
        answers.append(np.where(pairs.any(axis=1), alike, np.nan))
    count, many = (int(which.sum()) for which in _agreed(answers, len(changed)))
    if many > 2 and count > many / 2:
        text = f"{count:,} of {many:,} outputs look like one and the same person"
        yield Finding("one-face", count, many, text)


def _other_place(evidence: Evidence, others: Strangers) -> Iterator[Finding]:
    i, j = _companions(evidence.faces.sample)
    i, j = i[others.different[i, j]], j[others.different[i, j]]
    answers = []
    for attack, threshold in _calibrated(evidence, plain_attacks(evidence), NEAR_FMR):
        name = attack.recogniser
        original = unit_rows(evidence.original[name]["embedding"])
        output = unit_rows(evidence.anonymized[name]["embedding"])
        usual = point_at(evidence.operating_points[name], FMR).threshold
        moved, before = (
            np.asarray(1 - np.einsum("pd,pd->p", original[i], rows[j]), np.float64) for rows in (output, original)
        )
        answers.append(np.where(np.isfinite(moved), (moved <= threshold) & ~(before <= usual), np.nan))
    again, readable = _agreed(answers, len(i))
    matched, many, pairs = np.unique(i[again]), len(np.unique(i[readable])), int(readable.sum())
    if len(matched) and scipy.stats.poisson.sf(len(matched) - 1, pairs * FMR) < SURE:
        text = f"{len(matched):,} of {many:,} faces match what the output shows at another person's place in the photo"
        yield Finding("other-place", len(matched), many, text)


def _companions(samples: Strings) -> tuple[Ints, Ints]:
    """(i, j): every two different faces of one image, both ways round."""
    order = np.argsort(samples, kind="stable")
    images = np.split(order, np.flatnonzero(samples[order][1:] != samples[order][:-1]) + 1)
    pairs = np.array([(a, b) for faces in images for a in faces for b in faces if a != b], np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _alike_yet_private(evidence: Evidence) -> Iterator[Finding]:
    readings = evidence.pairs.get("face", {})
    changed = evidence.outcome == Outcome.ANONYMIZED.value
    ssim = readings.get("pixels", {}).get("ssim|standard")
    lpips = readings.get("lpips-alex", {}).get("lpips_alex|standard")
    calibrated = _calibrated(evidence, plain_attacks(evidence), FMR)
    private, readable = _agreed((not_matched(attack.own_distance, at) for attack, at in calibrated), len(changed))
    flagged, measured = private, readable & changed & (ssim is not None or lpips is not None)
    if ssim is not None:
        measured &= np.isfinite(ssim)
        flagged &= ssim >= ALIKE_SSIM
    if lpips is not None:
        measured &= np.isfinite(lpips)
        flagged &= lpips <= ALIKE_LPIPS
    count, many = int((measured & flagged).sum()), int(measured.sum())
    if count and count >= ALIKE_SHARE * many:
        text = (
            f"{count:,} of {many:,} changed faces look almost as before (SSIM of {ALIKE_SSIM} or more, LPIPS of "
            f"{ALIKE_LPIPS} or less) though most recognisers no longer match them: a person, or a recogniser that was "
            "not tried, may see no difference"
        )
        yield Finding("alike-yet-private", count, many, text)


def _agreed(answers: Iterable[Float], count: int) -> tuple[Bools, Bools]:
    """(N,) whether more than half of the recognisers that can say (1 yes, 0 no, NaN) say yes, and whether any can."""
    table = np.vstack([np.full(count, np.nan), *answers])
    readable = np.isfinite(table).sum(axis=0)
    return np.nansum(table, axis=0) > readable / 2, readable > 0


def _calibrated(evidence: Evidence, tried: Sequence[Attack], fmr: float) -> list[tuple[Attack, float]]:
    """Those with a threshold for ``fmr``, and that threshold."""
    points = [(attack, point_at(evidence.operating_points.get(attack.recogniser, ()), fmr)) for attack in tried]
    return [(attack, point.threshold) for attack, point in points if math.isfinite(point.threshold)]
