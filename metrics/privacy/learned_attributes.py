"""What a classifier reads of somebody's gender, age, race and skin tone that was trained on released faces.

The attacker has released faces of labelled people and learns what the method leaves of an attribute, see
`bench.core.stats.inference`. It is held against the same classifier on the originals: one that fails there has no
number for any method, since a classifier that cannot read must not look like privacy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.demographics import SKIN_TERCILES
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.inference import PEOPLE_A_CLASS, SPREAD, MacroAuc, cross_fitted, dealt_blindly
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_statistic
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import Finding, SetStatistic
from unmask.metrics.privacy.strangers import strangers

Ints = NDArray[np.int64]
REPLICATES: Final = 200
READINGS: Final = (
    *("embedding", "expression", "age", "p_female", "r", "g", "b", "ita", "statistics", "around"),
    *("yaw", "pitch", "roll", "landmarks68"),
)
"""What classifiers learn from: all of these that an instrument has."""
_HOW: Final = (
    "Attribute of the original: the data set's label, or, where it labels fewer than half of its faces, face-api's "
    "answer on the original. For each instrument a classifier is trained on what it reads of released faces "
    "(recognisers: of the face found again, else of its place; of errors the original was released): {} The people are "
    "dealt into five folds, photos that look like one person together, and each fold is read by what was learned of "
    "the other four. "
)
_CLASSES: Final = (
    "logistic regression, all classes weighing the same, its penalty chosen in folds of the people learned from."
)
_NUMBER: Final = "ridge regression of the original's ITA, its penalty chosen in folds of the people learned from."
_JUDGED: Final = (
    "Area under the ROC curve over pairs of faces of one fold{}. Faces that cannot be read are unscored, and so are "
    f"classes of fewer than {PEOPLE_A_CLASS} people; not measured with fewer than two others, nor where the interval "
    "of the same classifier on the originals does not lie above 0.5: it cannot read the attribute (finding unread-*). "
    "Interval: bootstrap over people, widened by the root of 2, since everybody is learned from, too. Chance = 0.5, or "
    "what the same pipeline reaches with labels dealt blindly among the people, where that is more than three standard "
    "errors away from 0.5. "
)
_LIMITS: Final = (
    "The control is the ceiling: what the classifier reads of originals, having seen as many. More labelled people "
    "would let it read more. Of the faces that can be read only: read the number of unscored ones and detection_rate "
    "beside it. A readable attribute is bad here; the utility metrics of the same attribute count it as kept. Of "
    "photos only. "
)
_RACE: Final = "Only of data sets that label it; no instrument here estimates it. Labels are an annotator's view."
_TONE: Final = (
    "Photos are not colour-calibrated: the light of a photo counts as skin. Whether a method that replaces the skin "
    "tone, as dp-att-s does, hides the original's is answered here: an interval above 0.5 with any instrument says no."
)
_CARD: Final = partial(
    MetricCard,
    version="1",
    family="privacy",
    direction="lower",
    unit="AUC",
    bounds=(0.0, 1.0),
    source="Hanley and McNeil, Radiology 143, 1982; cross-fitting as in Chernozhukov et al., Econometrics J. 21, 2018",
)
_MACRO: Final = ", mean over one class against the rest"


@dataclass(frozen=True, slots=True)
class _Attribute:
    """One that N faces have."""

    name: str
    label: Ints
    """(N,) 0..C-1; -1 = unknown, or not asked about."""
    value: Float | None = None
    """(N,) the number whose ends the two classes are."""


class LearnedAttributes:
    """`learned_*`: attributes read by classifiers that were trained on released faces. Asked for by name only."""

    default: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("role:recogniser", "role:attributes", "role:skin", "role:photometry")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        *(
            _CARD(
                name=f"learned_{name}_auc",
                title=f"{title} readable by who learns",
                question=f"How well can an attacker who has labelled released faces read {what} from others?",
                how=_HOW.format(_CLASSES) + _JUDGED.format(over),
                limits=f"{_LIMITS}{more}".strip(),
            )
            for name, title, what, over, more in (
                ("gender", "Gender", "the gender", "", ""),
                ("age_group", "Age group", "the age group", _MACRO, ""),
                ("race", "Race", "the race", _MACRO, _RACE),
            )
        ),
        _CARD(
            name="learned_skin_auc",
            title="Dark or light skin readable by who learns",
            question="How well can an attacker who has labelled released faces tell dark from light originals?",
            how=_HOW.format(_NUMBER)
            + _JUDGED.format(", of the lightest third of this data set by ITA on the originals against the darkest"),
            limits=f"{_LIMITS}{_TONE}",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[SetStatistic | Finding]:
        """A statistic for each attribute that the data set has and each instrument; none of clips. On the control also
        how many instruments cannot read an attribute."""
        if len(evidence.clips):
            return
        person, channels = same_people(evidence), dict(learnable(evidence))
        for attribute in attributes_of(evidence):
            doubted = []
            for name, (before, after) in channels.items():
                reader = _Reader(evidence, attribute, name, person, before)
                yield reader.statistic(after)
                if reader.doubted and np.array_equal(before, after, equal_nan=True):
                    doubted.append(name)
            if doubted:
                many = f"{len(doubted)} of {len(channels)}"
                yield Finding(
                    f"unread-{attribute.name}",
                    len(doubted),
                    len(channels),
                    f"{many} classifiers do not read {attribute.name.replace('_', ' ')} from the originals either "
                    f"({', '.join(doubted)}); what they read from outputs is not measured",
                )


class _Reader:
    """Classifiers of one attribute by one instrument's readings."""

    def __init__(self, evidence: Evidence, attribute: _Attribute, name: str, person: Ints, original: Float) -> None:
        self._evidence, self._attribute, self._name, self._person = evidence, attribute, name, person
        self._seed = derive_seed(evidence.settings.seed, "learned", attribute.name)
        self._original = original
        self._resamples = ClusterResamples(evidence.faces.cluster, REPLICATES, evidence.settings.seed)

    @property
    def doubted(self) -> bool:
        """Whether it fails on the originals: worked out once for all methods of an audit."""
        shared = (self._evidence.control or self._evidence).derived
        key = f"learned {self._attribute.name} {self._name}"
        if key not in shared:
            auc, scored = self._fitted(self._original, self._attribute.label, self._attribute.value)
            ceiling = estimates(replicate_statistic(self._of(auc, scored), self._resamples))[0]
            shared[key] = scored.any() and not ceiling.low > 0.5
        return bool(shared[key])

    def statistic(self, released: Float) -> SetStatistic:
        """What it reads of the released faces, (N, D)."""
        auc, scored = self._fitted(released, self._attribute.label, self._attribute.value)
        same = np.array_equal(released, self._original, equal_nan=True)
        if not same and scored.any() and self.doubted:
            return self._of(auc, np.zeros(len(scored), np.bool_))
        return self._of(auc, scored, self._chance(released) if scored.any() else 0.5)

    def _fitted(self, features: Float, label: Ints, value: Float | None) -> tuple[MacroAuc, Bools]:
        read = cross_fitted(features, label, self._person, seed=self._seed, value=value)
        auc = MacroAuc(read.scores, read.label, self._evidence.faces.cluster, read.fold)
        return auc, auc.scored

    def _of(self, auc: MacroAuc, scored: Bools, chance: float = 0.5) -> SetStatistic:
        return SetStatistic(
            f"learned_{self._attribute.name}_auc",
            self._name,
            auc,
            scored,
            eligible=np.asarray(self._attribute.label >= 0, np.bool_),
            chance=chance,
            share=True,
            compute_all=auc.of_all,
            spread=SPREAD,
        )

    def _chance(self, features: Float) -> float:
        """0.5, or what labels dealt blindly reach where that is something else."""
        label, value = self._attribute.label, self._attribute.value
        use = np.flatnonzero(label >= 0 if value is None else np.isfinite(value))
        blind = np.arange(len(label))
        blind[use] = dealt_blindly(use, self._person[use], derive_seed(self._seed, "blind"))
        auc, scored = self._fitted(features, label[blind], None if value is None else value[blind])
        replicates = replicate_statistic(self._of(auc, scored), self._resamples)
        floor, error = float(replicates.point[0]), float(np.std(replicates.values[:, 0]))
        return floor if abs(floor - 0.5) > 3 * error else 0.5


