"""Attackers who learn from other people's released faces which directions of a recogniser's readings still tell people
apart, and compare released faces with released ones."""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.evidence import KNOWN_PLACE
from unmask.bench.core.protocols import Background, Columns
from unmask.bench.core.types import Float
from unmask.bench.core.views import OUTSIDE
from unmask.metrics.attackers.support import EMBEDDING, enough, learned, readable, too_little, unit

Ints = NDArray[np.int64]
SHRINKAGE: Final = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
FOLDS: Final = 5
LEAST_DEVIATION: Final = 1e-6
"""Of the faces of one person, below which they count as equal: rounding is not divided by."""
KNOWS: Final = "photos of the people, a recogniser, the method itself, and other people's photos put through it"
READS: Final = (
    "Learns from the released faces of background people with at least two photos: the face found again, or else "
    "the known place. Each side is read about its own background mean, and everything goes through the one map, known "
    "place and looks too, so that all of it can be compared. The gallery is released, with another seed."
)


class ReleasedMap:
    """Reads a row x as (x - a) W; a is the mean of its side, W is what a subclass learns of released faces."""

    card: ClassVar[AttackerCard]

    def linear_map(self, rows: Float, person: Ints) -> Float:
        """W (D, E) from N centred released rows (N, D) of P people, numbered 0..P-1 in ``person`` (N,)."""
        raise NotImplementedError

    def fit(self, background: Background, *, seed: int) -> Columns:
        """``map`` (D, E), ``released|from`` and ``original|from`` (D,), float32. Raises `UnavailableError` where too
        few people have released faces of two photos."""
        faces = released_faces(background, self.card.name)
        return {**faces.middles, "map": self.linear_map(faces.rows, faces.person).astype(np.float32)}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        matrix = learned(state, "map", self.card.name)
        middle = learned(state, "released|from" if released else "original|from", self.card.name)
        return {name: unit((rows - middle) @ matrix) for name, rows in readings.items()}


class Faces(NamedTuple):
    """Released faces of background people of whom there are two photos or more."""

    rows: Float
    """(N, D) about their mean."""
    person: Ints
    """(N,) 0..P-1."""
    photo: Ints
    """(N,) which are of one photo, in several draws."""
    middles: dict[str, NDArray[Any]]
    """The means of both sides, float32: ``released|from`` and ``original|from`` (D,)."""


def released_faces(background: Background, who: str) -> Faces:
    """What can be learned from. Raises `UnavailableError` where that is too little."""
    released, originals = background.released, background.original[EMBEDDING]
    rows = np.array(released.get(EMBEDDING, np.full_like(originals, np.nan)), np.float64)
    if KNOWN_PLACE in released:
        rows = np.where(readable(rows)[:, None], rows, released[KNOWN_PLACE])
    usable = np.flatnonzero(readable(rows) & (background.identity != ""))
    photo = photos_of(originals)[usable]
    names, person = np.unique(background.identity[usable], return_inverse=True)
    pairs = np.unique(np.stack([person, photo]), axis=1) if len(usable) else np.zeros((2, 0), np.int64)
    several = np.bincount(pairs[0], minlength=len(names))[person] >= 2
    if not enough(names[person[several]]):
        raise too_little(who, names[person[several]], "released faces of two photos each")
    rows = rows[usable][several]
    middle, there = rows.mean(axis=0), originals[readable(originals)]
    middles = {"released|from": middle, "original|from": there.mean(axis=0) if len(there) else middle}
    person, photo = (np.unique(of[several], return_inverse=True)[1].astype(np.int64) for of in (person, photo))
    return Faces(rows - middle, person, photo, {side: mean.astype(np.float32) for side, mean in middles.items()})


def photos_of(originals: NDArray[Any]) -> Ints:
    """(N,) a number for each face's photo: a face's draws have one reading of the original (N, D); an original that
    cannot be read is a photo of its own."""
    there = readable(originals)
    marks = [row.tobytes() if there[k] else str(k).encode() for k, row in enumerate(originals)]
    return np.unique(np.array([*marks, b""], np.object_), return_inverse=True)[1][:-1].astype(np.int64)


def person_means(rows: Float, person: Ints) -> Float:
    """(P, D) of rows (N, D)."""
    sums = np.zeros((int(person.max()) + 1, rows.shape[1]))
    np.add.at(sums, person, rows)
    means: Float = sums / np.bincount(person)[:, None]
    return means


