"""Statistics of a set (FID, EER), which stored rows of faces cannot give: asked of a run's readings anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from unmask.bench.core import registry
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.headlines import Key
from unmask.bench.core.values import SetStatistic
from unmask.bench.run.figures.assemble import assemble_evidence, assemble_originals
from unmask.bench.run.figures.operating_points import usable_points
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan


def set_statistics(
    folder: RunFolder, plan: Plan, dataset: str, label: str
) -> Callable[[str], Mapping[Key, SetStatistic]]:
    """Metric -> its statistics of the set, by key. Readings are only read once a metric is asked for."""

    @cache
    def evidence() -> Evidence:
        instruments = {card.name: registry.instrument_card(card.name) for card in plan.measuring}
        points = usable_points(folder.operating_points, instruments)
        return assemble_evidence(folder, plan, assemble_originals(folder, plan, dataset), label, points)[0]

    @cache
    def of_plugin(name: str) -> Mapping[Key, SetStatistic]:
        items = registry.create_metric(name).ask(evidence())
        return {(item.metric, item.instrument, item.region): item for item in items if isinstance(item, SetStatistic)}

    def of_metric(metric: str) -> Mapping[Key, SetStatistic]:
        plugin = next((p.name for p in plan.metrics for card in p.cards if card.name == metric), "")
        return {key: item for key, item in of_plugin(plugin).items() if key[0] == metric} if plugin else {}

    return of_metric
