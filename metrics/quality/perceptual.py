"""How different do the pictures look, by the features of an image network (LPIPS)?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.values import UnitValues
from unmask.metrics.quality.pixel_quality import of_changed, unit_values

METRICS = {"lpips-alex": "lpips_alex", "lpips-vgg": "lpips_vgg"}
"""Instrument -> metric."""
CHANGED = "lpips_alex"
"""Also asked of the changed faces alone."""


def _card(name: str, network: str, size: str, *, changed: bool = False) -> MetricCard:
    over = (
        f"As {name}, of changed faces only: not of missed ones, which count 0 there, nor of errors."
        if changed
        else f"LPIPS 0.1 with {network}: distance of unit-normalised features of five layers, weighted per channel. 0 "
        f"= identical. {size} Regions: face = the crop around the judge's box; image = the whole photo; background = "
        "all outside the faces, the faces black in both."
    )
    return MetricCard(
        name=f"{name}_changed" if changed else name,
        version="1",
        family="quality",
        direction="lower",
        unit="LPIPS",
        bounds=(0, None),
        title=f"LPIPS ({network}), changed faces" if changed else f"LPIPS ({network})",
        question=(
            "Where a face was changed, how different does it look to a network trained on human judgements?"
            if changed
            else "How different do the original and the output look to a network trained on human judgements?"
        ),
        how=over,
        source="Zhang et al. 2018, arXiv:1801.03924; thesis 4.3",
        limits="It measures change, not realism: a flawless new face still differs from the old one.",
        headline=61 if name == "lpips_alex" and not changed else None,
    )


class Perceptual:
    """`lpips_alex` and `lpips_vgg` out of the stored readings."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card("lpips_alex", "AlexNet", "Images above 256 px are reduced to that first."),
        _card("lpips_vgg", "VGG-16", "Images above 64 px are reduced to that first: fine detail is not seen."),
        _card("lpips_alex", "AlexNet", "", changed=True),
    )
    needs: ClassVar[tuple[str, ...]] = tuple(METRICS)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face (region ``face``) or an image, for each of the two networks that was run."""
        for region, readings in evidence.pairs.items():
            for instrument, metric in METRICS.items():
                if instrument not in readings:
                    continue
                values = unit_values(metric, instrument, readings[instrument][f"{metric}|standard"], region)
                yield values
                if region == "face" and metric == CHANGED:
                    yield of_changed(evidence, values)
