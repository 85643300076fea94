"""Methods against each other on the same faces: paired differences, and the ranks that they leave open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.core.cards import MetricCard
from bench.core.stats.compare import (
    Comparison,
    compare_means,
    compare_replicates,
    rank_ranges,
    significantly_better,
)
from bench.core.stats.resampling import ClusterResamples
from bench.core.values import UnitValues
from bench.run.rows import Answer, finite
from bench.store.schemas import ComparisonRow, RankRow

Key = tuple[str, str, str]


def compare_methods(
    dataset: str,
    answers: Mapping[str, Sequence[Answer]],
    resamples: Mapping[str, ClusterResamples],
    control: str,
) -> list[ComparisonRow]:
    """Every pair of methods on every metric, Holm-adjusted within the metric. The method labelled ``control`` takes
    part in no pair: it is there to be compared with, not to win, and it would cost the others power."""
    rows: list[ComparisonRow] = []
    for key, given in _by_key(answers).items():
        labels = [label for label in given if label != control]
        found = _compare([given[label] for label in labels], resamples)
        rows += [
            ComparisonRow(
                dataset=dataset,
                metric=key[0],
                instrument=key[1],
                region=given[labels[0]].region,
                a=labels[each.a],
                b=labels[each.b],
                difference=each.difference,
                low=finite(each.low),
                high=finite(each.high),
                p=each.p,
                p_adjusted=each.p_adjusted,
            )
            for each in found
        ]
    return rows


def _compare(given: Sequence[Answer], resamples: Mapping[str, ClusterResamples]) -> list[Comparison]:
    if len(given) < 2:
        return []
    asked = [each.asked for each in given]
    means = [item for item in asked if isinstance(item, UnitValues)]
    if len(means) == len(asked):
        return compare_means(means, resamples[given[0].unit])
    return compare_replicates([each.replicates for each in given])


def rank_rows(
    dataset: str,
    answers: Mapping[str, Sequence[Answer]],
    compared: Sequence[ComparisonRow],
    cards: Mapping[str, MetricCard],
    control: str,
) -> list[RankRow]:
    """The range of ranks of each method on each metric that has a better and a worse."""
    pairs: dict[Key, list[ComparisonRow]] = {}
    for row in compared:
        pairs.setdefault((row.metric, row.instrument, row.region), []).append(row)
    rows: list[RankRow] = []
    for key, given in _by_key(answers).items():
        direction = cards[key[0]].direction
        labels = [label for label in given if label != control]
        place = {label: k for k, label in enumerate(labels)}
        found = [
            Comparison(
                place[r.a], place[r.b], r.difference, r.low or 0.0, r.high or 0.0, r.p or 1.0, r.p_adjusted or 1.0
            )
            for r in pairs.get(key, [])
        ]
        better = significantly_better(len(labels), found, direction)
        ranges = rank_ranges([given[label].estimates[0].value for label in labels], better, direction)
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


def _by_key(answers: Mapping[str, Sequence[Answer]]) -> dict[Key, dict[str, Answer]]:
    found: dict[Key, dict[str, Answer]] = {}
    for label, given in answers.items():
        for each in given:
            found.setdefault(each.key, {})[label] = each
    return found
