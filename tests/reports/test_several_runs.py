"""Runs side by side: only what means the same stands in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reports.pages import Element, read_page
from tests.reports.synthetic import METHODS, make_run
from unmask.bench.core.errors import UsageError
from unmask.reports.build import build_report


def both(tmp_path: Path, **changes: Any) -> Path:
    first = make_run(tmp_path / "a", methods=METHODS[:3])
    second = make_run(tmp_path / "b", methods=METHODS[1:4], run="fedcba9876543210", seed=1, **changes)
    build_report([first, second], tmp_path / "out")
    return tmp_path / "out"


def rows(page: Element, **attributes: str) -> dict[str, Element]:
    return {r.attributes["data-name"]: r for r in page.all("tr", **attributes) if "data-name" in r.attributes}


def test_equal_questions_share_a_table(tmp_path: Path) -> None:
    out = both(tmp_path)
    page = read_page(out / "index.html")
    assert len(page.all("table", class_="board")) == 1
    found = rows(page)
    assert {"none (run A)", "blackout (run A)", "blackout (run B)", "blur-sigma0.15 (run B)"} <= found.keys()
    assert "not comparable" not in page.all("table", class_="board")[0].text
    assert "not comparable" not in read_page(out / "runs.html").all("table")[0].text


def test_another_version_of_a_metric_is_not_comparable(tmp_path: Path) -> None:
    out = both(tmp_path, metric_versions={"eer": "2"})
    found = rows(read_page(out / "index.html"))
    assert "not comparable" not in found["blur-sigma0.05 (run A)"].text
    text = found["blur-sigma0.05 (run B)"].text
    assert text.count("not comparable") == 1
    assert "another version of the metric: 1 against 2" in text
    # The number itself is still told where it stands alone.
    own = next(p for p in (out / "methods").glob("blur-sigma0.05-run-b*.html"))
    lines = [r for r in read_page(own).all("tr") if "Equal error rate" in r.text and "mobilefacenet" in r.text]
    assert any("%" in r.text for r in lines)
    assert "not comparable: another version of the metric: 1 against 2" in (out / "leaderboard.csv").read_text("utf-8")


def test_other_photos_get_a_board_of_their_own(tmp_path: Path) -> None:
    out = both(tmp_path, fingerprint="9" * 64)
    page = read_page(out / "index.html")
    assert len(page.all("table", class_="board")) == 2
    assert "other data: fingerprint ffffffffffff against 999999999999" in page.text
    assert "Not comparable" in read_page(out / "runs.html").text


def test_another_version_of_a_method_is_not_comparable(tmp_path: Path) -> None:
    out = both(tmp_path, method_versions={"blackout": "2"})
    table = read_page(out / "runs.html").all("table")[0]
    verdicts = {r.all("th")[0].text: "not comparable" in r.text for r in table.all("tr") if r.all("td")}
    assert verdicts["blackout"]
    assert not verdicts["blur-sigma0.05"]


def test_one_run_twice_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", methods=METHODS[:2])
    with pytest.raises(UsageError, match="given twice"):
        build_report([run, run], tmp_path / "out")
    with pytest.raises(UsageError, match="at least one"):
        build_report([], tmp_path / "out")


def test_methods_of_several_runs_are_not_ranked_in_any_form(tmp_path: Path) -> None:
    out = both(tmp_path)
    assert "★" not in read_page(out / "index.html").all("table", class_="board")[0].text
    heads, *lines = [line.split(",") for line in (out / "leaderboard.csv").read_text("utf-8").splitlines()]
    assert all(line[heads.index("rank_best")] == line[heads.index("rank_worst")] == "" for line in lines)
    assert " *" not in (out / "leaderboard.md").read_text("utf-8").split("In brackets")[0]
    assert "^*" not in (out / "leaderboard.tex").read_text("utf-8")
