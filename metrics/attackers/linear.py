"""Attackers who learn, from other people's photos and what the method made of them, how to undo it in a recogniser's
readings: by a shift, a rotation, or any linear map."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.evidence import KNOWN_PLACE
from unmask.bench.core.protocols import Background, Columns
from unmask.bench.core.types import Float
from unmask.metrics.attackers.support import EMBEDDING, enough, learned, readable, too_little, unit

KNOWS: Final = "photos of the people, a recogniser, and pairs of photo and output of other people by the same method"
EACH: Final = (
    "Both sides are read as differences from their own mean over background people, scaled to length 1. Each reading "
    "of the output (the face found again, the known place, each look) has a map of its own to the plain reading of the "
    "photo, since each crop is distorted in its own way; one with too few pairs goes through the plain reading's map, "
    "or else the known place's."
)


class PairMap:
    """Reads a released row x as (x - a) W, and an original y as y - b: a and b are the means of both sides, W is what a
    subclass learns."""

    card: ClassVar[AttackerCard]

    def linear_map(self, released: Float, original: Float, identity: NDArray[np.str_]) -> Float:
        """W (D, D) from N pairs of centred rows (N, D); ``identity`` (N,)."""
        raise NotImplementedError

    def fit(self, background: Background, *, seed: int) -> Columns:
        """``original|from`` (D,) and, for each reading with enough pairs, ``READING|from`` (D,) and ``READING|map``
        (D, D), float32. Raises `UnavailableError` where neither the plain reading nor the known place has enough."""
        original = np.asarray(background.original[EMBEDDING], np.float64)
        pairs = {name: readable(rows) & readable(original) for name, rows in background.released.items()}
        state: dict[str, NDArray[Any]] = {}
        for name, both in pairs.items():
            if enough(background.identity[both]):
                x, y = background.released[name][both].astype(np.float64), original[both]
                middle = x.mean(axis=0)
                matrix = self.linear_map(x - middle, y - y.mean(axis=0), background.identity[both])
                state |= {f"{name}|from": middle.astype(np.float32), f"{name}|map": matrix.astype(np.float32)}
        if not any(f"{name}|map" in state for name in (EMBEDDING, KNOWN_PLACE)):
            faces = max(pairs.values(), key=np.count_nonzero, default=np.zeros(len(original), np.bool_))
            raise too_little(self.card.name, background.identity[faces], "a photo and its output")
        return {**state, "original|from": original[readable(original)].mean(axis=0).astype(np.float32)}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        return {name: self._reading(state, name, rows, released) for name, rows in readings.items()}

    def _reading(self, state: Columns, name: str, rows: NDArray[Any], released: bool) -> NDArray[Any]:
        who = self.card.name
        if not released:
            return unit(rows - learned(state, "original|from", who))
        fitted = next((x for x in (name, EMBEDDING, KNOWN_PLACE) if f"{x}|map" in state), EMBEDDING)
        return unit((rows - learned(state, f"{fitted}|from", who)) @ learned(state, f"{fitted}|map", who))


class MeanShift(PairMap):
    card = AttackerCard(
        name="mean-shift",
        version="1",
        title="mean shift",
        knows=KNOWS,
        how=f"Takes the mean difference of released and original readings away. {EACH}",
        source="unmask; the simplest map between two sets of embeddings",
        limits="Undoes only what is the same for everybody, such as a tint. It does not use which output belongs to "
        "which photo.",
    )

    def linear_map(self, released: Float, original: Float, identity: NDArray[np.str_]) -> Float:
        return np.eye(released.shape[1])


class Procrustes(PairMap):
    card = AttackerCard(
        name="procrustes",
        version="1",
        title="rotation (Procrustes)",
        knows=KNOWS,
        how=f"The orthogonal map that brings released readings nearest to the originals, in the least squares. {EACH} "
        "Directions that the pairs do not determine stay as they are.",
        source="Schönemann: A generalized solution of the orthogonal Procrustes problem, Psychometrika 31, 1966; as an "
        "attack on anonymization: Champion et al.: On the invertibility of a voice privacy system using embedding "
        "alignment, ASRU 2021",
        limits="Cannot stretch: where a method wipes out some directions of the readings, ridge undoes more.",
    )

    def linear_map(self, released: Float, original: Float, identity: NDArray[np.str_]) -> Float:
        covariance = released.T @ original
        # Far below what pairs say: decides only where they say nothing, which the decomposition would decide by chance.
        least = 1e-9 * float(np.linalg.norm(covariance)) or 1.0
        u, _, v = np.linalg.svd(covariance + least * np.eye(len(covariance)))
        rotation: Float = u @ v
        return rotation


class Ridge(PairMap):
    imports: ClassVar[tuple[str, ...]] = ("sklearn",)
    strengths: ClassVar[tuple[float, ...]] = (1e-2, 1e-1, 0.3, 1.0, 3.0, 1e1, 1e2)
    folds: ClassVar[int] = 5
    card = AttackerCard(
        name="ridge",
        version="1",
        title="linear map (ridge)",
        knows=KNOWS,
        how="The linear map that brings released readings nearest to the originals, in the least squares with a "
        f"penalty: of {', '.join(f'{strength:g}' for strength in strengths)} times the mean square of a released "
        f"direction the one whose readings of people left out ({folds} folds by person) are most like their originals, "
        f"by cosine. {EACH}",
        source="Hoerl, Kennard: Ridge regression, Technometrics 12, 1970; scikit-learn's RidgeCV",
        limits="Linear: what it takes a network to undo stays. With fewer pairs than readings are long it learns a "
        "part.",
    )

    def linear_map(self, released: Float, original: Float, identity: NDArray[np.str_]) -> Float:
        from sklearn.linear_model import Ridge as RidgeRegression

        scale = max(float(np.square(released).sum()) / released.shape[1], 1e-9)
        penalties = scale * np.array(self.strengths)
        likeness = self._likeness(released, original, identity, penalties)
        # The first of equal ones: a tie is between maps that say the same.
        chosen = float(penalties[int(np.argmax(likeness))])
        model = RidgeRegression(chosen, fit_intercept=False).fit(released, original)
        matrix: Float = np.asarray(model.coef_.T, np.float64)
        return matrix

    def _likeness(self, released: Float, original: Float, identity: NDArray[np.str_], penalties: Float) -> Float:
        """(P,) the mean cosine of people left out and their originals under each penalty. Squared error would ask for
        readings of the right length, which then is made 1 anyway. One decomposition a fold serves all penalties."""
        from sklearn.model_selection import GroupKFold

        folds = list(GroupKFold(self.folds).split(released, groups=identity))
        total = np.zeros(len(penalties))
        for fitted, left_out in folds:
            values, vectors = np.linalg.eigh(released[fitted].T @ released[fitted])
            along = vectors.T @ (released[fitted].T @ original[fitted])
            rows, wanted = released[left_out] @ vectors, unit(original[left_out])
            for k, penalty in enumerate(penalties):
                read = unit(rows @ (along / (values + penalty)[:, None]))
                total[k] += float(np.mean((read * wanted).sum(axis=1)))
        return total / len(folds)
