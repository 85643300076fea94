"""How far is each released face from its own original?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.exposure import FARTHEST
from unmask.bench.core.values import UnitValues
from unmask.metrics.privacy.attack import attacks
from unmask.metrics.privacy.deid_rate import CANDIDATES


class OwnDistance:
    """`own_distance` for every recogniser: what the matching rates are decided by, before any threshold."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="own_distance",
            version="2",
            family="privacy",
            direction="none",
            unit="cosine distance",
            bounds=(0.0, FARTHEST),
            title="Distance to its own original",
            question="How far apart does a recogniser see a released face and its own original?",
            how="Cosine distance (1 - cosine similarity) of the original's embedding and the nearest of the released "
            f"candidates: {CANDIDATES} Mean over the faces of which something is left to compare; errors count 0.",
            source="Thesis 4.1 (the distance behind its rate)",
            limits="Each recogniser has a scale of its own: compare it with that recogniser's threshold, never with "
            "another's distance. A mean hides the few faces that are near; the rates do not.",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """One value a face and attack."""
        for attack in attacks(evidence):
            yield UnitValues("own_distance", attack.recogniser, attack.own_distance, eligible=~attack.gone)
