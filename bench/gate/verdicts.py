"""Losses with their intervals -> verdicts, by rules that never let a small sample pass for a good one.

A loss is what is worse for the people and users concerned, whichever way the metric counts. With its 95 % interval
[L, U] and the margin m, the smallest loss that matters:

- identical: the outputs are byte for byte the same;
- better: U < 0, worse: L > 0 and U >= m, both only where Holm's correction over all metrics and subgroups leaves
  p < .05;
- no worse: U < m (non-inferiority, at 2.5 % on one side). This is not corrected: with several metrics to pass a
  candidate has no more chances, but fewer (Berger, Technometrics 24(4), 1982);
- inconclusive: anything else, with the number of faces that would settle it.

A sample that is too small is inconclusive, so that it never passes by default.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy import special

from unmask.bench.core.cards import Family, MetricCard
from unmask.bench.core.stats.compare import ALPHA, holm
from unmask.bench.store.gating import Verdict

MOST_FACES: Final = 1_000_000
"""More faces than this settle nothing: the loss lies too near to the margin, or to 0."""


@dataclass(frozen=True, slots=True)
class Loss:
    """How much worse the candidate is than the baseline in one metric, for everybody or for one subgroup."""

    value: float
    low: float
    high: float
    """95 % interval, not corrected; NaN = too few people."""
    p: float
    """Two-sided, of no difference; NaN = not tested."""
    faces: int
    """Measured for both."""
    people: int
    lost: int = 0
    """Faces measured for the baseline but not for the candidate."""
    discordant: bool = True
    """Whether any face counts for one of the two only; a metric that is no share always says yes."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict on one loss."""

    word: Verdict
    p_adjusted: float
    """Holm's over all losses ruled on together; NaN = not tested."""
    faces_needed: int | None = None
    """Of an inconclusive one: about how many faces, of as many people in proportion, would settle it; ``None`` = more
    than `MOST_FACES`, or nothing is known of the variation."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The smallest loss that matters."""

    absolute: float = 0.0
    """In the metric's unit."""
    relative: float = 0.0
    """As a share of the baseline's value."""

    def of(self, baseline: float) -> float:
        """The margin where the baseline has this value: the larger of the two."""
        return max(self.absolute, self.relative * abs(baseline) if math.isfinite(baseline) else 0.0)


SHARE_MARGINS: Final[dict[Family, float]] = {"privacy": 0.05, "outcome": 0.05, "exposure": 0.05, "audit": 0.05}
"""Of shares and of what lies on the same scale. 200 faces of as many people can decide them: where no face differs,
the interval ends at 1.8 points; where 5 % differ in each direction, at 4.8 points."""
SHARE_MARGIN: Final = 0.10
"""Of shares of other families."""
METRIC_MARGINS: Final = {
    "ssim": Margin(0.02),
    "ms_ssim": Margin(0.02),
    "lpips_alex": Margin(0.02),
    "lpips_vgg": Margin(0.02),
    "kid": Margin(0.01, 0.10),
    "fid": Margin(0.0, 0.10),
    "psnr": Margin(1.0),
}
RELATIVE_MARGIN: Final = 0.10
"""Of everything else: a tenth of the baseline's value."""
_RATES: Final = ("share", "share difference", "AUC", "ARI", "ratio")


def default_margin(card: MetricCard) -> Margin:
    """The margin of a metric of which a policy says nothing."""
    named = card.name.removesuffix("_changed")
    if named in METRIC_MARGINS:
        return METRIC_MARGINS[named]
    if card.unit in _RATES:
        return Margin(SHARE_MARGINS.get(card.family, SHARE_MARGIN))
    return Margin(relative=RELATIVE_MARGIN)


def rule(losses: Sequence[Loss], margins: Sequence[float], alpha: float = ALPHA) -> list[Ruling]:
    """The verdict on each loss; better and worse are corrected over all of them."""
    tested = [each.p for each in losses if not math.isnan(each.p)]
    corrected = iter(holm(tested))
    adjusted = [math.nan if math.isnan(each.p) else next(corrected) for each in losses]
    return [
        _ruling(each, margin, p, len(tested), alpha) for each, margin, p in zip(losses, margins, adjusted, strict=True)
    ]


def _ruling(loss: Loss, margin: float, p_adjusted: float, tests: int, alpha: float) -> Ruling:
    if math.isnan(loss.value) or not loss.faces:
        return Ruling("not measured", p_adjusted)
    clear = p_adjusted < alpha
    if clear and loss.high < 0:
        return Ruling("better", p_adjusted)
    if clear and loss.low > 0 and loss.high >= margin:
        return Ruling("worse", p_adjusted)
    if loss.high < margin:
        return Ruling("no worse", p_adjusted)
    return Ruling("inconclusive", p_adjusted, faces_needed(loss, margin, tests, alpha))


def faces_needed(loss: Loss, margin: float, tests: int = 1, alpha: float = ALPHA) -> int | None:
    """About how many faces would settle an inconclusive loss if it stays as large as it is: below the margin they make
    it *no worse*, at or above it *worse* in spite of a correction for ``tests`` tests.

    Intervals narrow with the square root of the number of faces; where no face differs, with the number itself.
    """
    if math.isnan(loss.high) or margin <= 0 or not loss.people:
        return None
    if not loss.discordant and loss.value == 0:
        people = math.log(alpha / 2) / math.log1p(-margin)
        return _reachable(people * loss.faces / loss.people, loss.faces)
    if loss.value < margin:
        times = (loss.high - loss.value) / (margin - loss.value)
    else:
        single, corrected = (float(special.ndtri(1 - alpha / (2 * k))) for k in (1, max(tests, 1)))
        times = (loss.value - loss.low) * corrected / single / loss.value
    return _reachable(times**2 * loss.faces, loss.faces)


def _reachable(faces: float, there: int) -> int | None:
    """Rounded up, and more than there are: these did not settle it."""
    return max(math.ceil(faces), there + 1) if faces <= MOST_FACES else None


def collapsed(group: Verdict, everybody: Verdict) -> bool:
    """Whether a subgroup is worse while everybody together passes."""
    return group in ("worse", "newly failed") and everybody in ("identical", "better", "no worse", "inconclusive")
