"""What released faces are compared by, without any photo of anybody.

A *channel* is:

- each recogniser: the cosine distance of its readings of two released faces, of the face that is found again, else of
  what lies in its place;
- ``photometric``: colours, sharpness, noise and light of the released face, and colours of what surrounds it;
- ``surroundings``: these last alone, which no face anonymizer can mend;
- ``geometry``: size, shape, place and tilt of the released face.

The numbers of the last three are put on one scale within the release: less the median, over the spread of the middle
half, at most `CLIP` either way; what does not vary tells nothing and is left out. Their distance is the root of the
mean square difference.

The rules that make every face count are those of `metrics.privacy.attack`: of an error the original was released; a
destroyed face of which a recogniser can read nothing is as far from every other as can be, and linked to none; others
that cannot be read are unscored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.exposure import FARTHEST
from unmask.bench.core.types import Bools, Float, Outcome
from unmask.metrics.privacy.attack import Ints, unit_rows
from unmask.metrics.privacy.face_pairs import pair_distances

PHOTOMETRIC: Final = "photometric"
SURROUNDINGS: Final = "surroundings"
GEOMETRY: Final = "geometry"
CLIP: Final = 5.0
ONE_DRAW: Final = "+one-draw"
"""Behind a recogniser's name: what it reads of the release in which all photos of one person get the same draw."""


@dataclass(frozen=True)
class Channel:
    """What N released faces are compared by."""

    name: str
    rows: NDArray[Any]
    """(N, D) float32 or float64; NaN rows cannot be compared."""
    gone: Bools
    """(N,) destroyed, and nothing can be read: linked to no other face."""
    cosine: bool
    """Whether rows are unit vectors compared by their angle, else by the root of the mean square difference."""

    @property
    def readable(self) -> Bools:
        """(N,)"""
        return _finite(self.rows)

    def distances(self, i: Ints, j: Ints) -> Float:
        """(P,) between faces ``i`` and ``j``; NaN = cannot be compared."""
        if self.cosine:
            distance = np.round(pair_distances(self.rows, self.rows, i, j), 6)
        else:
            distance = np.round(np.sqrt(((self.rows[i] - self.rows[j]) ** 2).mean(axis=1)), 6)
        scored = self.readable | self.gone
        distance[self.gone[i] | self.gone[j]] = FARTHEST
        distance[~(scored[i] & scored[j])] = np.nan
        return distance

    def matrix(self, faces: Ints) -> Float:
        """(F, F) between readable faces."""
        rows = self.rows[faces].astype(np.float64)
        products = rows @ rows.T
        if self.cosine:
            distance = np.clip(1 - products, 0.0, FARTHEST)
        else:
            squares = np.diag(products)
            distance = np.sqrt(np.clip(squares[:, None] + squares[None, :] - 2 * products, 0, None) / rows.shape[1])
        np.fill_diagonal(distance, 0)
        return np.asarray((distance + distance.T) / 2)


def channels(evidence: Evidence) -> Iterator[Channel]:
    """Those that were read, and have anything that varies."""
    destroyed = evidence.outcome == Outcome.DESTROYED.value
    for name in evidence.recognisers:
        rows = unit_rows(evidence.released(name, "embedding"))
        yield Channel(name, rows, np.asarray(destroyed & ~_finite(rows), np.bool_), cosine=True)
    if PHOTOMETRIC in evidence.anonymized:
        face, around = (evidence.released(PHOTOMETRIC, reading) for reading in ("statistics", "around"))
        yield from _on_one_scale(PHOTOMETRIC, np.concatenate([face, around], axis=1))
        yield from _on_one_scale(SURROUNDINGS, around)
    again = _finite(evidence.landmarks.reshape(-1, 10))
    points = np.where(again[:, None, None], evidence.landmarks, evidence.truth.landmarks)
    yield from _on_one_scale(GEOMETRY, geometry(points))


def one_draw_channels(evidence: Evidence) -> Iterator[Channel]:
    """Recognisers, over the release in which all photos of one person get the same draw, if there is one."""
    for name, columns in (evidence.audit.one_draw if evidence.audit else {}).items():
        rows = unit_rows(columns["embedding"])
        gone = np.asarray(columns["destroyed"] & ~_finite(rows), np.bool_)
        yield Channel(f"{name}{ONE_DRAW}", rows, gone, cosine=True)


def geometry(landmarks: NDArray[Any]) -> Float:
    """(N, 7) of (N, 5, 2) points in pixels: logarithms of their width, height, ratio of these and eye distance; tilt of
    the eyes in degrees; centre x and y. NaN rows where a point is missing or points coincide."""
    points = np.asarray(landmarks, np.float64)
    eyes = points[:, 1] - points[:, 0]
    width, height = np.ptp(points, axis=1).T
    lengths = np.stack([width, height, np.hypot(*eyes.T)])
    logs = np.log(np.where(lengths > 0, lengths, np.nan))
    tilt, centre = np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])), points.mean(axis=1).T
    table: Float = np.stack([logs[0], logs[1], logs[0] - logs[1], logs[2], tilt, *centre], axis=1)
    return np.where(_finite(table)[:, None], table, np.nan)


def on_one_scale(table: NDArray[Any]) -> Float:
    """(N, E) the E columns of (N, D) that vary, each less its median and over its middle half's spread (that of a
    normal distribution counted as 1; the standard deviation where the middle half does not vary), at most `CLIP`
    either way. NaN rows stay."""
    rows = np.asarray(table, np.float64)
    readable = _finite(rows)
    rows = np.where(readable[:, None], rows, np.nan)
    if not readable.any():
        return rows[:, :0]
    low, middle, high = np.quantile(rows[readable], [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.349
    spread = np.where(spread > 1e-9, spread, rows[readable].std(axis=0))
    varies = spread > 1e-9
    return np.asarray(np.clip((rows - middle)[:, varies] / spread[varies], -CLIP, CLIP), np.float64)


def _on_one_scale(name: str, table: NDArray[Any]) -> Iterator[Channel]:
    rows = on_one_scale(table)
    if rows.shape[1]:
        yield Channel(name, rows, np.zeros(len(rows), np.bool_), cosine=False)


def _finite(rows: NDArray[Any]) -> Bools:
    """(N,) rows of (N, D) without NaN."""
    return np.asarray(np.isfinite(rows).all(axis=1), np.bool_)
