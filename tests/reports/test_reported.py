"""Reported figures: validated, shown apart, and in no ranking, chart or export."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.reports.pages import read_page
from tests.reports.synthetic import METHODS, make_run
from unmask.bench.core.errors import ConfigError
from unmask.reports.build import build_report
from unmask.reports.reported import Reported, load_reported, parse_printed

SYSTEM = """
[source]
title = "A thesis"
[[systems]]
name = "X"
paper = "P"
code = "none"
figures = [{ what = "w", value = "1", unit = "%", section = "4.6.1" }]
protocol = "p"
incomparable = "i"
"""


def test_every_promised_system_is_there() -> None:
    found = {system.name: system for system in load_reported().systems}
    assert set(found) == {"PPGAN", "AnonymousNet", "Chen et al.", "Croft", "Ren et al.", "Gafni et al."}
    assert not found["Croft"].figures
    assert not found["Gafni et al."].figures
    assert [f.value for f in found["PPGAN"].figures] == ["84.7", "100", "86.9", "87.3"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('incomparable = "i"', "", "incomparable"),
        ('incomparable = "i"', 'incomparable = ""', "incomparable"),
        ('section = "4.6.1"', 'section = "somewhere"', "section"),
        ('[{ what = "w", value = "1", unit = "%", section = "4.6.1" }]', "[]", "statement"),
        ('code = "none"', 'code = "none"\nrank = 1', "rank"),
    ],
)
def test_incomplete_entries_are_refused(old: str, new: str, said: str) -> None:
    parse_printed(Reported, SYSTEM, "reported.toml")
    with pytest.raises(ConfigError, match=said):
        parse_printed(Reported, SYSTEM.replace(old, new), "reported.toml")


def test_they_stand_apart_and_enter_no_ranking_chart_or_export(tmp_path: Path) -> None:
    build_report([make_run(tmp_path / "run", methods=METHODS[:4])], tmp_path / "out")
    names = [system.name for system in load_reported().systems]
    page = read_page(tmp_path / "out" / "index.html")
    (table,) = page.all("table", class_="reported")
    assert all(name in table.text for name in names)
    assert not table.all("svg")
    assert not {"★", "rank", "best"} & set(table.text.split())
    measured = "".join(t.text for t in page.all("table", class_="board"))
    drawn = "".join(figure.text for figure in page.all("figure"))
    assert drawn
    for name in names:
        assert name not in measured
        assert name not in drawn
        for export in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex"):
            assert name not in (tmp_path / "out" / export).read_text("utf-8")
    methods = {line["method"] for line in csv.DictReader((tmp_path / "out" / "leaderboard.csv").open(encoding="utf-8"))}
    assert methods == {m.label for m in METHODS[:4]}
