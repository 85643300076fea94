"""Does the anonymized face look the same way, with eyes, nose and mouth where they were?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import UnitValues


class LandmarkError:
    """`landmark_error`: mean distance of the five points, in eye distances."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="landmark_error",
            version="1",
            family="utility",
            direction="lower",
            unit="eye distances",
            bounds=(0, None),
            title="Landmarks moved by",
            question="How far do the eyes, nose and mouth corners move?",
            how="The judge's detector finds the face again on the output. Mean distance of its five points to those on "
            "the original, divided by the distance between the two eyes on the original. Outputs on which no face is "
            "found again are not scored.",
            source="the usual normalised mean error of face alignment, by eye distance, e.g. Sagonas et al. 2013 (300 "
            "Faces in-the-Wild), doi:10.1109/ICCVW.2013.59",
            limits="Destroyed faces drop out of it, and missed ones count about 0. In profile the eyes are close "
            "together, so errors there count more.",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("yunet",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """One value a face."""
        values = landmark_error(evidence.truth.landmarks, evidence.landmarks, evidence.truth.eye_distance)
        yield UnitValues("landmark_error", "yunet", values)


def landmark_error(original: NDArray[Any], output: NDArray[Any], eye_distance: NDArray[Any]) -> Float:
    """(N,) mean distance of (N, K, 2) points over (N,) eye distances; NaN where any is missing or the distance is 0."""
    apart = np.linalg.norm(output.astype(np.float64) - original, axis=2).mean(axis=1)
    scale = np.asarray(eye_distance, dtype=np.float64)
    result: Float = apart / np.where(scale > 0, scale, np.nan)
    return result
