"""The few numbers that stand for a method: `MetricCard.headline`, read by pages, terminal and exports alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from unmask.bench.core.cards import MetricCard

WORST: Final = "worst"
"""The instrument name of the strongest attack."""
WITHOUT: Final = "-without-"
"""Follows `WORST` in the name of the strongest of those attacks that could be tried where attackers could not have the
``method``, or not what it makes of ``background`` people or, once more, of tested ones (``enrolment``)."""

JUDGE: Final = "yunet"
"""The detector that says how faces ended: what it alone measures is no attack."""

HEADLINE_RISK: Final = "residual_risk"
"""Leads where attackers who know the method were asked."""
HEADLINE_PRIVACY: Final = "deid_rate@1e-3"
HEADLINE_EXPOSURE: Final = "tracks_exposed"
HEADLINE_UTILITY: Final = "gender_estimated_correct"
"""Those that methods are ordered and drawn by."""

Key = tuple[str, str, str]
"""Metric, instrument, region; of clips the region is ''."""

_REGIONS = ("", "face", "image", "background", "wide")


def headline_metrics(cards: Mapping[str, MetricCard]) -> list[tuple[str, ...]]:
    """The headline metrics in order, each with those that stand in for it."""
    heads = [card for card in cards.values() if card.headline is not None]
    places: dict[str, list[str]] = {}
    for card in sorted(heads, key=lambda card: (card.headline, bool(card.stands_in_for))):
        places.setdefault(card.stands_in_for or card.name, []).append(card.name)
    return [tuple(names) for names in places.values()]


def headline_keys(
    cards: Mapping[str, MetricCard], measured: Sequence[Key], valued: Collection[Key], *, instruments: Sequence[str]
) -> list[Key]:
    """One column for each headline metric that is among ``measured``, in their order.

    ``valued``: those for which any method has a number. ``instruments``: the default ones; ``worst`` goes before them.
    """
    keys = []
    for names in headline_metrics(cards):
        columns = [key for name in names if (key := speaking_key(measured, name, instruments)) is not None]
        keys += [next((key for key in columns if key in valued), columns[0])] if columns else []
    return keys


def speaking_key(measured: Sequence[Key], metric: str, instruments: Sequence[str]) -> Key | None:
    """The key that speaks for a metric: the judge's, else its worst attack, else the first default instrument's; on the
    face."""
    order = [JUDGE, WORST, *instruments]

    def preference(key: Key) -> tuple[int, int]:
        return order.index(key[1]) if key[1] in order else len(order), _REGIONS.index(key[2])

    return min((key for key in measured if key[0] == metric), key=preference, default=None)
