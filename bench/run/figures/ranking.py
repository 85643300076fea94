"""Methods against each other on the same faces: paired differences, and the ranks that they leave open."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.headlines import Key
from unmask.bench.core.stats.compare import Comparison, compare, holm, rank_ranges
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.run.figures.rows import Answer, finite
from unmask.bench.store.results import ComparisonRow, RankRow

Pair = frozenset[str]
HeadsOf = Callable[[Sequence[Key], Collection[Key]], Sequence[Key]]


def no_heads(keys: Sequence[Key], valued: Collection[Key]) -> list[Key]:
    """No column is a headline."""
    return []


def compare_methods(
    dataset: str,
    answers: Mapping[str, Sequence[Answer]],
    resamples: Mapping[str, ClusterResamples],
    cards: Mapping[str, MetricCard],
    control: str,
    *,
    identical: Collection[Pair] = (),
    heads_of: HeadsOf = no_heads,
) -> list[ComparisonRow]:
    """Every pair of methods on every metric. The method labelled ``control`` takes part in no pair: it is there to be
    compared with, not to win, and it would cost the others power.

    p values are Holm-adjusted within the metric, but over all headline columns at once: who looks for the best method
    looks at all of these. ``heads_of`` picks them from all keys and those with a number. Not tested are methods whose
    outputs are ``identical``, and cost, which depends on the machine as much as on the photos.
    """
    by_key = _by_key(answers, control)
    rows: dict[Key, list[ComparisonRow]] = {}
    for key, given in by_key.items():
        labels = list(given)
        cost = cards[key[0]].family == "cost"
        same = {
            (i, j) for i, a in enumerate(labels) for j, b in enumerate(labels) if i < j and Pair((a, b)) in identical
        }
        rows[key] = [
            _row(dataset, key, given, each, identical=(each.a, each.b) in same, cost=cost)
            for each in _compared(given, resamples, same, cost)
        ]
    valued = {key for key, given in by_key.items() if any(np.isfinite(a.estimates[0].value) for a in given.values())}
    heads = heads_of(list(by_key), valued)
    together = [row for key in heads for row in rows[key] if row.p is not None]
    corrected = iter(holm([row.p for row in together if row.p is not None]))
    for key in heads:
        rows[key] = [
            row if row.p is None else row.model_copy(update={"p_adjusted": next(corrected)}) for row in rows[key]
        ]
    return [row for several in rows.values() for row in several]


def _compared(
    given: Mapping[str, Answer],
    resamples: Mapping[str, ClusterResamples],
    same: Collection[tuple[int, int]],
    cost: bool,
) -> list[Comparison]:
    if len(given) < 2:
        return []
    first = next(iter(given.values()))
    everywhere = set.intersection(*({s.item.instrument for s in each.attacks} for each in given.values()))
    methods = [[s for s in each.attacks if s.item.instrument in everywhere] for each in given.values()]
    untested = {(i, j) for i in range(len(methods)) for j in range(i + 1, len(methods))} if cost else same
    return compare(methods, resamples[first.unit], first.lowest_is_worst, untested)


def _row(
    dataset: str, key: Key, given: Mapping[str, Answer], found: Comparison, *, identical: bool, cost: bool
) -> ComparisonRow:
    labels = list(given)
    # Of equal outputs every figure but their cost is equal whatever the sample: an interval would say nothing.
    uncertain = cost or not identical
    return ComparisonRow(
        dataset=dataset,
        metric=key[0],
        instrument=key[1],
        region=given[labels[0]].region,
        a=labels[found.a],
        b=labels[found.b],
        difference=found.difference,
        low=finite(found.low) if uncertain else None,
        high=finite(found.high) if uncertain else None,
        p=finite(found.p),
        p_adjusted=finite(found.p_adjusted),
        identical=identical,
    )


def rank_rows(
    dataset: str,
    answers: Mapping[str, Sequence[Answer]],
    compared: Sequence[ComparisonRow],
    cards: Mapping[str, MetricCard],
    control: str,
) -> list[RankRow]:
    """The range of ranks of each method on each metric that has a better and a worse and was tested."""
    pairs: dict[tuple[str, str, str | None], list[ComparisonRow]] = {}
    for row in compared:
        pairs.setdefault((row.metric, row.instrument, row.region), []).append(row)
    rows: list[RankRow] = []
    for key, given in _by_key(answers, control).items():
        direction = cards[key[0]].direction
        if any(row.p is None and not row.identical for row in pairs.get(key, [])) or cards[key[0]].family == "cost":
            continue
        labels = list(given)
        place = {label: k for k, label in enumerate(labels)}
        tested = [
            Comparison(place[r.a], place[r.b], r.difference, r.difference, r.difference, r.p, r.p_adjusted)
            for r in pairs.get(key, [])
            if r.p is not None and r.p_adjusted is not None
        ]
        ranges = rank_ranges([given[label].estimates[0].value for label in labels], tested, direction)
        rows += [
            RankRow(
                dataset=dataset,
                metric=key[0],
                instrument=key[1],
                region=given[label].region,
                method=label,
                best=ranks.best,
                worst=ranks.worst,
            )
            for label, ranks in zip(labels, ranges, strict=True)
            if ranks is not None
        ]
    return rows


def _by_key(answers: Mapping[str, Sequence[Answer]], control: str) -> dict[Key, dict[str, Answer]]:
    """Key -> label -> answer, without the control."""
    by_key: dict[Key, dict[str, Answer]] = {}
    for label, given in answers.items():
        for each in given:
            if label != control:
                by_key.setdefault(each.key, {})[label] = each
    return by_key
