"""The report as its readers meet it: pages, links, numbers, refusals."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.reports.pages import (
    Element,
    check_headings_and_names,
    check_links,
    check_names_are_text,
    read_page,
    read_pages,
)
from tests.reports.synthetic import FINDING, HOSTILE, HOSTILE_SAMPLE, METHODS, make_run
from tests.support.sealing import seal_run
from unmask.bench.cli import app
from unmask.bench.core.errors import ImageError, StoreError, UsageError
from unmask.bench.core.types import Image
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import RunView, own_tools
from unmask.reports.build import build_report
from unmask.reports.numbers import format_value


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def report(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "report"
    index = build_report([run], out)
    assert index == out / "index.html"
    return out


@pytest.fixture(scope="module")
def pages(report: Path) -> dict[str, Element]:
    return read_pages(report)


def board(pages: dict[str, Element]) -> Element:
    (table,) = pages["index.html"].all("table", class_="board")
    return table


def row(table: Element, name: str) -> Element:
    return next(r for r in table.all("tr") if r.attributes.get("data-name") == name)


def test_pages_are_there(pages: dict[str, Element]) -> None:
    assert {"index.html", "data.html", "instruments.html", "reading.html", "provenance.html"} <= pages.keys()
    assert "numbers-demo.html" in pages
    assert sum(name.startswith("methods/") for name in pages) == len(METHODS) + 1
    assert "runs.html" not in pages


def test_every_page_has_its_landmarks_and_headings_in_order(pages: dict[str, Element]) -> None:
    check_headings_and_names(pages)


def test_nothing_comes_from_outside_and_all_links_lead_somewhere(report: Path, pages: dict[str, Element]) -> None:
    check_links(report, pages)


def test_labels_and_ids_cannot_become_markup(pages: dict[str, Element], report: Path) -> None:
    check_names_are_text(report, pages)
    assert HOSTILE in board(pages).text
    failures = next(p for n, p in pages.items() if n.startswith("methods/script-alert"))
    assert HOSTILE_SAMPLE in failures.text


def test_shown_values_are_the_estimates(run: RunFolder, pages: dict[str, Element]) -> None:
    table = board(pages)
    heads = [th.attributes.get("data-family") for th in table.all("tr", class_="heads")[0].all("th")]
    assert heads.count("privacy") == 3
    for method in METHODS:
        cells = row(table, method.label).all("td")[1:]
        for index, metric, instrument in (
            (0, "deid_rate@1e-3", "worst"),
            (1, "rank1_cross_photo", "worst"),
            (2, "eer", "worst"),
            (3, "gender_estimated_correct", "face-api"),
            (6, "ssim", "standard"),
            (8, "kid", "standard"),
        ):
            found = next(
                (
                    e
                    for e in run.estimates.estimates
                    if (e.method, e.metric, e.instrument, e.region, e.group)
                    == (method.label, metric, instrument, "face", "all")
                ),
                None,
            )
            cell = cells[index]
            if found is None or found.value is None:
                assert cell.text.startswith("not measured")
                continue
            share = metric not in ("ssim", "kid")
            shown = format_value(found.value, "share" if share else "")
            assert cell.text.startswith(" ".join(shown.split()))
            assert f"{found.n} faces scored" in cell.text
            assert not found.unscored or f"{found.unscored} could not be scored" in cell.text
            assert float(cell.attributes["data-value"]) == found.value
            if instrument == "worst":
                assert f"measured by {found.note}" in cell.text


def test_control_and_chance_are_pinned_and_contestants_are_not(pages: dict[str, Element]) -> None:
    table = board(pages)
    (pinned,) = table.all("tbody", class_="pinned")
    assert row(pinned, "none").text.startswith("none control")
    assert "99.9 %" in pinned.all("tr", class_="chance")[0].text
    (contestants,) = table.all("tbody", class_="contestants")
    names = [r.attributes["data-name"] for r in contestants.all("tr")]
    assert sorted(names) == sorted(m.label for m in METHODS if m.label != "none")
    # It protects best, and yet does not lead: it leaves nothing of a face.
    assert names[-1] == "blackout"
    assert "destroys faces" in row(table, "blackout").text


def test_ties_are_told_as_ties(run: RunFolder, pages: dict[str, Element]) -> None:
    ranks = [r for r in run.estimates.ranks if (r.metric, r.instrument) == ("deid_rate@1e-3", "worst")]
    first = {r.method for r in ranks if r.best == 1}
    assert len(first) > 1
    for r in ranks:
        text = row(board(pages), r.method).all("td")[1].text
        assert ("tied best" in text) == (r.method in first)
        assert f"rank {r.best if r.best == r.worst else f'{r.best}–{r.worst}'}" in text
    assert "best" not in row(board(pages), "none").all("td")[1].text


def test_outcomes_are_words_as_well_as_colours(pages: dict[str, Element]) -> None:
    assert "59 % anonymized, 38 % destroyed, 3 % missed" in row(board(pages), "pixelate-blocks8").text.replace(
        "\N{NO-BREAK SPACE}", " "
    )


def test_small_sets_and_biased_numbers_say_so(pages: dict[str, Element]) -> None:
    text = pages["index.html"].text.replace("\N{NO-BREAK SPACE}", " ")
    assert "60 faces of 45 people: intervals are wide" in text
    own = next(p for p in pages.values() if p.all("h1") and p.all("h1")[0].text == "blur-sigma0.15")
    (line,) = [r for r in own.all("tr") if r.text.startswith("FID") and "face" not in r.all("th")[0].text][:1]
    assert "biased: fewer than 2,048 images" in line.text


def test_numbers_of_few_faces_say_so(pages: dict[str, Element]) -> None:
    (line,) = [r for r in pages["metrics/skin_estimated.html"].all("tr") if r.text.startswith("blackout")]
    assert "only 3 faces" in line.text
    assert "only" not in row(board(pages), "blackout").text


def test_unusable_inputs_are_listed_with_reasons(pages: dict[str, Element]) -> None:
    text = pages["data.html"].text
    assert "broken/<b>truncated.jpg truncated file" in text
    assert "sky.jpg no face found" in text


def test_method_page_tells_everything(pages: dict[str, Element]) -> None:
    page = pages["methods/blur-sigma0.15.html"]
    text = page.text
    for needed in ("sigma = 0.15", "92", "Subgroups", "gender=female", "Worst cases", "Against the other methods"):
        assert needed in text
    assert len(page.all("svg", class_="histogram")) == 4
    assert "1e-3" in page.all("svg", class_="histogram")[0].text
    assert {"better", "worse", "tie"} & {s.text for s in page.all("strong")}
    assert "gave a usable output for every image" in text


def test_metric_page_tells_question_limits_and_every_method(pages: dict[str, Element]) -> None:
    page = next(p for n, p in pages.items() if n.startswith("metrics/deid_rate-1e-3"))
    assert "What does deid_rate@1e-3 ask?" in page.text
    assert "https://example.org/paper" in page.text
    tables = page.all("table", class_="wide")
    assert len(tables) == 5
    assert [len(t.all("tbody")[0].all("tr")) for t in tables] == [len(METHODS)] * 5


def test_plot_describes_itself(pages: dict[str, Element]) -> None:
    plot = pages["index.html"].all("figure", class_="tradeoff")[0].all("svg")[0]
    assert plot.attributes["role"] == "img"
    title, description = plot.all("title")[0].text, plot.all("desc")[0].text
    assert "against" in title
    assert "Pareto front:" in description
    assert all(m.label in description for m in METHODS)


def test_provenance_holds_versions_and_hashes(run: RunFolder, pages: dict[str, Element]) -> None:
    text = pages["provenance.html"].text
    assert all(
        part in text for part in (run.plan.run, "2.14.1", "2bf6cd2", "a" * 64, "b" * 64, "f" * 64, "Linux <6.1>")
    )


def test_exports_hold_the_same_numbers(run: RunFolder, report: Path) -> None:
    lines = list(csv.DictReader((report / "leaderboard.csv").open(encoding="utf-8")))
    line = next(x for x in lines if (x["method"], x["metric"]) == ("blur-sigma0.15", "ssim"))
    found = next(
        e
        for e in run.estimates.estimates
        if (e.method, e.metric, e.region, e.group) == ("blur-sigma0.15", "ssim", "face", "all")
    )
    assert (float(line["value"]), int(line["n"])) == (found.value, found.n)
    assert next(x for x in lines if (x["method"], x["metric"]) == ("blackout", "eer"))["value"] == ""
    markdown = (report / "leaderboard.md").read_text("utf-8")
    rows = [x for x in markdown.splitlines() if x.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", x)) for x in rows}) == 1
    assert "<script>" not in markdown
    latex = (report / "leaderboard.tex").read_text("utf-8")
    assert latex.count("\\begin{tabular}") == latex.count("\\end{tabular}") == 1
    assert re.search(r"(?<!\\)%", latex.replace("% needs", "")) is None


def test_same_run_same_bytes(run: RunFolder, report: Path, tmp_path: Path) -> None:
    build_report([RunFolder.open(run.path)], tmp_path / "again")
    first = {p.relative_to(report): p.read_bytes() for p in report.rglob("*") if p.is_file()}
    second = {p.relative_to(tmp_path / "again"): p.read_bytes() for p in (tmp_path / "again").rglob("*") if p.is_file()}
    assert first == second


def test_out_is_replaced_only_if_it_is_a_report(run: RunFolder, report: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not a report"):
        build_report([run], out)
    assert (out / "thesis.txt").read_text() == "mine"
    (out / "thesis.txt").unlink()
    build_report([run], out)
    build_report([run], out)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        build_report([run], out)
    with pytest.raises(UsageError, match="is a file"):
        build_report([run], out / "notes.txt")


def test_failing_leaves_the_former_report(run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    build_report([run], out)
    before = (out / "index.html").read_bytes()
    monkeypatch.setattr(RunFolder, "faces", lambda *_: (_ for _ in ()).throw(StoreError("damaged")))
    with pytest.raises(StoreError):
        build_report([RunFolder.open(run.path)], out)
    assert (out / "index.html").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_without_second_photos_the_same_photo_search_stands_in(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", cross=False, methods=METHODS[:3])
    build_report([run], tmp_path / "out")
    heads = [th.text for th in read_page(tmp_path / "out" / "index.html").all("tr", class_="heads")[0].all("th")]
    assert any("same photo" in h for h in heads)
    assert not any("other photo" in h for h in heads)


def _original(dataset: PlannedDataset, sample: str) -> Image:
    if sample == HOSTILE_SAMPLE:
        raise ImageError("truncated file")
    return np.zeros((40, 30, 3), np.uint8)


def test_faces_only_where_every_data_set_allows_them(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", datasets=("open", "closed"), show_faces=("open",), methods=METHODS[:2])
    with pytest.raises(UsageError, match="'closed' does not allow faces"):
        build_report([run], tmp_path / "out", with_faces=True, face_source=_original)
    assert not (tmp_path / "out").exists()


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path / "run", methods=METHODS[:2])
    error = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "--root", str(tmp_path / "gone")]).exception
    assert isinstance(error, UsageError)
    assert "gone is not a folder" in str(error)
    assert not (tmp_path / "run" / "report").exists()


def test_faces_on_request(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", show_faces=("demo",), methods=(*METHODS[:3], METHODS[-1]), outputs=True)
    build_report([run], tmp_path / "plain")
    assert not list((tmp_path / "plain").rglob("*.jpg"))
    build_report([run], tmp_path / "out", with_faces=True, face_source=_original)
    page = read_page(tmp_path / "out" / "index.html")
    images = page.all("img")
    assert len(images) == 6 * 4  # the original and three methods; the control shows nothing new
    assert all(i.attributes["alt"] and (tmp_path / "out" / i.attributes["src"]).is_file() for i in images)
    method = read_page(tmp_path / "out" / "methods" / "blackout.html")
    assert len(method.all("img")) == 12


def test_findings_and_failures_stand_under_the_leaderboard_and_on_the_methods_page(pages: dict[str, Element]) -> None:
    failing = next(m for m in METHODS if m.error)
    (section,) = pages["index.html"].all("section", class_="findings")
    entries = [item.text for item in section.all("li")]
    assert any(FINDING in text for text in entries)
    assert any("1 of 61 images failed: no output & no <reason>" in text for text in entries)
    assert "2 remarks below" in row(board(pages), failing.label).text
    own = next(p for p in pages.values() if p.all("h1") and p.all("h1")[0].text == failing.label)
    assert FINDING in own.text


def test_what_was_understood_of_the_data_is_said(pages: dict[str, Element]) -> None:
    text = pages["data.html"].text
    assert "folder <i>person_c</i> is a link and was not followed" in text
    assert "Every input could be used" not in text


def test_the_data_page_has_the_false_match_rate_by_group(run: RunFolder, pages: dict[str, Element]) -> None:
    tables = [t for t in pages["data.html"].all("table") if "False match rate" in t.text]
    (table,) = tables
    heads = [cell.text for cell in table.all("th", scope="col")][1:]
    lines = {line.all("th")[0].text: [cell.text for cell in line.all("td")] for line in table.all("tr")[1:]}
    for instrument, text in zip(heads, lines["everybody"], strict=True):
        (estimate,) = (
            e
            for e in run.estimates.estimates
            if (e.method, e.metric, e.instrument, e.group) == ("none", "stranger_match@1e-3", instrument, "all")
        )
        assert text.startswith(format_value(estimate.value, "share").replace("\N{NO-BREAK SPACE}", " "))
    assert "strangers of the same age group and gender" in lines
    assert {"gender=female", "age=0-19"} <= lines.keys()


def test_chance_that_was_measured_stands_with_its_interval(pages: dict[str, Element]) -> None:
    text = row(board(pages), "blackout").all("td")[1].text
    assert "chance 99.9 % (99.5–99.9)" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_gaps_stand_beside_what_chance_would_make(pages: dict[str, Element]) -> None:
    own = next(p for p in pages.values() if p.all("h1") and p.all("h1")[0].text == "blur-sigma0.15")
    (table,) = (t for t in own.all("table") if "Worst subgroup and gap" in t.text)
    assert [cell.text for cell in table.all("th", scope="col")][-2:] == ["Expected without a difference", "p"]
    assert "0.210" in table.text


def test_a_method_that_runs_an_instrument_is_named_beside_it(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    assert own_tools(RunView(folder).methods, ["face-api"]) == []
    card = replace(next(iter(RunView(folder).methods.values())), params={"estimator": "face-api"})
    assert own_tools({"dp-att": card}, ["sface", "face-api"]) == ["dp-att runs face-api itself"]
    boxes = replace(card, params={}, detector="harness")
    assert own_tools({"blur": boxes}, ["yunet", "sface"]) == ["blur runs yunet itself"]


def test_nobody_leads_where_no_two_methods_can_be_told_apart(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    body = json.loads(folder.estimates_path.read_text("utf-8"))
    for rank in body["ranks"]:
        if rank["metric"] == "eer":
            rank |= {"best": 1, "worst": len(METHODS) - 1}
    folder.estimates_path.write_text(json.dumps(body), "utf-8")
    seal_run(folder.path)
    view = RunView(RunFolder.open(folder.path))
    (dataset,) = view.datasets
    column = next(column for column in view.columns(dataset) if column.metric == "eer")
    assert view.leads(dataset, column) == []
    assert view.leads(dataset, next(c for c in view.columns(dataset) if c.metric == "deid_rate@1e-3"))


def test_nobody_leads_where_only_one_could_be_measured(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run")
    body = json.loads(folder.estimates_path.read_text("utf-8"))
    measured = next(rank["method"] for rank in body["ranks"] if rank["metric"] == "eer")
    body["ranks"] = [r for r in body["ranks"] if r["metric"] != "eer" or r["method"] == measured]
    folder.estimates_path.write_text(json.dumps(body), "utf-8")
    seal_run(folder.path)
    view = RunView(RunFolder.open(folder.path))
    (dataset,) = view.datasets
    column = next(column for column in view.columns(dataset) if column.metric == "eer")
    assert view.rank(dataset, measured, column) is not None
    assert view.leads(dataset, column) == []
