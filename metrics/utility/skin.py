"""What happens to the skin tone: is it still seen, does it become alike for all, does it reach a target?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence, Readings
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.metrics.utility.attributes import instruments_with

CHANNELS = {"r": "red", "g": "green", "b": "blue"}
_SCALE = (
    "Squared differences of 0..255 values, averaged over the three channels. The thesis's tables cannot be compared: "
    "19768 at an average tone of [222, 166, 145] exceeds the largest possible mean over channels (12683), and 49001 at "
    "[175, 141, 124] even the largest possible sum (46318)."
)
_SIGNED = "The interval is that of the signed shift: where it holds no shift at all, it begins at 0."
_SCORED = "Faces whose skin could not be estimated on the output are not scored."

_SKIN: Final = partial(
    MetricCard,
    version="1",
    family="skin",
    direction="none",
    unit="0..255",
    bounds=(0.0, 255.0),
    source="thesis 4.3, Evaluating Skin Color",
)
_SQUARED: Final = partial(_SKIN, unit="0..255 squared", bounds=(0.0, 255.0**2))
_SHIFT: Final = partial(_SKIN, direction="lower", unit="%", bounds=(0.0, None))
_ITA: Final = partial(_SKIN, unit="degrees", source="Chardon et al. 1991, doi:10.1111/j.1467-2494.1991.tb00561.x")


class SkinTone:
    """Everything about the dominant skin colour of the outputs; ``skin_target_*`` only where a target is set."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _SKIN(
            name="skin_estimated",
            title="Skin tone estimable",
            question="On how many faces can a skin tone still be estimated?",
            how="Share of all faces on whose output the estimator finds one dominant skin colour; a face that is "
            "gone, or that has no output, counts as not estimated.",
            direction="higher",
            unit="share",
            bounds=(0, 1),
            limits="The estimator's rules fit light skin better than very dark skin: see the subgroups and the "
            "control.",
        ),
        _SQUARED(
            name="skin_mse",
            title="Skin tones differ by",
            question="How different are the skin tones of the outputs from one another?",
            how="Mean squared difference of each output's dominant skin colour to the average over all estimated "
            f"outputs. {_SCORED}",
            limits="Low is the aim only of a method that gives everybody one tone (hypothesis H3). " + _SCALE,
            headline=50,
            stands_in_for="ita_change",
        ),
        _SQUARED(
            name="skin_target_mse",
            title="Skin tone off the target",
            question="How far are the skin tones of the outputs from the target tone?",
            how="Mean squared difference of each output's dominant skin colour to the configured target. " + _SCORED,
            direction="lower",
            limits=_SCALE,
        ),
        *(
            _SKIN(
                name=f"skin_{c}",
                title=f"Average skin tone, {colour}",
                question="What is the average skin colour of the outputs?",
                how=f"Mean of the {colour} value of the outputs' dominant skin colour. {_SCORED}",
            )
            for c, colour in CHANNELS.items()
        ),
        *(
            _SHIFT(
                name=f"skin_deviation_{c}",
                title=f"Average skin tone shifted, {colour}",
                question="How far does the average skin tone move from that of the originals?",
                how=f"|mean {colour} of the outputs - of the originals| in percent of the originals', over the faces "
                f"estimated on both. {_SIGNED}",
                limits="Shifts that differ from person to person can cancel out. A method that changes the tone on "
                "purpose is judged by skin_target_deviation instead.",
            )
            for c, colour in CHANNELS.items()
        ),
        *(
            _SHIFT(
                name=f"skin_target_deviation_{c}",
                title=f"Average skin tone off the target, {colour}",
                question="How far is the average skin tone from the target tone?",
                how=f"|mean {colour} of the outputs - the configured target| in percent of the target. {_SCORED} "
                f"{_SIGNED}",
                source="thesis hypothesis H3: at most 20 % for each of R, G and B",
                limits="An average on the target can be made of people on either side of it: see skin_target_mse.",
            )
            for c, colour in CHANNELS.items()
        ),
        _ITA(
            name="ita",
            title="Skin lightness (ITA)",
            question="How light is the skin of the outputs?",
            how="Mean individual typology angle of the dominant skin colour: arctan((L* - 50) / b*) in degrees. Above "
            f"55 very light, below -30 dark. {_SCORED}",
            bounds=(-180, 180),
            limits="Photos are not colour-calibrated: lighting moves it as much as skin does.",
        ),
        _ITA(
            name="ita_change",
            title="Skin lightness changed by",
            question="Do people become lighter (above 0) or darker (below 0)?",
            how="Mean of ITA on the output minus ITA on the original of the same face, over the faces estimated on "
            "both.",
            bounds=(-360, 360),
            limits="Lightening some and darkening others cancels out: see the subgroups by skin tone.",
            headline=50,
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:skin",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic]:
        """Values a face, and the deviation of averages."""
        target = evidence.settings.skin_target
        for name in instruments_with(evidence, "ita"):
            before, after = tones(evidence.original, name), tones(evidence.anonymized, name)
            estimated = ~np.isnan(after).any(axis=1)
            average = after[estimated].mean(axis=0) if estimated.any() else np.full(3, np.nan)
            yield UnitValues("skin_estimated", name, np.asarray(estimated, np.float64), share=True)
            yield UnitValues("skin_mse", name, ((after - average) ** 2).mean(axis=1))
            for index, c in enumerate(CHANNELS):
                yield UnitValues(f"skin_{c}", name, after[:, index])
                yield _shift(f"skin_deviation_{c}", name, after[:, index], before[:, index])
            if target is not None:
                aim = np.tile(np.array(target, dtype=np.float64), (len(after), 1))
                yield UnitValues("skin_target_mse", name, ((after - aim) ** 2).mean(axis=1))
                for index, c in enumerate(CHANNELS):
                    yield _shift(f"skin_target_deviation_{c}", name, after[:, index], aim[:, index])
            angle = np.asarray(evidence.anonymized[name]["ita"], np.float64)
            yield UnitValues("ita", name, angle)
            yield UnitValues("ita_change", name, angle - np.asarray(evidence.original[name]["ita"], np.float64))


def tones(readings: Readings, name: str) -> Float:
    """(N, 3) dominant skin colour, RGB 0..255; a row is all NaN where it was not estimated."""
    rgb: Float = np.stack([np.asarray(readings[name][c], np.float64) for c in CHANNELS], axis=1)
    return np.where(np.isnan(rgb).any(axis=1, keepdims=True), np.nan, rgb)


def deviation(values: Float, reference: Float) -> Callable[[Float], float]:
    """Weights -> percent by which the weighted mean of ``values`` is above (> 0) or below that of ``reference``.

    Both (N,); weights are 0 where either is NaN. NaN where undefined.
    """

    def compute(weights: Float) -> float:
        drawn = weights > 0
        if not drawn.any():
            return float("nan")
        w = weights[drawn]
        now, aim = np.average(values[drawn], weights=w), np.average(reference[drawn], weights=w)
        return float((now - aim) / aim * 100) if aim > 0 else float("nan")

    return compute


def _shift(metric: str, name: str, values: Float, reference: Float) -> SetStatistic:
    scored = ~np.isnan(values) & ~np.isnan(reference)
    return SetStatistic(metric, name, deviation(values, reference), scored, magnitude=True)
