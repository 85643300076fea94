"""The release-only attack: somebody who has no photo of anybody, only what was released, links its faces to each other.

By what they are compared is in `metrics.privacy.channels`. Only faces of labelled people are asked about, since only of
those it is known whose photos belong together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.linking import RandIndex, joined, pseudonymous, pure, pure_by_chance
from unmask.bench.core.stats.resampling import STATISTIC_REPLICATES, ClusterResamples, replicate_statistic
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import Estimate, Finding, SetStatistic, UnitValues
from unmask.metrics.privacy.attack import Ints
from unmask.metrics.privacy.channels import ONE_DRAW, Channel, channels, one_draw_channels
from unmask.metrics.privacy.face_pairs import genuine_photo_pairs, impostor_pairs
from unmask.metrics.privacy.strangers import strangers
from unmask.metrics.privacy.verification import TAR_FMRS, Pairs, VerificationAttack

MOST_FACES: Final = 4_000
"""Of labelled people that are clustered; of more, whole people are drawn with the run's seed."""
LEAST_PEOPLE: Final = 2
"""With two photos; below it nothing can be linked, or told from chance."""


def released_pairs(evidence: Evidence) -> Pairs:
    """Pairs of released faces in two photos, of people with two or more labelled photos. The same for every method and
    channel; nobody is eligible with fewer than `LEAST_PEOPLE` such people."""
    n = len(evidence.faces)
    first, second = genuine_photo_pairs(evidence)
    if len(np.unique(evidence.truth.identity[first])) < LEAST_PEOPLE:
        first = second = first[:0]
    i, j = np.concatenate([first, second]), np.concatenate([second, first])
    partners = np.bincount(i, minlength=n)
    faces, sample = np.flatnonzero(partners), evidence.faces.sample
    apart = strangers(evidence).different[np.ix_(faces, faces)] & (sample[faces, None] != sample[None, faces])
    a, b = impostor_pairs(apart, evidence.settings.seed, evidence.dataset)
    # Released faces are compared both ways alike: each pair once.
    pairs = np.unique(np.stack([np.minimum(a, b), np.maximum(a, b)]), axis=1)
    return Pairs(i, j, 1 / partners[i], faces[pairs[0]], faces[pairs[1]], partners > 0)


def clustered(evidence: Evidence) -> tuple[Ints, Bools]:
    """(N,) a number for each labelled person, and which faces are clustered: all of labelled people up to `MOST_FACES`,
    of more those of people drawn with the run's seed."""
    names, person = np.unique(evidence.truth.identity, return_inverse=True)
    labelled = np.asarray(evidence.truth.identity != "", np.bool_)
    photos = genuine_photo_pairs(evidence)[0]
    if len(np.unique(person[photos])) < LEAST_PEOPLE:
        return person.astype(np.int64), np.zeros(len(labelled), np.bool_)
    rng = np.random.default_rng(derive_seed(evidence.settings.seed, "clustered", evidence.dataset))
    drawn = rng.permutation(len(names))
    counts = np.bincount(person[labelled], minlength=len(names))[drawn]
    kept = drawn[np.cumsum(counts) <= MOST_FACES]
    return person.astype(np.int64), labelled & np.isin(person, kept)


_RATE: Final = partial(MetricCard, version="1", family="privacy", unit="share", bounds=(0.0, 1.0))
_KNOWS: Final = "The attacker has no photo of anybody, only the release. "
_CHANNEL: Final = (
    "Distance of two released faces: by a recogniser, the cosine distance of its readings (the face found again, else "
    "the crop at the original's landmarks); by photometric, surroundings and geometry, the root of the mean square "
    "difference of numbers less their median and over their middle half's spread in this release, at most 5 either way "
    "(geometry: width, height, their ratio and eye distance as logarithms, tilt, centre x and y of the five landmarks "
    "found again, else of the original's). Of errors the original is released; of destroyed faces of which a "
    "recogniser reads nothing the distance to all is the largest. "
    "In an audit recognisers also compare (+one-draw) what the method makes with one draw for all photos of a person, "
    "the first that a photo labels. Methods whose outputs are the same under two seeds draw nothing: for them both are "
    "one regime, not run twice. "
)
_PAIRS: Final = (
    "Pairs of released faces in two photos, of people with two or more labelled photos: of one person genuine (each "
    "face weighs the same, however many photos its person has), of two people impostor pairs (up to 100,000 drawings "
    "but at least 20 a face with the run's seed, each pair once; copies of one photo left out). Not measured with "
    "fewer than two such people. Interval: bootstrap over people; a pair weighs the product of its people's draws. "
)
_CLUSTERS: Final = (
    "All released faces of labelled people (of more than 4,000 those of people drawn with the run's seed), joined by "
    "average linkage. Distances are rounded to 6 decimals and equal ones never split. Faces that are gone are each "
    "a cluster of their own. Not measured with fewer than two people with two photos. "
)
_TRUE: Final = "Cut at the true number of people, which an attacker hardly knows: the most that this attack can do. "
_CHOSEN: Final = (
    "Cut where the mean silhouette is largest, of 16 numbers from 2 to one less than there are faces in equal steps of "
    "their logarithm; one cluster where none is above 0. "
)
_FIXED: Final = "Interval: bootstrap over people, the clusters fixed"
_PLACE: Final = (
    "Photos of one session share light, camera and clothes, which links them whoever is in them: read it beside the "
    "control. That the attacker knows where a face was that is not found again is assumed. Faces at places where the "
    "original has none are not looked at. Of photos only. "
)
_NUMBER: Final = f"{_PLACE}Depends on how many people and photos there are: compare within one data set only. "
_LINKING: Final = "Gomez-Barrero et al. 2018 (linkability of protected templates); ISO/IEC 24745 (unlinkability)"


