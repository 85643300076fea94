"""How often outputs match strangers' originals, and by how much more often they match their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence, point_at
from unmask.bench.core.types import Float
from unmask.bench.core.values import Finding, UnitValues
from unmask.metrics.privacy.attack import CANDIDATES, attacks
from unmask.metrics.privacy.deid_rate import not_matched
from unmask.metrics.privacy.findings import findings
from unmask.metrics.privacy.strangers import MIN_PEOPLE, match_shares, strangers

FMR: Final = 1e-3
LABEL: Final = "1e-3"
ALL: Final = f"stranger_match@{LABEL}"
GROUP: Final = f"stranger_match_group@{LABEL}"
EXCESS: Final = f"excess_match@{LABEL}"

_OTHERS = (
    "Other people: everybody but those labelled as the same person; two originals that are one photo are left out, and "
    "so are unlabelled ones within 0.6 of every recogniser's distance at a false match rate of 1e-4. "
)
_FIXED = (
    "Interval: bootstrap over identities of the faces released, the originals compared with held fixed; its upper end "
    "allows for 3 pairs of people more than were matched (rule of three: no match among few pairs is no rate of 0). "
)
_SMALL = f"Faces of groups of fewer than {MIN_PEOPLE} people are unscored."


def _card(name: str, title: str, question: str, how: str, limits: str, **more: Any) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="privacy",
        title=title,
        question=question,
        how=f"{how}Candidates: {CANDIDATES} {_OTHERS}",
        source="ISO/IEC 19795-1 (false match rate), 19795-10 (by demographic group)",
        limits=limits,
        **{"direction": "none", "unit": "share", "bounds": (0.0, 1.0), **more},
    )


class StrangerMatch:
    """`stranger_match@1e-3`, `stranger_match_group@1e-3` and `excess_match@1e-3` for every attack, and what a reader
    must know before trusting any rate of privacy (`metrics.privacy.findings`)."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            ALL,
            f"Strangers matched (FMR {LABEL})",
            "How often does an output match the original of somebody else?",
            "For each face the share of other people's originals at or below the threshold from the nearest of its "
            f"candidates; mean over the faces. On the control this is the false match rate of this data set at the "
            f"threshold whose stated rate is {LABEL}. {_FIXED}",
            "Where nobody is labelled some repeats of one person are not found and count as strangers, which raises "
            "it slightly. Neither high nor low is better: it is what the rates of privacy have to be read against.",
        ),
        _card(
            GROUP,
            f"Strangers of the same age group and gender matched (FMR {LABEL})",
            "How often does an output match the original of somebody else of the same age group and gender?",
            "As stranger_match, among people of the same age group and gender (as labelled, or as estimated on the "
            f"originals where half of the faces are not labelled). {_SMALL} {_FIXED}",
            "Estimated groups have the estimator's errors. Age groups are wide: adults and children of one group "
            "differ as well.",
        ),
        _card(
            EXCESS,
            f"Own matches above chance (FMR {LABEL})",
            "By how much more often does an output match its own original than one of a stranger of the same age group "
            "and gender?",
            f"For each face: 1 if it matches its own original, else 0, minus the share of same-group strangers that it "
            f"matches (stranger_match_group@{LABEL}); mean over the faces. 0 = nothing of the person is left that this "
            f"recogniser tells from the group. {_SMALL} Interval as of deid_rate: over identities, and over the "
            "threshold's own interval. Chance = 0. ",
            "Says what is left of the person beyond the group, not how often a search succeeds (rank-k). A method that "
            "keeps more than the group, such as the exact age within 0-19, matches more often than the group does: "
            "part of the excess is then that, not the person.",
            direction="lower",
            unit="share difference",
            bounds=(-1.0, 1.0),
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | Finding]:
        """Three values a face and attack, then the findings."""
        others = strangers(evidence)
        people = len(np.unique(evidence.faces.cluster))
        unseen = 3 / max(people * (people - 1) / 2, 3)
        for attack in attacks(evidence):
            point = point_at(evidence.operating_points.get(attack.recogniser, ()), FMR)
            limits = [point.threshold, *(end for end in (point.low, point.high) if math.isfinite(end))]
            (everybody,) = match_shares(attack, others, limits[:1])
            group = match_shares(attack, others, limits, same_group=True)
            excess = [_excess(attack.own_distance, at, share) for at, share in zip(limits, group, strict=True)]
            yield UnitValues(ALL, attack.recogniser, everybody, alternatives=(everybody + unseen,))
            yield UnitValues(GROUP, attack.recogniser, group[0], alternatives=(group[0] + unseen,))
            yield UnitValues(
                EXCESS, attack.recogniser, excess[0], share=True, chance=0.0, alternatives=tuple(excess[1:])
            )
        yield from findings(evidence)


def _excess(own_distance: Float, threshold: float, strangers_matched: Float) -> Float:
    """(N,) -1..1; NaN where either is not measured."""
    excess: Float = 1 - not_matched(own_distance, threshold) - strangers_matched
    return np.asarray(excess)
