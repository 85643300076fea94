"""How long does a method take?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import UnitValues

_LIMITS = (
    "Depends on the machine, its load and the sizes of the photos: compare methods within one run only. Loading of "
    "networks and reading of photos are not counted; the method's own face detection is."
)


def _card(name: str, title: str, question: str, how: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="cost",
        direction="lower",
        unit="ms",
        bounds=(0, None),
        title=title,
        question=question,
        how=f"Wall-clock time for an image{how}. Images on which the method failed are not scored.",
        source="unmask",
        limits=_LIMITS,
        headline=70 if name == "ms_per_face" else None,
    )


class Speed:
    """`ms_per_face` and `ms_per_image`, by the clock."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "ms_per_face",
            "Time per face",
            "How long does the method take for a face?",
            " divided by the faces that the judge finds in the original; mean over the images with a face",
        ),
        _card("ms_per_image", "Time per image", "How long does the method take for a photo?", "; mean over all images"),
    )
    needs: ClassVar[tuple[str, ...]] = ()

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values an image."""
        has_face = evidence.faces_per_image > 0
        per_face = ms_per_face(evidence.ms, evidence.faces_per_image)
        yield UnitValues("ms_per_face", "wall-clock", per_face, "image", "image", eligible=has_face)
        yield UnitValues("ms_per_image", "wall-clock", np.asarray(evidence.ms, np.float64), "image", "image")


def ms_per_face(ms: NDArray[Any], faces: NDArray[Any]) -> Float:
    """(N,) milliseconds an image over its faces; NaN without faces or time."""
    result: Float = np.asarray(ms, np.float64) / np.where(faces > 0, faces, np.nan)
    return result