def _cluster_cards(suffix: str, cut: str, title: str, whose: str) -> Iterator[MetricCard]:
    varies = "That other people would give another number is not in the interval." if suffix else ""
    yield MetricCard(
        name=f"release_ari{suffix}",
        version="1",
        family="privacy",
        direction="lower",
        unit="ARI",
        bounds=(-0.5, 1.0),
        title=f"Clusters are people{title}",
        question=f"How well do clusters of the released faces agree with the people, {whose}?",
        how=f"{_KNOWS}{_CLUSTERS}{cut}Adjusted Rand index of clusters and people: 1 = exactly the people. {_CHANNEL}"
        f"{_FIXED}; two faces of one person weigh as often as it is drawn, two of different people the product. "
        "Chance = 0.",
        source="Hubert and Arabie, J. Classification 2, 1985",
        limits=f"{_NUMBER}{varies}",
    )
    yield _RATE(
        name=f"release_purity{suffix}",
        direction="lower",
        title=f"Purity of clusters{title}",
        question=f"How many released faces lie in a cluster of mostly their own person, {whose}?",
        how=f"{_KNOWS}{_CLUSTERS}{cut}Share of faces that belong to the commonest person of their cluster. {_CHANNEL}"
        f"{_FIXED}. Chance = the same with people dealt blindly over the same clusters, mean of 20 permutations.",
        source="Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, section 16.3",
        limits="High by chance where clusters are small: read it against its chance, and the adjusted Rand index "
        f"first. {_NUMBER}{varies}",
    )


class ReleaseOnly:
    """`release_*`: pairs and clusters of released faces, by every channel. Asked for by name only."""

    default: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("role:recogniser", "role:photometry", "yunet")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="release_auc",
            version="1",
            family="privacy",
            direction="lower",
            unit="AUC",
            bounds=(0.5, 1.0),
            title="Released faces linked (AUC)",
            question="How often are two released faces of one person more alike than two of different people?",
            how=f"{_KNOWS}{_PAIRS}Area under the ROC curve, equal distances counting half. Below 0.5 faces of one "
            "person lie farther apart than those of two; an attacker then turns the rule round, so 1 - AUC is printed, "
            "and an interval that holds 0.5 begins there; where nothing is linked the number is therefore a little "
            f"above 0.5. {_CHANNEL}Chance = 0.5.",
            source=f"Hanley and McNeil, Radiology 143, 1982; {_LINKING}",
            limits=_PLACE,
        ),
        _RATE(
            name="release_eer",
            direction="higher",
            title="Equal error rate among released faces",
            question="How often does somebody err who links released faces as often falsely as they miss?",
            how=f"{_KNOWS}{_PAIRS}Where FMR equals FNMR, on the straight line between neighbouring thresholds; above "
            f"0.5, 1 - EER is printed. {_CHANNEL}Chance = 0.5.",
            source=f"ISO/IEC 19795-1; {_LINKING}",
            limits=_PLACE,
        ),
        *(
            _RATE(
                name=f"release_tar@{label}",
                direction="lower",
                title=f"Released faces linked (FMR {label})",
                question="How many pairs of released faces of one person are linked where of pairs of different people "
                f"at most {label} are?",
                how=f"{_KNOWS}{_PAIRS}The threshold is the largest impostor distance of this very release at which at "
                f"most {label} of the impostor pairs are linked. Not measured with fewer than {round(1 / fmr)} "
                f"impostor pairs. {_CHANNEL}Chance = FMR.",
                source=f"ISO/IEC 19795-1; {_LINKING}",
                limits=_PLACE,
            )
            for label, fmr in TAR_FMRS.items()
        ),
        *_cluster_cards("", _TRUE, "", "if their number is known"),
        *_cluster_cards("_chosen", _CHOSEN, ", number guessed", "if their number is guessed"),
        MetricCard(
            name="release_clusters_chosen",
            version="1",
            family="privacy",
            direction="none",
            unit="times",
            bounds=(0.0, None),
            title="Clusters guessed per person",
            question="How many clusters does the attacker see for each person?",
            how=f"{_KNOWS}{_CLUSTERS}{_CHOSEN}Number of clusters over the number of people. {_CHANNEL}No interval.",
            source="Rousseeuw, J. Comp. Appl. Math. 20, 1987 (silhouettes)",
            limits=f"The right number alone links nobody. {_NUMBER}",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Finding]:
        """Nine items for every channel; none of clips, whose frames show who is who by themselves."""
        if len(evidence.clips):
            return
        pairs, seed = released_pairs(evidence), evidence.settings.seed
        person, eligible = clustered(evidence)
        linked: dict[str, Estimate] = {}
        for channel in (*channels(evidence), *one_draw_channels(evidence)):
            auc, *others = _pair_statistics(channel, pairs)
            yield from (auc, *others)
            if evidence.audit and evidence.audit.one_draw:
                resamples = ClusterResamples(evidence.faces.cluster, STATISTIC_REPLICATES, seed)
                linked[channel.name] = estimates(replicate_statistic(auc, resamples))[0]
            yield from _cluster_statistics(channel, person, eligible, seed)
        yield from _regimes(linked)


