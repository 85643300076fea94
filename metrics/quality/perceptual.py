"""How different do the pictures look, by the features of an image network (LPIPS)?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from bench.core.cards import MetricCard
from bench.core.evidence import Evidence
from bench.core.values import UnitValues
from metrics.quality.pixel_quality import unit_values

METRICS = {"lpips-alex": "lpips_alex", "lpips-vgg": "lpips_vgg"}
"""Instrument -> metric."""


def _card(name: str, network: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="quality",
        direction="lower",
        unit="LPIPS",
        bounds=(0, None),
        title=f"LPIPS ({network})",
        question="How different do the original and the output look to a network trained on human judgements?",
        how=f"LPIPS 0.1 with {network}: distance of unit-normalised features of five layers, weighted per channel. 0 = "
        "identical. Regions: face = the crop around the judge's box; image = the whole photo; background = all outside "
        "the faces, the faces black in both.",
        source="Zhang et al. 2018, arXiv:1801.03924; thesis 4.3",
        limits="It measures change, not realism: a flawless new face still differs from the old one.",
    )


class Perceptual:
    """`lpips_alex` and `lpips_vgg` out of the stored readings."""

    cards: ClassVar[tuple[MetricCard, ...]] = (_card("lpips_alex", "AlexNet"), _card("lpips_vgg", "VGG-16"))
    needs: ClassVar[tuple[str, ...]] = tuple(METRICS)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face (region ``face``) or an image, for each of the two networks that was run."""
        for region, readings in evidence.pairs.items():
            for instrument, metric in METRICS.items():
                if instrument in readings:
                    yield unit_values(metric, instrument, readings[instrument][f"{metric}|standard"], region)
