"""What is kept of a face beside who it is: its expression, how the head is turned, where the eyes look, its shape.

All are asked only where they are named, since their networks cost as much as another recogniser. A face that is not
found again, or cannot be read, is counted as unscored; `expression_estimated_correct` counts it as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import UnitValues
from unmask.metrics.utility.attributes import instruments_with
from unmask.metrics.utility.landmarks import landmark_error

Ints = NDArray[np.intp]
DRAWS: Final = 64
"""How many other people's faces stand in for a face, to tell chance."""
SEED: Final = 0
_OUTER_CORNERS: Final = (36, 45)
"""Of the eyes, among the 68 points of 300-W."""
_CHANCE: Final = (
    f"Chance is what the output of another person of the set scores instead, the mean of up to {DRAWS} drawn by "
    "permuting the faces; people are told apart by their labels, else by photo or clip. "
)
_AGAIN: Final = "Outputs on which no face is found again are not scored. "
_LEFT_OUT: Final = (
    "Faces that were destroyed drop out of it, and missed ones count as kept: read it beside the outcomes. The control "
    "is the original against itself, so it tells nothing of the estimator's errors: its card does. "
)
_UNTRUE: Final = f"{_LEFT_OUT}There is no truth for it: before against after."
_ROLL: Final = (
    f"{_LEFT_OUT}Measured on turned photos: about 1.1 degrees off, and 0 to 2 % too little of a turn is seen, though "
    "the judge's eye points see 38 % too little, since the crop is levelled anew (the instruments' cards)."
)
_DEGREES: Final = partial(
    MetricCard,
    version="1",
    family="utility",
    direction="lower",
    unit="degrees",
    bounds=(0.0, 180.0),
    source="mean absolute error, as in Yang et al., FSA-Net, CVPR 2019, between original and output",
    limits=_UNTRUE,
)
_SHARE: Final = partial(
    MetricCard, version="1", family="utility", direction="higher", unit="share", bounds=(0.0, 1.0), source="unmask"
)


def by_chance(score: Callable[[Ints, Ints], Float], people: NDArray[Any]) -> Float:
    """(N,) mean of ``score(faces, others)`` over other people's faces; NaN where none could be scored.

    ``people``: (N,) who each is. ``score`` gets as many numbers of faces as of others, of other people, and gives a
    value for each pair, NaN = not scored.
    """
    n = len(people)
    total, count = np.zeros(n), np.zeros(n)
    rng = np.random.default_rng(SEED)
    for _ in range(DRAWS):
        others = rng.permutation(n)
        faces = np.flatnonzero(people != people[others])
        values = score(faces, others[faces])
        scored = ~np.isnan(values)
        total[faces[scored]] += values[scored]
        count[faces[scored]] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


class ExpressionKept:
    """`expression_correct` and `expression_estimated_correct`, against the original, and `expression_agreement`."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _SHARE(
            name="expression_correct",
            title="Expression kept, of estimated",
            question="Where a face is still found, does it have the expression that it had before?",
            how="Share of the outputs on which the estimator's likeliest of seven expressions is that of the original, "
            f"among those on which a face is found again. {_CHANCE}",
            limits=f"{_LEFT_OUT}Most photos are of smiles and of neutral faces, so chance is high.",
        ),
        _SHARE(
            name="expression_estimated_correct",
            title="Expression kept, of all",
            question="Of all faces, how many can still be estimated and have the expression that they had before?",
            how="As expression_correct, but among all faces that could be estimated on the original: an output that is "
            f"missing or has no face to estimate is wrong. {_CHANCE}",
            limits="Missed faces count as kept: see outcome_missed. Most photos are of smiles and of neutral faces, so "
            "chance is high.",
        ),
        _SHARE(
            name="expression_agreement",
            title="Estimators agree on expression",
            question="How often do two independent estimators see the same expression in the anonymized face?",
            how="Of the outputs on which both estimators find a face, the share on which their likeliest expressions "
            "are equal. Every two estimators of the run are compared; the pair is named as the instrument.",
            limits="Agreement is not truth: both can be wrong alike. The control is their agreement on the originals: "
            "where it is low, neither says much.",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:expression",)
    default: ClassVar[bool] = False

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face for each estimator, and for every two of them, named ``a+b`` in alphabetical order."""
        after: dict[str, Float] = {}
        for name in instruments_with(evidence, "expression"):
            before = likeliest(evidence.original[name]["expression"])
            after[name] = likeliest(evidence.anonymized[name]["expression"])
            for metric, score in (
                ("expression_correct", partial(_equal, before, after[name])),
                ("expression_estimated_correct", partial(_equal_of_all, before, after[name])),
            ):
                yield _values(evidence, metric, name, score, share=True)
        for a, b in combinations(sorted(after), 2):
            rows = np.arange(len(evidence.faces))
            equal = _equal(after[a], after[b], rows, rows)
            yield UnitValues("expression_agreement", f"{a}+{b}", equal, share=True)


