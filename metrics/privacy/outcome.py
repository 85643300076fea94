"""How every face ended, and whether a face is found again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.clips import NOT_MEASURED
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Bools, Float, Floats32, Outcome, Strings
from unmask.bench.core.values import Histogram, SetStatistic, UnitValues


def outcome_share(outcome: Strings, which: Outcome) -> Float:
    """(N,) 1.0 where a face ended so, else 0.0; NaN only where nothing was written that could be measured."""
    share = np.equal(outcome, which.value).astype(np.float64)
    return np.where(outcome == NOT_MEASURED, np.nan, share)


def face_found(landmarks: Floats32) -> Bools:
    """(N,) whether the judge's detector found a face again; ``landmarks`` (N, 5, 2), NaN = not found."""
    return np.asarray(np.isfinite(landmarks).all(axis=(1, 2)), dtype=np.bool_)


_OUTCOME: Final = partial(MetricCard, family="outcome", unit="share", bounds=(0.0, 1.0))


def _card(outcome: Outcome, direction: Direction, question: str, how: str) -> MetricCard:
    return _OUTCOME(
        name=f"outcome_{outcome.value}",
        version="2",
        direction=direction,
        title=outcome.value.capitalize(),
        question=question,
        how=f"{how} Share of all faces; the four outcomes add up to 1.",
        source="unmask",
        limits="Says what became of a face, not how private it is: an anonymized face may still be recognised. "
        "Whether a face is found depends on two detectors.",
    )


class OutcomeShares:
    """`outcome_*` and `detection_rate`."""

    needs: ClassVar[tuple[str, ...]] = ("yunet",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            Outcome.ANONYMIZED,
            "higher",
            "How many faces were changed and are still faces?",
            "The face is not missed, and a face is found at the same place: by the judge's detector or, where it finds "
            "none, by a second one (BlazeFace).",
        ),
        _card(
            Outcome.DESTROYED,
            "lower",
            "How many faces are no longer faces, and so of no use?",
            "The face is not missed, and neither the judge's detector nor a second one (BlazeFace) finds a face there.",
        ),
        _card(
            Outcome.MISSED,
            "lower",
            "How many faces did the method leave as they were?",
            "The output's pixels at the face are the input's; or one smooth tone curve per channel and noise of at "
            "most 1.5 times what JPEG quality 50 leaves make them of the input's (middle ellipse of the box, its worst "
            "5 % of pixels aside), and a recogniser of the run still matches the face at FMR 1e-3, in any reading; "
            "without a recogniser the first part decides. A privacy failure.",
        ),
        _card(
            Outcome.ERROR,
            "lower",
            "How many faces got no usable output at all?",
            "The method crashed, or gave no image or one of another size. A failure of privacy and of usefulness.",
        ),
        _OUTCOME(
            name="detection_rate",
            version="1",
            direction="higher",
            title="Face found again",
            question="In how many outputs is the face still found?",
            how="Share of all faces at whose place the judge's detector finds a face in the output; errors: not found.",
            source="unmask; the detection step of the thesis's protocol (4.1)",
            limits="Missed faces are found too: read it beside outcome_missed. Says nothing about privacy.",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram]:
        """Five values a face."""
        (judge,) = self.needs
        for outcome in Outcome:
            yield UnitValues(f"outcome_{outcome.value}", judge, outcome_share(evidence.outcome, outcome), share=True)
        again = face_found(evidence.landmarks) & (evidence.outcome != Outcome.ERROR.value)
        rate = np.where(evidence.outcome == NOT_MEASURED, np.nan, again.astype(np.float64))
        yield UnitValues("detection_rate", judge, rate, share=True)
