"""Several draws of a method that chooses by chance: how they are planned, seeded and averaged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unmask.bench.core.errors import SpecError
from unmask.bench.core.types import Float
from unmask.bench.core.values import Finding, Histogram, SetStatistic, UnitValues
from unmask.bench.run.figures.draws import averaged, by_draws
from unmask.bench.run.planning.plan import planned_methods
from unmask.bench.study.thesis import with_seeds

NAN = float("nan")


def test_draws_are_planned_as_methods_that_share_a_label() -> None:
    planned = planned_methods(["b=blur:sigma=0.1,seeds=3", "pixelate"])
    assert [(m.label, m.spec, m.draw) for m in planned] == [
        ("none", "none", 0),
        ("b", "blur:sigma=0.1", 0),
        ("b+draw1", "blur:sigma=0.1", 1),
        ("b+draw2", "blur:sigma=0.1", 2),
        ("pixelate", "pixelate", 0),
    ]
    assert {label: len(drawn) for label, drawn in by_draws(planned)} == {"none": 1, "b": 3, "pixelate": 1}
    seeds = {m.seed(7) for m in planned[1:4]}
    assert len(seeds) == 3
    assert planned[1].seed(7) == 7


@pytest.mark.parametrize("text", ["blur:seeds=0", "blur:seeds=many", "blur:seeds=2.5", "blur:seeds=true"])
def test_what_is_no_number_of_draws_is_told(text: str) -> None:
    with pytest.raises(SpecError, match="how many draws are averaged"):
        planned_methods([text])


def test_parts_of_the_protocol_ask_for_draws() -> None:
    assert with_seeds("dp-att=dp-att:truncation=1", 5) == "dp-att=dp-att:seeds=5,truncation=1"
    assert with_seeds("dp-att=blur:sigma=0.1", 5) == "dp-att=blur:seeds=5,sigma=0.1"
    assert with_seeds("dp-att=dp-att:truncation=1", 1) == "dp-att=dp-att:truncation=1"
    assert with_seeds("dp-att=dp-att:seeds=2", 5) == "dp-att=dp-att:seeds=2"


@pytest.mark.parametrize("text", ["deepprivacy", "dp-att", "dp-att:truncation=0"])
def test_what_draws_nothing_needs_no_further_draws(text: str) -> None:
    assert with_seeds(text, 5) == text


def units(values: list[float], eligible: list[bool] | None = None) -> UnitValues:
    column = np.array(values)
    asked = None if eligible is None else np.array(eligible)
    return UnitValues(
        "m", "i", column, eligible=asked, share=True, chance_values=column / 2, alternatives=(column / 4,)
    )


def statistic(factor: float, scored: list[bool]) -> SetStatistic:
    def compute(weights: Float) -> float:
        return factor * float(weights.sum())

    return SetStatistic("s", "i", compute, np.array(scored))


def test_faces_are_averaged_over_the_draws_that_scored_them() -> None:
    (mean,) = averaged([[units([1, 0, 1, NAN])], [units([0, 0, NAN, NAN])], [units([0, 0, 1, NAN])]])
    assert isinstance(mean, UnitValues)
    np.testing.assert_allclose(mean.values, [1 / 3, 0, 1, NAN])
    assert mean.chance_values is not None
    np.testing.assert_allclose(mean.chance_values, [1 / 6, 0, 0.5, NAN])
    np.testing.assert_allclose(mean.alternatives[0], [1 / 12, 0, 0.25, NAN])
    assert mean.share


def test_a_draw_that_is_not_about_a_face_does_not_count_for_it() -> None:
    (mean,) = averaged([[units([1, 1], [True, False])], [units([0, 0], [True, False])]])
    assert isinstance(mean, UnitValues)
    np.testing.assert_allclose(mean.values, [0.5, NAN])
    assert mean.eligible is not None
    assert mean.eligible.tolist() == [True, False]


def test_statistics_of_whole_sets_are_averaged_where_all_draws_have_them() -> None:
    (mean,) = averaged([[statistic(1, [True, True])], [statistic(3, [True, False])]])
    assert isinstance(mean, SetStatistic)
    assert mean.compute(np.ones(2)) == 4.0
    assert mean.scored.tolist() == [True, False]


def test_histograms_and_findings_are_the_first_draws() -> None:
    histogram, finding = Histogram("h", "i", (0.0, 1.0), {"a": (3,)}), Finding("k", 1, 2, "1 of 2")
    assert averaged([[histogram, finding], [Histogram("h", "i", (0.0, 1.0), {"a": (5,)})]]) == [histogram, finding]


def test_replicates_made_together_are_averaged_too() -> None:
    def several(weights: Float) -> Float:
        return np.asarray(weights.sum(axis=1))

    def twice(weights: Float) -> Float:
        return 2 * several(weights)

    first, second = statistic(1.0, [True, True]), statistic(2.0, [True, True])
    (found,) = averaged([[replace(first, compute_all=several)], [replace(second, compute_all=twice)]])
    assert isinstance(found, SetStatistic)
    assert found.compute_all is not None
    assert found.compute_all(np.ones((3, 2))).tolist() == [found.compute(np.ones(2))] * 3
