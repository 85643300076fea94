"""How much does an image change, pixel by pixel, in its structure, and to a network? Of face, photo, background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Outcome, Region, unit_of
from unmask.bench.core.values import UnitValues

PIXELS: Final = "pixels"
NETWORKS: Final = {"lpips-alex": "lpips_alex", "lpips-vgg": "lpips_vgg"}
"""Instrument -> metric."""
CHANGED: Final = ("psnr", "ssim", "lpips_alex")
"""Also measured on the changed faces alone."""
_REGIONS: Final = (
    "Regions: face = the crop around the judge's box; image = the whole photo; background = all outside the faces."
)
_CHANGE: Final = "It measures change, not realism: a flawless new face scores worse than a slight blur. "
_SCALED: Final = "of values scaled to 0..1"
_PAIR: Final = partial(MetricCard, version="1", family="quality", direction="lower")
_PIXEL: Final = partial(_PAIR, unit="0..1", limits=_CHANGE.strip())
_KEPT: Final = partial(_PAIR, direction="higher", unit="1 = identical")
_LPIPS: Final = partial(
    _PAIR,
    unit="LPIPS",
    bounds=(0.0, None),
    source="Zhang et al. 2018, arXiv:1801.03924; thesis 4.3",
    limits="It measures change, not realism: a flawless new face still differs from the old one.",
)


def _of_changed(card: MetricCard, question: str) -> MetricCard:
    """The card of the same metric, of changed faces only."""
    changed = replace(
        card,
        name=f"{card.name}_changed",
        title=f"{card.title}, changed faces",
        question=f"Where a face was changed, {question}?",
        how=f"As {card.name}, of changed faces only: not of missed ones, which count 0 there, nor of errors.",
        headline=None,
    )
    if card.unit == "LPIPS":
        return changed
    return replace(
        changed,
        how=f"As {card.name} (standard), of changed faces only: not of missed ones, whose pixels would lift it, nor of "
        f"errors. {_REGIONS}",
        source="unmask",
        limits=f"{_CHANGE}Whom a method misses differs from method to method: read it beside outcome_missed.",
    )


_PSNR: Final = _KEPT(
    name="psnr",
    title="PSNR",
    question="How strong is the image against the change made to it?",
    how=f"10 log10(1 / MSE) per image {_SCALED}, at most 100 dB, which stands for identical images; mean over images. "
    f"{_REGIONS}",
    source="thesis 4.3, eq. 4.3",
    unit="dB",
    bounds=(0.0, 100.0),
    limits=f"{_CHANGE}Images that were left unchanged count 100 dB and lift the mean: see psnr_changed.",
)
_SSIM: Final = _KEPT(
    name="ssim",
    title="SSIM",
    question="How much of the local structure is kept?",
    how="Gaussian window 11 px, sigma 1.5, on values in 0..1, images above 256 px reduced to that first. standard: K1 "
    f".01, K2 .03. thesis-compat: K1 .0001, K2 .0009, as in the code that the thesis used. {_REGIONS}",
    source="Wang et al. 2004, doi:10.1109/TIP.2003.819861; thesis 4.3, eq. 4.7",
    bounds=(-1.0, 1.0),
    limits=f"{_CHANGE}Regions below 11 px a side cannot be scored.",
    headline=60,
)


class PixelQuality:
    """Seven full-reference measures out of the stored ``pixels`` readings, two also of the changed faces alone."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _PIXEL(
            name="l1",
            title="L1",
            question="By how much does a pixel change on average?",
            how=f"Mean absolute difference {_SCALED}. {_REGIONS}",
            source="thesis 4.3, eq. 4.1 with p = 1, as a mean",
            bounds=(0.0, 1.0),
        ),
        _PIXEL(
            name="l2",
            title="L2",
            question="By how much does a pixel change, large changes weighing more?",
            how=f"standard: mean squared difference {_SCALED}. thesis-compat: the root of it per image, then the mean "
            f"over images, as in the code that the thesis used. {_REGIONS}",
            source="thesis 4.3, eq. 4.1 with p = 2, as a mean",
            bounds=(0.0, 1.0),
        ),
        _PIXEL(
            name="smooth_l1",
            title="Smooth L1",
            question="By how much does a pixel change, small changes weighing less?",
            how=f"Mean of d^2 / 2 for differences d below 1, else |d| - 1/2 (beta = 1), {_SCALED}. {_REGIONS}",
            source="thesis 4.3, eq. 4.2; Girshick 2015, eq. 3",
            bounds=(0.0, 0.5),
            limits=f"{_CHANGE}With values in 0..1 it is half the mean squared difference.",
        ),
        _PSNR,
        _SSIM,
        _KEPT(
            name="ms_ssim",
            title="MS-SSIM",
            question="How much of the structure is kept, from fine to coarse?",
            how="SSIM's contrast and structure at five scales with the published weights, images above 256 px reduced "
            f"to that first; the window shrinks for regions of 160 px or less. {_REGIONS}",
            source="Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216; thesis 4.3, eq. 4.8",
            bounds=(0.0, 1.0),
            limits=f"{_CHANGE}Regions of 32 px a side or less cannot be scored.",
        ),
        _PIXEL(
            name="ms_ssim_l1",
            title="MS-SSIM + L1",
            question="How large is the loss that mixes structure and pixel differences?",
            how="compensation * (alpha (1 - MS-SSIM) + (1 - alpha) Gaussian L1). standard: alpha .025, compensation "
            f"200. thesis-compat: alpha .84, compensation .2. {_REGIONS}",
            source="Zhao et al. 2017, doi:10.1109/TCI.2016.2644865; thesis 4.3, eq. 4.9, and 4.6",
            unit="loss",
            bounds=(0.0, None),
            limits=f"{_CHANGE}The two variants are on different scales.",
        ),
        _of_changed(_PSNR, "how strong is the image against the change"),
        _of_changed(_SSIM, "how much of its structure is kept"),
    )
    needs: ClassVar[tuple[str, ...]] = (PIXELS,)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face (regions ``face`` and ``wide``) or an image; the instrument is the variant."""
        for region, readings in evidence.pairs.items():
            for column, values in readings.get(PIXELS, {}).items():
                metric, _, variant = column.partition("|")
                yield from _values(evidence, metric, variant, values, region, standard=variant == "standard")


def _network(name: str, network: str, size: str, headline: int | None = None) -> MetricCard:
    return _LPIPS(
        name=name,
        title=f"LPIPS ({network})",
        question="How different do the original and the output look to a network trained on human judgements?",
        how=f"LPIPS 0.1 with {network}: distance of unit-normalised features of five layers, weighted per channel. 0 = "
        f"identical. {size} {_REGIONS[:-1]}, the faces black in both.",
        headline=headline,
    )


_ALEX: Final = _network("lpips_alex", "AlexNet", "Images above 256 px are reduced to that first.", 61)


class Perceptual:
    """`lpips_alex` and `lpips_vgg` out of the stored readings, the first also of the changed faces alone."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _ALEX,
        _network("lpips_vgg", "VGG-16", "Images above 64 px are reduced to that first: fine detail is not seen."),
        _of_changed(_ALEX, "how different does it look to a network trained on human judgements"),
    )
    needs: ClassVar[tuple[str, ...]] = tuple(NETWORKS)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face (regions ``face`` and ``wide``) or an image, for each of the two networks that was run."""
        for region, readings in evidence.pairs.items():
            for instrument, metric in NETWORKS.items():
                if instrument in readings:
                    column = readings[instrument][f"{metric}|standard"]
                    yield from _values(evidence, metric, instrument, column, region)


def _values(
    evidence: Evidence, metric: str, instrument: str, column: NDArray[Any], region: str, *, standard: bool = True
) -> Iterator[UnitValues]:
    """A stored column of one region as the values of a metric, and again of the faces that were changed only."""
    column = np.asarray(column, np.float64)
    values = UnitValues(metric, instrument, column, region=cast(Region, region), unit=unit_of(region))
    yield values
    if unit_of(region) == "face" and standard and metric in CHANGED:
        left = np.isin(evidence.outcome, [Outcome.MISSED.value, Outcome.ERROR.value])
        yield replace(values, metric=f"{metric}_changed", eligible=~left)