def attributes_of(evidence: Evidence) -> Iterator[_Attribute]:
    """Those that any face has: by the subgroups, as `bench.run.figures.units.face_groups` has them."""
    for name, prefix in (("gender", "gender="), ("age_group", "age="), ("race", "race=")):
        if (label := _classes(evidence, [g for g in evidence.faces.groups if g.startswith(prefix)])).max(
            initial=-1
        ) >= 0:
            yield _Attribute(name, label)
    ends = [f"skin={tone}" for tone in (next(iter(SKIN_TERCILES)), list(SKIN_TERCILES)[-1])]
    ita = next((columns["ita"] for columns in evidence.original.values() if "ita" in columns), None)
    if ita is not None and (label := _classes(evidence, ends)).max(initial=-1) >= 0:
        yield _Attribute("skin", label, np.asarray(ita, np.float64))


def _classes(evidence: Evidence, groups: list[str]) -> Ints:
    """(N,) the number of the group that each face is in, -1 = none of them."""
    label = np.full(len(evidence.faces), -1, np.int64)
    for k, name in enumerate(groups):
        if name in evidence.faces.groups:
            label[evidence.faces.groups[name]] = k
    return label


def learnable(evidence: Evidence) -> Iterator[tuple[str, tuple[Float, Float]]]:
    """Instrument -> (N, D) what it reads of originals and of what was released; NaN rows cannot be read."""
    for name, columns in evidence.original.items():
        used = [each for each in READINGS if each in columns and each in evidence.anonymized.get(name, {})]
        if used:
            after = {each: evidence.released(name, each) for each in used}
            yield name, (_table(columns, used), _table(after, used))


def _table(columns: Mapping[str, NDArray[Any]], used: list[str]) -> Float:
    parts = [np.asarray(columns[each], np.float64).reshape(len(columns[each]), -1) for each in used]
    return np.concatenate(
        [_shape(p) if each == "landmarks68" else p for each, p in zip(used, parts, strict=True)], axis=1
    )


def _shape(points: Float) -> Float:
    """(N, 2K) points less their middle and over their size: where a face lies, and how large, tells of the photo."""
    centred = points.reshape(len(points), -1, 2)
    centred = centred - centred.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True))
    return np.asarray((centred / np.where(size > 0, size, np.nan)).reshape(points.shape), np.float64)


def same_people(evidence: Evidence) -> Ints:
    """(N,) a number for each person, photos that look like one person counted as one: a classifier must not read a
    photo by knowing another one of it."""
    n, cluster = len(evidence.faces), evidence.faces.cluster
    _, first, of = np.unique(cluster, return_index=True, return_inverse=True)
    links = np.argwhere(~strangers(evidence).different)
    links = np.concatenate([links, np.stack([np.arange(n), first[of]], axis=1)])
    graph = coo_array((np.ones(len(links)), tuple(links.T)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)
