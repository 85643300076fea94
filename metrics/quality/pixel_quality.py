"""How much does the picture change, pixel by pixel and in its structure? Of face, photo and background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Outcome, Region
from unmask.bench.core.values import UnitValues

INSTRUMENT = "pixels"
CHANGED = ("psnr", "ssim")
"""Also asked of the changed faces alone."""
_REGIONS = (
    " Regions: face = the crop around the judge's box; image = the whole photo; background = all outside the faces."
)
_ALIKE = "It measures change, not realism: a flawless new face scores worse than a slight blur. "


def _card(
    name: str,
    title: str,
    question: str,
    how: str,
    source: str,
    bounds: tuple[float | None, float | None],
    *,
    direction: Direction = "lower",
    unit: str = "0..1",
    limits: str = "",
) -> MetricCard:
    return MetricCard(
        name,
        "1",
        "quality",
        direction,
        unit,
        bounds,
        title,
        question,
        how + _REGIONS,
        source,
        (_ALIKE + limits).strip(),
        headline=60 if name == "ssim" else None,
    )


class PixelQuality:
    """Seven full-reference measures out of the stored ``pixels`` readings, two also of the changed faces alone."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "l1",
            "L1",
            "By how much does a pixel change on average?",
            "Mean absolute difference of values scaled to 0..1.",
            "thesis 4.3, eq. 4.1 with p = 1, as a mean",
            (0, 1),
        ),
        _card(
            "l2",
            "L2",
            "By how much does a pixel change, large changes weighing more?",
            "standard: mean squared difference of values scaled to 0..1. thesis-compat: the root of it per image, then "
            "the mean over images, as in the code that the thesis used.",
            "thesis 4.3, eq. 4.1 with p = 2, as a mean",
            (0, 1),
        ),
        _card(
            "smooth_l1",
            "Smooth L1",
            "By how much does a pixel change, small changes weighing less?",
            "Mean of d^2 / 2 for differences d below 1, else |d| - 1/2 (beta = 1), of values scaled to 0..1.",
            "thesis 4.3, eq. 4.2; Girshick 2015, eq. 3",
            (0, 0.5),
            limits="With values in 0..1 it is half the mean squared difference.",
        ),
        _card(
            "psnr",
            "PSNR",
            "How strong is the picture against the change made to it?",
            "10 log10(1 / MSE) per image of values scaled to 0..1, at most 100 dB, which stands for identical images; "
            "mean over images.",
            "thesis 4.3, eq. 4.3",
            (0, 100),
            direction="higher",
            unit="dB",
            limits="Images that were left unchanged count 100 dB and lift the mean: see psnr_changed.",
        ),
        _card(
            "ssim",
            "SSIM",
            "How much of the local structure is kept?",
            "Gaussian window 11 px, sigma 1.5, on values in 0..1, images above 256 px reduced to that first. standard: "
            "K1 .01, K2 .03. thesis-compat: K1 .0001, K2 .0009, as in the code that the thesis used.",
            "Wang et al. 2004, doi:10.1109/TIP.2003.819861; thesis 4.3, eq. 4.7",
            (-1, 1),
            direction="higher",
            unit="1 = identical",
            limits="Regions below 11 px a side cannot be scored.",
        ),
        _card(
            "ms_ssim",
            "MS-SSIM",
            "How much of the structure is kept, from fine to coarse?",
            "SSIM's contrast and structure at five scales with the published weights, images above 256 px reduced to "
            "that first; the window shrinks for regions of 160 px or less.",
            "Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216; thesis 4.3, eq. 4.8",
            (0, 1),
            direction="higher",
            unit="1 = identical",
            limits="Regions of 32 px a side or less cannot be scored.",
        ),
        _card(
            "ms_ssim_l1",
            "MS-SSIM + L1",
            "How large is the loss that mixes structure and pixel differences?",
            "compensation * (alpha (1 - MS-SSIM) + (1 - alpha) Gaussian L1). standard: alpha .025, compensation 200. "
            "thesis-compat: alpha .84, compensation .2.",
            "Zhao et al. 2017, doi:10.1109/TCI.2016.2644865; thesis 4.3, eq. 4.9, and 4.6",
            (0, None),
            unit="loss",
            limits="The two variants are on different scales.",
        ),
        *(
            _card(
                f"{name}_changed",
                f"{title}, changed faces",
                question,
                f"As {name} (standard), of changed faces only: not of missed ones, whose pixels would lift it, nor of "
                "errors.",
                "unmask",
                bounds,
                direction="higher",
                unit=unit,
                limits="Whom a method misses differs from method to method: read it beside outcome_missed.",
            )
            for name, title, question, bounds, unit in (
                (
                    "psnr",
                    "PSNR",
                    "Where a face was changed, how strong is the picture against the change?",
                    (0, 100),
                    "dB",
                ),
                (
                    "ssim",
                    "SSIM",
                    "Where a face was changed, how much of its structure is kept?",
                    (-1, 1),
                    "1 = identical",
                ),
            )
        ),
    )
    needs: ClassVar[tuple[str, ...]] = (INSTRUMENT,)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face (region ``face``) or an image; the instrument is the variant."""
        for region, readings in evidence.pairs.items():
            for column, values in readings.get(INSTRUMENT, {}).items():
                metric, _, variant = column.partition("|")
                yield unit_values(metric, variant, values, region)
                if region == "face" and variant == "standard" and metric in CHANGED:
                    yield of_changed(evidence, unit_values(metric, variant, values, region))


def of_changed(evidence: Evidence, values: UnitValues) -> UnitValues:
    """The same values, asked of the faces that were changed only."""
    left = np.isin(evidence.outcome, [Outcome.MISSED.value, Outcome.ERROR.value])
    return replace(values, metric=f"{values.metric}_changed", eligible=~left)


def unit_values(metric: str, instrument: str, values: NDArray[Any], region: str) -> UnitValues:
    """A stored column of one region as the values of a metric."""
    unit: Mapping[str, Any] = {"unit": "face" if region == "face" else "image"}
    return UnitValues(metric, instrument, np.asarray(values, np.float64), region=cast(Region, region), **unit)
