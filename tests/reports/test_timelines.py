"""Lanes of a timeline, and time codes."""

from __future__ import annotations

import pytest

from unmask.reports.charts.timeline import LANES, STATES, Lane, LaneGroup, Stretch, axis_ticks, grid_runs, timeline_svg
from unmask.reports.clips.timelines import state_words, time_code


def test_a_lane_is_cut_where_its_state_changes() -> None:
    runs = grid_runs([Stretch(0, 5, "anonymized"), Stretch(5, 10, "exposed")], 10)
    assert runs == [(0, LANES // 2, "anonymized"), (LANES // 2, LANES, "exposed")]


def test_nothing_exposed_is_too_short_to_be_drawn() -> None:
    whole = Stretch(0, 1000, "anonymized")
    runs = grid_runs([whole, Stretch(500.0, 500.04, "missed")], 1000)
    assert sum(b - a for a, b, state in runs if state == "missed") == 1
    assert grid_runs([Stretch(999.99, 1000, "exposed")], 1000) == [(LANES - 1, LANES, "exposed")]
    assert grid_runs([Stretch(0, 0, "exposed")], 0) == [(0, 1, "exposed")]


@pytest.mark.parametrize("seconds", [0.04, 0.5, 3.0, 6.0, 61.0, 599.0, 7200.0])
def test_the_axis_has_a_few_round_steps(seconds: float) -> None:
    ticks = axis_ticks(seconds)
    assert ticks[0] == 0
    assert ticks[-1] <= seconds + 1e-6
    assert 3 <= len(ticks) <= 10


def test_a_clip_that_flickers_all_the_time_stays_small() -> None:
    busy = tuple(Stretch(k / 100, (k + 1) / 100, STATES[k % 5]) for k in range(100_000))
    svg = timeline_svg([LaneGroup("m", (Lane("face 0", "", busy),))], 1000, name="x", title="t", description="d")
    assert len(svg) < 12_000


def test_time_codes_hold_all_of_a_stretch() -> None:
    assert time_code(0.25, 0.75) == "00:00.2–00:00.8"
    assert time_code(61.0, 62.3) == "01:01.0–01:02.3"
    assert time_code(3599.96, 3600.0) == "59:59.9–60:00.0"


def test_words_say_the_worst_first() -> None:
    assert state_words([Stretch(0, 2, "anonymized")]) == "anonymized throughout"
    said = state_words([Stretch(0, 2, "anonymized"), Stretch(2, 3, "exposed"), Stretch(3, 3.5, "missed")])
    assert said.replace("\N{NO-BREAK SPACE}", " ") == "missed 0.5 s, exposed 1.0 s"
