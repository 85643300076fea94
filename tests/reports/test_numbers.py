"""How numbers are written."""

from __future__ import annotations

import pytest

from unmask.reports.numbers import bar_of, format_interval, format_p, format_value, rank_range, scale_of


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9831, "share", "98.3 %"),
        (1.0, "share", "100.0 %"),
        (0.99991, "share", "> 99.9 %"),
        (0.0002, "share", "< 0.1 %"),
        (0.0, "share", "0.0 %"),
        (-0.00001, "", "0.0000"),
        (0.0, "ms", "0.000 ms"),
        (12.345, "ms", "12.3 ms"),
        (1480.2, "0..255 squared", "1,480"),
        (-6.09, "degrees", "−6.09 °"),
        (0.8204, "1 = identical", "0.820"),
        (None, "share", "not measured"),
    ],
)
def test_values(value: float | None, unit: str, text: str) -> None:
    assert format_value(value, unit).replace("\N{NO-BREAK SPACE}", " ") == text


def test_intervals() -> None:
    assert format_interval(0.961, 0.9999, 0.98, "share") == "96.1–100.0"
    assert format_interval(-8.4, -6.66, -7.5, "degrees") == "−8.40 to −6.66"
    assert format_interval(None, 0.9, 0.5, "share") == ""


def test_small_words() -> None:
    assert (rank_range(2, 2), rank_range(1, 3)) == ("2", "1–3")
    assert format_p(0.0321).replace("\N{NO-BREAK SPACE}", " ") == "= 0.032"
    assert format_p(1e-9).replace("\N{NO-BREAK SPACE}", " ") == "< 0.001"


def test_bars_start_at_zero_and_stay_inside() -> None:
    scale = scale_of("ms", [2.0, 10.0, None])
    assert (scale.low, scale.high) == (0.0, 10.0)
    bar = bar_of(scale, 5.0, 4.0, 12.0, chance=None, control=0.0)
    assert bar is not None
    assert (bar.value, bar.low, bar.high, bar.width, bar.control) == (50.0, 40.0, 100.0, 60.0, 0.0)
    assert scale_of("share", [0.4]).high == 1.0
    assert scale_of("", []).high > scale_of("", []).low
    assert bar_of(scale, None, None, None) is None