def _regimes(linked: Mapping[str, Estimate]) -> Iterator[Finding]:
    """``linked``: channel -> AUC among released pairs."""
    names = [name.removesuffix(ONE_DRAW) for name in linked if name.endswith(ONE_DRAW)]
    verdicts = {name: pseudonymous(linked[f"{name}{ONE_DRAW}"], linked[name]) for name in names}
    only = [name for name, verdict in verdicts.items() if verdict.kind == "pseudonymous"]
    if only:
        text = f"{len(only)} of {len(names)} recognisers, {only[0]} first: {verdicts[only[0]].text}"
        yield Finding("pseudonymous", len(only), len(names), text)


def _pair_statistics(channel: Channel, pairs: Pairs) -> Iterator[SetStatistic]:
    verifier = VerificationAttack(channel.distances, pairs)
    rate: Callable[..., SetStatistic] = partial(
        SetStatistic, instrument=channel.name, scored=verifier.scored, eligible=pairs.eligible, share=True
    )
    yield rate("release_auc", compute=partial(verifier.rate, "auc"), chance=0.5, magnitude=True, centre=0.5)
    for name, chance in {"eer": 0.5, **{f"tar@{label}": fmr for label, fmr in TAR_FMRS.items()}}.items():
        yield rate(f"release_{name}", compute=partial(verifier.rate, name), chance=chance)


def _cluster_statistics(
    channel: Channel, person: Ints, eligible: Bools, seed: int
) -> Iterator[UnitValues | SetStatistic]:
    """``person``: (N,) a number for each; ``eligible``: (N,) faces that are clustered."""
    scored: Bools = eligible & (channel.readable | channel.gone)
    faces = np.flatnonzero(scored)
    read = ~channel.gone[faces]
    tree = joined(channel.matrix(faces[read]))
    number = len(np.unique(person[faces]))
    for suffix, among in (("", tree.cut(number)), ("_chosen", tree.chosen())):
        # What cannot be read is linked to nothing.
        cluster = np.full(len(person), among.max(initial=-1) + 1 + np.arange(len(person)))
        cluster[faces[read]] = among
        yield SetStatistic(
            f"release_ari{suffix}",
            channel.name,
            RandIndex(person, cluster),
            scored,
            eligible=eligible,
            chance=0.0,
            share=True,
        )
        rng = np.random.default_rng(derive_seed(seed, "purity"))
        values, chances = np.full(len(person), np.nan), np.full(len(person), np.nan)
        values[faces] = pure(person[faces], cluster[faces])
        chances[faces] = pure_by_chance(person[faces], cluster[faces], rng)
        yield UnitValues(
            f"release_purity{suffix}",
            channel.name,
            values,
            eligible=eligible,
            share=True,
            chance_values=chances,
        )
        if suffix:
            ratio = len(np.unique(cluster[faces])) / max(number, 1)
            yield SetStatistic(
                "release_clusters_chosen",
                channel.name,
                partial(_of_all, ratio, scored),
                scored,
                eligible=eligible,
                subgroups=False,
            )


def _of_all(value: float, scored: Bools, weights: Float) -> float:
    """A number of everybody, that is undefined for any others: it has no interval."""
    return value if scored.any() and np.array_equal(weights, scored) else math.nan
