"""Which metrics and instruments a run has: the usual ones, and others only where they are named."""

from __future__ import annotations

import pytest

from unmask.bench.core import registry
from unmask.bench.run.planning.choosing import KINDS, choose_instruments, choose_metrics

STATES = {"expression": "expression", "pose": "pose", "shape": "pose"}
"""Metric plug-in -> the role that it alone reads."""


def roles(metrics: list[str]) -> set[str]:
    chosen = [metric for _, metric in choose_metrics(metrics)]
    return {card.role for card in choose_instruments(chosen, [])}


def test_a_run_without_names_pays_for_usual_metrics_only() -> None:
    for kinds in (KINDS, ("photos",), ("clips",)):
        names = [name for name, _ in choose_metrics([], kinds)]
        assert names
        assert not set(names) & set(STATES)
    assert not roles([]) & set(STATES.values())


@pytest.mark.parametrize("name", STATES)
def test_an_unusual_metric_is_asked_by_its_own_name_or_that_of_a_number(name: str) -> None:
    metric = registry.create_metric(name)
    assert not registry.is_usual(metric)
    for word in (name, *(card.name for card in metric.cards)):
        assert [chosen for chosen, _ in choose_metrics([word])] == [name]
    assert STATES[name] in roles([name])


def test_a_family_has_its_usual_metrics() -> None:
    chosen = dict(choose_metrics(["utility"]))
    assert "gender" in chosen
    assert all(registry.is_usual(metric) for metric in chosen.values())
