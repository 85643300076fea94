"""What the numbers of the privacy audit are (`audit`)."""

from __future__ import annotations

from functools import partial
from typing import Final

from unmask.bench.core.cards import MetricCard
from unmask.metrics.privacy.trials import FMRS, LEAST_PAIRS

RANKS: Final = (1, 5, 10)
PERSON: Final = "attack_rank1_person"
FPIR: Final = 0.1
_ATTACK: Final = (
    "An attacker who has the method (its card says what it learns, from background people who are not tested) "
    "searches each released face among all people of the data set, each at the entry that is most alike, its own photo "
    "left out; by each recogniser, and by all of them fused with weights from background people. "
)
_JUDGED: Final = (
    " Not printed where the attack may not be believed: it fails on un-anonymized photos, learned nothing, or does "
    "worse than the recogniser alone."
)
_CARD = partial(MetricCard, version="1", family="audit", direction="lower", unit="share", bounds=(0.0, 1.0))


def _rank_card(k: int) -> MetricCard:
    return _CARD(
        name=f"attack_rank{k}",
        title=f"Named {'first' if k == 1 else f'among {k}'}",
        question=f"How often is the right person among the {k} most alike, to an attacker who knows the method?",
        how=f"{_ATTACK}The share of searches whose right person is among the first {k}; ties are broken by chance. "
        f"Of an attacker into which chance enters that is the training which names most of the people tested, which "
        f"flatters it a little. ``worst``: the strongest attack that may be believed, each training one of its own, "
        f"chosen on one half of the people and measured on the other, ten halvings, both ways. Interval: bootstrap "
        f"over people.{_JUDGED}",
        source="ISO/IEC 19795-1 (closed-set identification); Srivastava et al. 2020 (attackers by what they know)",
        limits="Depends on the number of people searched: compare within one data set only. The attackers are those "
        "that were tried; a better one may exist.",
        headline=19 if k == 1 else None,
    )


def _tar_card(label: str) -> MetricCard:
    return _CARD(
        name=f"attack_tar@{label}",
        title=f"Verified by an informed attacker (FMR {label})",
        question=f"How many pairs of one person does an attacker who knows the method accept at FMR {label}?",
        how=f"{_ATTACK}The share of each face's pairs with other photos of the person whose score is at or above a "
        f"threshold, each face once. The threshold is of background people that the attacker was not fitted on (five "
        f"folds by person), at least {LEAST_PAIRS[label]:,} impostor pairs, else it is not measured.{_JUDGED}",
        source="ISO/IEC 19795-1 (TAR = 1 - FNMR)",
        limits="The threshold of a released gallery is of pairs under one seed.",
    )


CARDS: Final = (
    *(_rank_card(k) for k in RANKS),
    _CARD(
        name=PERSON,
        title="Named by all photos together",
        question="How often is the right person named by who holds all released photos of somebody?",
        how=f"{_ATTACK}The released faces of one person are searched together, each gallery person at the best score "
        f"over all of them; no face meets the photo that it was released from. The share of people who come first. "
        f"One photo that was released as it was names its person. Interval: bootstrap over people.{_JUDGED}",
        source="unmask; the maximum rule of score fusion (ISO/IEC TR 24722)",
        limits="The attacker is told which released faces are of one person. People with many photos are easier.",
    ),
    _CARD(
        name="residual_risk",
        title="Residual risk",
        unit="ratio",
        bounds=(None, None),
        question="How far does the strongest attack come from guessing to naming everybody that can be named?",
        how="(attack - floor) / (ceiling - floor) of the share named first: the floor is the same attack with permuted "
        "labels, before the strongest is chosen; the ceiling is the strongest attack on un-anonymized photos. 0 = as "
        "good as guessing, 1 = as if nothing had been done; as it comes, below 0 and above 1 too.",
        source="unmask; in the spirit of Gomez-Barrero et al. 2018 and Nautsch et al. 2020",
        limits="Holds for the attackers that were tried and for galleries of this size.",
        headline=18,
    ),
    *(_tar_card(label) for label in FMRS),
    _CARD(
        name="attack_eer",
        direction="higher",
        title="Equal error rate of an informed attacker",
        question="How often does a verifier who knows the method err?",
        how=f"{_ATTACK}FMR = FNMR over the comparisons of photos, from histograms of 0.01 in score.{_JUDGED}",
        source="ISO/IEC 19795-1",
        limits="One operating point far from those in use.",
    ),
    _CARD(
        name="attack_fnir",
        direction="higher",
        title=f"Missed in an open search (FPIR {FPIR:g})",
        question="How often does an attacker miss somebody without knowing whether they are in the gallery at all?",
        how=f"{_ATTACK}FNIR at the lowest threshold at which at most {FPIR:.0%} of searches of somebody who is not "
        f"in the gallery return anybody.{_JUDGED}",
        source="ISO/IEC 19795-1 (open-set identification)",
        limits="The threshold is of these very searches.",
    ),
    _CARD(
        name="linkability",
        title="Linkability D_sys, as published",
        question="How sure can an attacker be that two faces belong to one person?",
        how=f"{_ATTACK}D_sys of mated and non-mated scores by histograms, prior ratio 1.{_JUDGED}",
        source="Gomez-Barrero, Galbally, Rathgeb, Busch: IEEE TIFS 13(6), 2018, eq. 7 to 10",
        limits="Biased upwards with few comparisons: read the cross-fitted estimate beside it.",
    ),
    _CARD(
        name="linkability_crossed",
        title="Linkability D_sys, cross-fitted",
        unit="ratio",
        bounds=(None, 1.0),
        question="The same without the luck of small samples?",
        how=f"{_ATTACK}Densities from one half of the people, the measure averaged over the other, ten halvings, both "
        f"ways. Interval: jackknife over people.{_JUDGED}",
        source="unmask, after Gomez-Barrero et al. 2018",
        limits="May be slightly below 0.",
    ),
    _CARD(
        name="disclosure_expected",
        title="Expected disclosure (ZEBRA)",
        unit="bits",
        bounds=(0.0, None),
        question="How much does a comparison tell an attacker on average?",
        how=f"{_ATTACK}Expected privacy disclosure from PAV-calibrated log-likelihood ratios, 0 to 0.72 bits; the "
        f"worst case and its tag stand on the page of the attackers.{_JUDGED}",
        source="Nautsch et al.: The Privacy ZEBRA, Interspeech 2020",
        limits="PAV on few comparisons flatters the attacker slightly.",
    ),
)
