"""The thesis's numbers as data: complete, consistent where the thesis is, and refused where incomplete."""

from __future__ import annotations

from importlib.resources import files

import pytest

from unmask.bench.core import registry
from unmask.bench.core.errors import ConfigError
from unmask.bench.study.thesis import ROLES
from unmask.reports.reported import parse_printed
from unmask.reports.thesis.published import Published, load_published

TEXT = files("unmask.reports.thesis").joinpath("published.toml").read_text("utf-8")


def test_every_promised_table_is_there_and_asks_for_metrics_that_exist() -> None:
    published = load_published()
    assert [table.number for table in published.tables] == ["4.5", "4.20", "4.27", "4.28", "4.29"]
    metrics = {card.name for _, metric in registry.all_metrics() for card in metric.cards}
    asked = {row.metric for table in published.tables for row in table.rows}
    asked |= {h.metric for h in published.hypotheses} | {f"{h.metric}_true" for h in published.hypotheses[:2]}
    assert asked | {f"{name}@{published.rules.fmr}" for name in ("deid_rate", "excess_match")} <= metrics
    assert {c.role for table in published.tables for c in table.columns} | {t.role for t in published.tones} <= set(
        ROLES
    )


@pytest.mark.parametrize("number", ["4.5", "4.20", "4.28"])
@pytest.mark.parametrize("attribute", ["Gender", "Age group"])
def test_copied_shares_multiply_up(number: str, attribute: str) -> None:
    """Estimated & correct is estimated times correct: a slip in copying would show."""
    (table,) = [t for t in load_published().tables if t.number == number]
    rows = {(r.group, r.title.split(" (")[0].split()[0]): r.values for r in table.rows}
    for estimated, correct, both in zip(
        rows["", "Total"], rows[attribute, "Correct"], rows[attribute, "Estimated"], strict=True
    ):
        assert float(estimated) * float(correct) / 100 == pytest.approx(float(both), abs=0.02)


def test_no_impossible_colour_is_taken_over() -> None:
    published = load_published()
    tones = [t.thesis for t in published.tones]
    for table in published.tables:
        for row in table.rows:
            if row.group == "Average RGB":
                tones.append(tuple(int(v) for v in row.values))
    assert all(0 <= value <= 255 for tone in tones for value in tone)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('values = ["92.92", "50.75", "88.17"]', 'values = ["92.92", "50.75"]', "a value for each column"),
        ('"92.92"', '"about 93"', "tables"),
        ("excess_at_most = 0.01", "excess_at_most = 1.01", "excess_at_most"),
        ("excess_at_most = 0.01", "", "excess_at_most"),
        ('ours_from = "judge"', 'ours_from = "judge"\nours = "both"', "either ours or ours_from"),
        ('ours_from = "judge"', 'ours_from = "jury"', "ours_from"),
    ],
)
def test_incomplete_data_is_refused(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=said):
        parse_printed(Published, TEXT.replace(old, new, 1), "published.toml")
