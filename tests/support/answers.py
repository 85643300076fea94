"""Answers on sixty faces, half of them women: what metrics say of a method, before it becomes rows."""

from __future__ import annotations

import numpy as np

from unmask.bench.core.cards import Direction, Family, MetricCard
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.run.figures.rows import Answer, answer

N = 60
GROUPS = ["all", "gender=female", "gender=male"]
MASKS = np.stack([np.ones(N, np.bool_), np.arange(N) < 30, np.arange(N) >= 30])
DESIGN = ClusterResamples(np.arange(N), 300)


def card(
    name: str, family: Family = "privacy", direction: Direction = "higher", bounds: tuple[float, float] = (0, 1)
) -> MetricCard:
    return MetricCard(name, "1", family, direction, "share", bounds, name, "?", "", "")


def asked(item: UnitValues | SetStatistic, of: MetricCard | None = None, masks: Bools = MASKS) -> Answer:
    return answer(item, DESIGN, masks, of or card(item.metric))


def share(metric: str, instrument: str, rate: float, seed: int, chance: Float | None = None) -> UnitValues:
    values = (np.random.default_rng(seed).permutation(N) < round(rate * N)).astype(np.float64)
    return UnitValues(metric, instrument, values, share=True, chance_values=chance)


def statistic(values: Float, subgroups: bool = True, tested_from: int = 0) -> SetStatistic:
    return SetStatistic(
        "fid",
        "inception",
        lambda w: float(w @ values / w.sum()),
        np.ones(N, np.bool_),
        resampling="jackknife",
        subgroups=subgroups,
        tested_from=tested_from,
    )