class PoseKept:
    """By how many degrees the head turns, and the eyes."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        *(
            _DEGREES(
                name=f"head_{angle}_change",
                title=f"Head {verb} by",
                question=f"By how many degrees does the head {does}?",
                limits=limits,
                how=f"Mean absolute difference of {angle}, the output's from the original's. {_AGAIN}{_CHANCE}",
            )
            for angle, verb, does, limits in (
                ("yaw", "turned aside", "turn to the left or right", _UNTRUE),
                ("pitch", "nodded", "turn up or down", _UNTRUE),
                ("roll", "tilted", "tilt to a shoulder", _ROLL),
            )
        ),
        _DEGREES(
            name="gaze_change",
            title="Gaze turned by",
            question="By how many degrees do the eyes look elsewhere?",
            how="Mean angle between the directions in which the eyes look, in the upright face, on the output and on "
            f"the original. {_AGAIN}{_CHANCE}",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:pose",)
    default: ClassVar[bool] = False

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face for each instrument that reads the angle."""
        for angle in ("yaw", "pitch", "roll"):
            for name in instruments_with(evidence, angle):
                before, after = (
                    np.asarray(part[name][angle], np.float64) for part in (evidence.original, evidence.anonymized)
                )
                yield _values(evidence, f"head_{angle}_change", name, partial(_turned, before, after))
        for name in instruments_with(evidence, "gaze_x"):
            before, after = (
                directions(part[name]["gaze_x"], part[name]["gaze_y"])
                for part in (evidence.original, evidence.anonymized)
            )
            yield _values(evidence, "gaze_change", name, partial(_apart, before, after))


class ShapeKept:
    """`landmark68_error`: how far the outline, brows, eyes, nose and mouth move."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="landmark68_error",
            version="1",
            family="utility",
            direction="lower",
            unit="eye distances",
            bounds=(0.0, None),
            title="Face shape moved by",
            question="How far do outline, brows, eyes, nose and mouth move?",
            how="Mean distance of the 68 points on the output to those on the original, divided by the distance "
            f"between the outer corners of the eyes on the original. {_AGAIN}For chance, another person's points are "
            f"moved and scaled to the original's middle and size first, else it would tell where faces lie. {_CHANCE}",
            source="normalised mean error, Sagonas et al. 2013 (300 Faces in-the-Wild), doi:10.1109/ICCVW.2013.59",
            limits=f"{_LEFT_OUT}In profile the corners are close together, so errors there count more.",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:pose",)
    default: ClassVar[bool] = False

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face for each instrument that reads 68 points."""
        for name in instruments_with(evidence, "landmarks68"):
            before, after = (
                np.asarray(part[name]["landmarks68"], np.float64).reshape(len(evidence.faces), -1, 2)
                for part in (evidence.original, evidence.anonymized)
            )
            yield UnitValues(
                "landmark68_error",
                name,
                shape_error(before, after),
                chance_values=by_chance(partial(_shape_of_others, before, after), evidence.faces.cluster),
            )


def likeliest(probabilities: NDArray[Any]) -> Float:
    """(N, K) probabilities -> (N,) the number of the class with the largest; NaN where any is."""
    missing = np.isnan(probabilities).any(axis=1)
    return np.where(missing, np.nan, np.where(missing[:, None], 0, probabilities).argmax(axis=1))


def directions(x: NDArray[Any], y: NDArray[Any]) -> Float:
    """(N,) degrees to the side and upwards -> (N, 3) unit vectors; what the two leave over points at the viewer."""
    across, up = (np.sin(np.radians(np.asarray(angle, np.float64))) for angle in (x, y))
    ahead = np.sqrt(np.maximum(0.0, 1 - across**2 - up**2))
    vectors = np.stack([across, up, ahead], axis=1)
    result: Float = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return result


def shape_error(before: Float, after: Float) -> Float:
    """(N,) mean distance of (N, 68, 2) points over the distance of the outer eye corners before; NaN where a point is
    missing or the corners coincide."""
    one, other = _OUTER_CORNERS
    return landmark_error(before, after, np.linalg.norm(before[:, other] - before[:, one], axis=1))


def _values(
    evidence: Evidence, metric: str, name: str, score: Callable[[Ints, Ints], Float], *, share: bool = False
) -> UnitValues:
    """Each face's own output scored, and by chance those of others."""
    everyone = np.arange(len(evidence.faces))
    chance = by_chance(score, evidence.faces.cluster)
    return UnitValues(metric, name, score(everyone, everyone), share=share, chance_values=chance)


def _equal(before: Float, after: Float, faces: Ints, others: Ints) -> Float:
    a, b = before[faces], after[others]
    return np.where(np.isnan(a) | np.isnan(b), np.nan, a == b)


def _equal_of_all(before: Float, after: Float, faces: Ints, others: Ints) -> Float:
    """The same; a missing answer about the output is wrong."""
    return np.where(np.isnan(before[faces]), np.nan, before[faces] == after[others])


def _turned(before: Float, after: Float, faces: Ints, others: Ints) -> Float:
    """Degrees, the shorter way round."""
    return np.abs((after[others] - before[faces] + 180) % 360 - 180)


def _apart(before: Float, after: Float, faces: Ints, others: Ints) -> Float:
    """Degrees between unit vectors."""
    chord = np.linalg.norm(after[others] - before[faces], axis=1)
    result: Float = np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))
    return result


def _shape_of_others(before: Float, after: Float, faces: Ints, others: Ints) -> Float:
    """`shape_error` of others' points, moved and scaled to the middle and the size of the face's own."""
    own, other = before[faces], after[others]
    centres = [points.mean(axis=1, keepdims=True) for points in (own, other)]
    sizes = [np.sqrt(((p - c) ** 2).sum(axis=2).mean(axis=1)) for p, c in zip((own, other), centres, strict=True)]
    scale = sizes[0] / np.where(sizes[1] > 0, sizes[1], np.nan)
    return shape_error(own, (other - centres[1]) * scale[:, None, None] + centres[0])