def deviations(rows: Float, person: Ints) -> Float:
    """(N, D) rows less the mean of their person, scaled up for the mean's having been made of them."""
    faces = np.bincount(person)[person][:, None]
    result: Float = (rows - person_means(rows, person)[person]) * np.sqrt(faces / (faces - 1))
    return result


def within_whitening(rows: Float, person: Ints) -> Float:
    """(D, D) W so that `deviations` times W have the identity for covariance."""
    from sklearn.covariance import ShrunkCovariance
    from sklearn.model_selection import GridSearchCV, GroupKFold

    apart = deviations(rows, person)
    scale = float(np.sqrt(np.square(apart).mean()))
    if scale < LEAST_DEVIATION:
        return np.eye(rows.shape[1]) / LEAST_DEVIATION
    apart /= scale
    search = GridSearchCV(
        ShrunkCovariance(assume_centered=True),
        {"shrinkage": SHRINKAGE},
        cv=list(GroupKFold(FOLDS).split(apart, groups=person)),
        error_score="raise",
    )
    values, axes = np.linalg.eigh(search.fit(apart).best_estimator_.covariance_)
    values = np.maximum(values, max(float(values[-1]) * 1e-9, 1e-9))
    matrix: Float = (axes / np.sqrt(values)) @ axes.T / scale
    return matrix


class Whitening(ReleasedMap):
    imports: ClassVar[tuple[str, ...]] = ("sklearn",)
    card = AttackerCard(
        name="whitening",
        version="1",
        title="whitening (WCCN)",
        knows=KNOWS,
        how="Divides out how released faces of one person differ (within-class covariance normalisation). The "
        f"covariance is shrunk towards a sphere, by that of {', '.join(f'{share:g}' for share in SHRINKAGE)} under "
        f"which people left out are likeliest ({FOLDS} folds by person). {READS}",
        source="Hatch, Kajarekar, Stolcke: Within-class covariance normalization for SVM-based speaker recognition, "
        "Interspeech 2006; scikit-learn's ShrunkCovariance. Ledoit and Wolf's closed form (2004) shrinks the small "
        "variances, which are divided by, too far: on LFW it recognised fewer",
        limits="Linear; does not ask which directions tell people apart (lda does).",
        gallery="released",
    )

    def linear_map(self, rows: Float, person: Ints) -> Float:
        return within_whitening(rows, person)


class Lda(ReleasedMap):
    imports: ClassVar[tuple[str, ...]] = ("sklearn",)
    card = AttackerCard(
        name="lda",
        version="1",
        title="discriminant analysis (LDA)",
        knows=KNOWS,
        how="After whitening, keeps the directions in which the means of people vary by more than the variation of one "
        "person's faces explains, and weighs each by the root of b / (1 + 2 b), b = its variance between people over "
        f"that within: the part of the likelihood ratio of two Gaussians that depends on both faces. {READS}",
        source="Fisher: The use of multiple measurements in taxonomic problems, Annals of Eugenics 7, 1936; Ioffe: "
        "Probabilistic Linear Discriminant Analysis, ECCV 2006; shrinkage as in whitening",
        limits="Linear. From few people it learns directions that happen to tell these apart.",
        gallery="released",
    )

    def linear_map(self, rows: Float, person: Ints) -> Float:
        whitening = within_whitening(rows, person)
        means = person_means(rows @ whitening, person)
        explained = float(np.mean(1 / np.bincount(person)))
        between, axes = np.linalg.eigh(means.T @ means / len(means) - explained * np.eye(means.shape[1]))
        # One direction stays even where none tells people apart, or there would be nothing to compare.
        kept = between >= min(float(between[-1]), 1e-9)
        between = np.maximum(between[kept], 1e-9)
        matrix: Float = whitening @ (axes[:, kept] * np.sqrt(between / (1 + 2 * between)))
        return matrix


class OutsideWhitening(Whitening):
    card = AttackerCard(
        name="outside-whitening",
        version="1",
        title="outside the face, whitening",
        knows="photos of the people, a recogniser, where faces are, and other people's photos put through the method",
        how="As whitening, of the readings that outside the face has: the face filled with grey, on photos and on "
        "releases. The gallery is of photos.",
        source="as outside and whitening",
        limits="As of outside the face; learned from few people it may miss what more would show.",
        audit="full",
        view=OUTSIDE,
        explains=True,
    )
