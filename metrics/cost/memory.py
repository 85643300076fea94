"""How much memory does a method take?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic


class Memory:
    """`peak_memory_mib`, one measurement a method."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="peak_memory_mib",
            version="1",
            family="cost",
            direction="lower",
            unit="MiB",
            bounds=(0, None),
            title="Peak memory",
            question="How much memory does the method need beyond the harness itself?",
            how="Largest resident memory of the method's own process, less what the process held before the "
            "method was loaded. One measurement over all images, so there is no interval.",
            source="unmask",
            limits="Memory of a graphics card is not in it, nor what the method shares with the harness. Grows with "
            "the largest photo of the data set.",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ()

    def ask(self, evidence: Evidence) -> Iterator[SetStatistic]:
        """One statistic of the whole set of images."""
        peak = float(evidence.peak_memory_mib)

        def compute(weights: Float) -> float:
            # Of any other set of images the peak was not measured: NaN, hence no interval and no subgroups.
            return peak if len(weights) and bool((weights == 1).all()) else math.nan

        scored = np.full(len(evidence.images), not math.isnan(peak))
        # By leaving images out, no draw is ever the whole set again; a bootstrap's could be, by chance.
        yield SetStatistic("peak_memory_mib", "rss", compute, scored, "image", "image", resampling="jackknife")
