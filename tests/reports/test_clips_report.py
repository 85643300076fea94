"""The report of a run over clips as its readers meet it: pages, links, numbers, refusals."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.reports.pages import (
    Element,
    check_headings_and_names,
    check_links,
    check_names_are_text,
    read_page,
    read_pages,
)
from tests.reports.synthetic import METHODS, make_run
from tests.reports.synthetic_clips import CONTESTANTS, HOSTILE, UNICODE, Shown, make_video_run
from tests.support.cli import unmask
from unmask.bench.core.errors import StoreError, UsageError
from unmask.bench.store.comparable import data_difference, metric_difference
from unmask.bench.store.results import Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import RunView
from unmask.reports.build import build_report
from unmask.reports.numbers import MINUS, format_interval, format_value
from unmask.reports.site import slugs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_video_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def report(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "report"
    assert build_report([run], out) == out / "index.html"
    return out


@pytest.fixture(scope="module")
def pages(report: Path) -> dict[str, Element]:
    return read_pages(report)


def section(pages: dict[str, Element], dataset: str) -> Element:
    """The data set's part of the first page."""
    parts = (s for s in pages["index.html"].all("section") if s.attributes["aria-labelledby"].startswith("board-"))
    return next(s for s in parts if s.all("h2")[0].all("span", class_="tag")[0].text == dataset)


def table_of(part: Element, caption: str) -> Element:
    return next(t for t in part.all("table") if caption in t.all("caption")[0].text)


def plain(text: str) -> str:
    return " ".join(text.split())


def test_pages_have_landmarks_captions_and_headings_in_order(pages: dict[str, Element]) -> None:
    assert {"index.html", "clips-street.html", "data.html", "provenance.html", "numbers-street.html"} <= pages.keys()
    check_headings_and_names(pages)


def test_nothing_comes_from_outside_and_no_picture_is_shown(report: Path, pages: dict[str, Element]) -> None:
    check_links(report, pages)
    assert not [name for name, page in pages.items() if page.all("video")]
    suffixes = {p.suffix for p in report.rglob("*") if p.is_file()}
    assert suffixes == {".html", ".css", ".js", ".json", ".csv", ".md", ".tex"}


def test_names_cannot_become_markup(report: Path, pages: dict[str, Element]) -> None:
    check_names_are_text(report, pages)
    text = " ".join(pages[name].text for name in ("index.html", "data.html", "clips-street.html"))
    for shown in (HOSTILE, UNICODE, "<b>box<_b>", "<i>quiet</i>", "moov atom not found <truncated>"):
        assert plain(shown) in text


@pytest.mark.parametrize("dataset", ["street", "one"])
def test_every_number_of_the_leaderboard_is_an_estimate(
    run: RunFolder, pages: dict[str, Element], dataset: str
) -> None:
    (board,) = section(pages, dataset).all("table", class_="board")
    heads = board.all("tr", class_="heads")[0].all("th")[2:]
    named = {slug: name for name, slug in slugs(c.name for plug in run.plan.metrics for c in plug.cards).items()}
    metrics = [named[Path(h.all("a")[0].attributes["href"]).stem] for h in heads]
    assert {"people", "people_difference", "idf1_original", "tracks_exposed", "flicker"} <= set(metrics)
    assert ("hota" in metrics) == (dataset == "street")
    units = {c.name: c.unit for plug in run.plan.metrics for c in plug.cards}
    compared = 0
    for contestant in run.plan.releases:
        row = next(r for r in board.all("tr") if r.attributes.get("data-name") == contestant.label)
        for metric, cell in zip(metrics, row.all("td")[1:], strict=True):
            found = [
                e
                for e in run.estimates.estimates
                if (e.dataset, e.method, e.metric, e.group) == (dataset, contestant.label, metric, "all")
                and e.instrument in ("worst", "mobilefacenet", "deepsort", "yunet", "frames")
            ]
            if not found:
                continue
            row_ = next((e for e in found if e.instrument == "worst"), found[0])
            compared += 1
            if row_.value is None:
                assert cell.text.startswith("not measured")
                assert re.search(r"could be scored|needs faces in two clips", cell.text)
                continue
            unit = units[metric]
            value = format_value(row_.value, unit if unit == "share" else "")
            assert cell.text.startswith(plain(value)), (metric, cell.text)
            assert float(cell.attributes["data-value"]) == row_.value
            if row_.low is None:
                assert "one clip: no interval" in cell.text
            else:
                assert format_interval(row_.low, row_.high, row_.value, unit) in cell.text
            if metric == "tracks_exposed":
                assert "chance 3.1 %" in cell.text
                assert "mobilefacenet" in cell.text
    assert compared >= 4 * 11


def test_one_clip_has_no_interval_and_no_verdict(pages: dict[str, Element]) -> None:
    part = section(pages, "one")
    (board,) = part.all("table", class_="board")
    assert board.all("circle", class_="value")
    assert not board.all("rect", class_="interval")
    assert "it cannot be told: one clip says nothing about others" in part.text
    assert "Not measured against the truth" in part.text


def test_recognisers_that_mix_people_up_come_with_a_warning(pages: dict[str, Element]) -> None:
    clear, blurred, data = section(pages, "street").text, section(pages, "one").text, pages["data.html"].text
    assert "typically 64 px wide" in data
    assert "mix people up" not in clear
    assert "typically 9 px wide" in blurred
    assert re.search(r"must be two people, and \w+ takes 7.5\s%", blurred)
    assert "sface: 3 of 40" in data


def test_cost_is_the_mean_over_clips(run: RunFolder, pages: dict[str, Element]) -> None:
    (board,) = section(pages, "street").all("table", class_="board")
    for shown in CONTESTANTS:
        row = next(r for r in board.all("tr") if r.attributes.get("data-name") == shown.label)
        time, bitrate = row.all("td")[-2:]
        results = [r for r in run.estimates.results if (r.dataset, r.method) == ("street", shown.label)]
        assert float(time.attributes["data-value"]) == pytest.approx(np.mean([r.ms for r in results]))
        known = [r.kbps for r in results if r.kbps is not None]
        assert float(bitrate.attributes["data-value"]) == pytest.approx(np.mean(known))
        source = np.mean([c.kbps for c in run.estimates.clips if c.dataset == "street" and c.kbps is not None])
        assert f"source {source:,.0f}" in bitrate.text


def test_controls_stand_apart_and_destroyers_come_last(pages: dict[str, Element]) -> None:
    (board,) = section(pages, "street").all("table", class_="board")
    pinned = board.all("tbody", class_="pinned")[0]
    assert [r.attributes.get("data-name") for r in pinned.all("tr")] == ["none", "none@matched", None]
    contestants = board.all("tbody", class_="contestants")[0]
    # It exposes fewest, and yet does not lead: it leaves nothing of a face.
    assert [r.attributes["data-name"] for r in contestants.all("tr")] == ["blur-sigma0.15", "<b>box<_b>"]


@pytest.mark.parametrize("tracker", ["deepsort", "sort"])
@pytest.mark.parametrize("group", ["fight", "<i>quiet</i>"])
@pytest.mark.parametrize("method", ["blur-sigma0.15", "<b>box<_b>", "none@matched"])
def test_tables_of_people_add_up(
    run: RunFolder, pages: dict[str, Element], method: str, group: str, tracker: str
) -> None:
    table = table_of(pages["clips-street.html"], f"of the group “{group}”: {method}, counted by {tracker}")
    clips = [c for c in run.estimates.clips if (c.dataset, c.group, c.problem) == ("street", group, "")]
    results = {r.clip: r for r in run.estimates.results if (r.dataset, r.method) == ("street", method)}
    before = np.array([c.people[tracker] for c in clips])
    after = np.array([results[c.clip].people[tracker] for c in clips])
    rows = [[td.text.replace(MINUS, "-") for td in r.all("td")] for r in table.all("tbody")[0].all("tr")]
    assert rows == [[str(b), str(a), str(b - a)] for b, a in zip(before, after, strict=True)]
    total, spread, average = ([td.text for td in r.all("td")] for r in table.all("tfoot")[0].all("tr"))
    assert total == [str(v).replace("-", MINUS) for v in (before.sum(), after.sum(), (before - after).sum())]
    assert spread[2] == f"{np.std(before - after, ddof=1):.2f}"
    assert average[2].startswith(f"{np.mean(before - after):.2f}".replace("-", MINUS))


def test_the_thesis_is_named_only_beside_its_own_clips(tmp_path: Path, pages: dict[str, Element]) -> None:
    assert "not comparable: 1562" not in pages["clips-street.html"].text
    clips = [("Normal_003.mp4", "normal"), ("Abuse001.mp4", "anomaly")]
    run = make_video_run(tmp_path / "run", dataset="ucf-crime", clips=clips)
    build_report([run], tmp_path / "report")
    text = read_page(tmp_path / "report" / "clips-street.html").text
    for numbers in (("1562", "1406", "156", "8.83", "3.12"), ("2439", "2300", "139", "10.75", "2.78")):
        assert all(number in text for number in numbers)
    assert text.count("not comparable: ") == 2 * 3 * 2
    assert "needs two clips" in text


def test_the_finding_follows_the_numbers(pages: dict[str, Element]) -> None:
    text = section(pages, "street").text
    assert "Beyond what re-encoding alone changes, people are followed differently under <b>box<_b>." in text
    assert "Under blur-sigma0.15 it hardly changes." in text
    assert "<b>box<_b> clearly leaves the fewest people exposed, but destroys most faces." in text
    assert "hardly depends on their faces here" not in text


NONE, RECODED, BLUR, BOX = CONTESTANTS


@pytest.mark.parametrize(
    ("contestants", "answer"),
    [
        ((NONE, RECODED, BLUR), "Following people by their bodies hardly depends on their faces here"),
        ((NONE, RECODED, BLUR, BOX), "people are followed differently under <b>box<_b>. Under blur-sigma0.15"),
        # As steady as the control, but nothing was tried.
        ((NONE, RECODED, replace(BLUR, missed=0.97)), "left most faces as they were"),
        # As bad as the control: the codec hides what the method does.
        ((NONE, replace(RECODED, idf1=0.4), replace(BLUR, idf1=0.4)), "no change beyond the codec's is shown"),
        ((NONE, BLUR), "what the codec alone does is not known"),
        ((NONE, RECODED), "there is no method to speak of"),
    ],
)
def test_a_claim_needs_numbers(tmp_path: Path, contestants: tuple[Shown, ...], answer: str) -> None:
    run = make_video_run(tmp_path / "run", contestants=contestants)
    page = read_page(build_report([run], tmp_path / "report"))
    answers = [strong.text for strong in section({"index.html": page}, "street").all("strong")]
    assert any(answer in text for text in answers)
    if "hardly depends" not in answer:
        assert "hardly depends on their faces here" not in page.text


def test_every_state_of_the_timelines_has_a_text(pages: dict[str, Element]) -> None:
    part = pages["clips-street.html"]
    legend = part.all("ul", class_="states")[0]
    for state in ("missed", "error", "exposed", "anonymized", "destroyed"):
        (item,) = [li for li in legend.all("li") if li.all("path", class_=state)]
        assert item.text.startswith(f"{state}: ")
    drawn = part.all("figure", class_="clip")
    assert len(drawn) == 10
    for figure in drawn:
        (svg,) = figure.all("svg")
        assert svg.all("title")
        lanes = svg.all("text", class_="lane")
        assert len(lanes) == len(svg.all("text", class_="words"))
    assert "2 clips have no face" in part.text


def test_missed_faces_have_time_codes(run: RunFolder, pages: dict[str, Element]) -> None:
    table = table_of(pages["clips-street.html"], "Missed faces with time codes")
    lines = {(r.all("th")[0].text, r.all("td")[0].text): r.all("td") for r in table.all("tbody")[0].all("tr")}
    expected = {
        (plain(r.clip), r.method): len(r.missed)
        for r in run.estimates.results
        if r.dataset == "street" and r.missed and not r.method.startswith("none")
    }
    assert {key: int(cells[1].text) for key, cells in lines.items()} == expected
    assert all(re.search(r"\d\d:\d\d\.\d–\d\d:\d\d\.\d \(face \d\)", cells[3].text) for cells in lines.values())


def test_every_input_is_listed(pages: dict[str, Element]) -> None:
    part = pages["data.html"]
    rows = table_of(part, "Clips as they came in").all("tbody")[0].all("tr")
    assert len(rows) == 13
    assert "could not be used: moov atom not found <truncated>" in next(r.text for r in rows if "broken" in r.text)
    odd = next(r.text for r in rows if UNICODE in r.text)
    assert "25 a second, variable" in odd
    assert "damaged: ends early after 140 frames" in odd
    name = slugs(["<b>box<_b>"])["<b>box<_b>"]
    failed = table_of(pages[f"methods/{name}.html"], "1 clip without a usable output in every frame").text
    assert f"{HOSTILE} 3 of 150 frames failed" in failed


def test_all_numbers_are_in_the_csv(run: RunFolder, report: Path) -> None:
    key = ("dataset", "label", "metric", "instrument", "group")
    with (report / "estimates.csv").open(encoding="utf-8") as file:
        rows = {tuple(row[field] for field in key): row for row in csv.DictReader(file)}
    assert len(rows) == len(run.estimates.estimates)
    for e in run.estimates.estimates:
        row = rows[e.dataset, e.method, e.metric, e.instrument, e.group]
        assert [float(row[field]) if row[field] else None for field in ("value", "low", "high")] == [
            e.value,
            e.low,
            e.high,
        ]
    release = next(r for r in run.plan.releases if r.variant == "matched")
    row = rows["street", release.label, "people", "deepsort", "all"]
    assert (row["method"], row["variant"], row["role"]) == ("none", "matched", "control")


def test_a_data_set_without_a_usable_clip_has_a_page(tmp_path: Path) -> None:
    run = make_video_run(tmp_path / "run")
    body = json.loads(run.estimates_path.read_text("utf-8"))
    lost = [c for c in body["clips"] if c["dataset"] == "street"]
    for clip in lost:
        clip |= {"problem": "not a video", "frames": 0, "faces": 0, "face_tracks": 0, "people": {}}
        clip |= {"face_width": None, "kbps": None}
    body["results"] = [r for r in body["results"] if r["dataset"] != "street"]
    for row in body["estimates"]:
        if row["dataset"] == "street":
            row |= {"value": None, "low": None, "high": None, "n": 0, "unscored": 0, "chance": None}
    run.write_estimates(Estimates.model_validate(body))
    page = read_page(build_report([RunFolder.open(run.path)], tmp_path / "report"))
    people, data = (read_page(tmp_path / "report" / name) for name in ("clips-street.html", "data.html"))
    part = section({"index.html": page}, "street")
    assert "cannot be told: no clip could be used" in part.text
    assert [td.text for td in table_of(people, "counted by deepsort").all("tfoot")[0].all("td")][:3] == 3 * [
        "not measured"
    ]
    assert len(table_of(data, "Clips as they came in").all("tbody")[0].all("tr")) == 13


@pytest.mark.parametrize("asked", ["people", "tracks_exposed", "ms_per_frame"])
def test_a_run_that_asked_one_question_has_a_report(tmp_path: Path, asked: str) -> None:
    run = make_video_run(tmp_path / "run")
    body = json.loads(run.estimates_path.read_text("utf-8"))
    body["estimates"] = [row for row in body["estimates"] if row["metric"] == asked]
    body["ranks"] = [row for row in body["ranks"] if row["metric"] == asked]
    run.write_estimates(Estimates.model_validate(body))
    build_report([RunFolder.open(run.path)], tmp_path / "report")
    pages = read_pages(tmp_path / "report")
    check_headings_and_names(pages)
    check_links(tmp_path / "report", pages)
    (board,) = section(pages, "street").all("table", class_="board")
    assert len(board.all("tr", class_="heads")[0].all("th")) == 3


@pytest.mark.parametrize(
    ("asked", "said"), [((), True), (("skin",), True), (("deid_rate",), False), (("outcome",), False)]
)
def test_the_page_says_what_was_not_tried_exactly_where_it_was_not(
    tmp_path: Path, asked: tuple[str, ...], said: bool
) -> None:
    build_report([make_video_run(tmp_path / "run", asked=asked)], tmp_path / "report")
    for name in ("clips-street.html", "clips-one.html"):
        text = plain(read_page(tmp_path / "report" / name).text)
        sentences = (
            "faces elsewhere in the frame and a second detector were not tried on these clips",
            "nothing on this page says that they would find nobody",
        )
        assert [sentence in text for sentence in sentences] == [said, said]


def test_every_metric_is_explained(run: RunFolder, pages: dict[str, Element]) -> None:
    cards = [card for plug in run.plan.metrics for card in plug.cards]
    for card, slug in zip(cards, slugs(card.name for card in cards).values(), strict=True):
        text = pages[f"metrics/{slug}.html"].text
        for field in ("title", "question", "how", "source", "limits"):
            assert plain(str(getattr(card, field))) in text


def test_the_same_run_gives_the_same_bytes(run: RunFolder, report: Path, tmp_path: Path) -> None:
    again = build_report([RunFolder.open(run.path)], tmp_path / "again").parent
    first = {p.relative_to(report): p.read_bytes() for p in report.rglob("*") if p.is_file()}
    assert first == {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}


def test_a_folder_of_other_things_is_left_alone(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(UsageError, match="not a report"):
        build_report([run], tmp_path)


def test_a_run_whose_files_do_not_fit_is_refused(tmp_path: Path) -> None:
    run = make_video_run(tmp_path / "run")
    table = run.timelines_path("street", "none").local
    table.unlink()
    with pytest.raises(StoreError, match="missing"):
        build_report([run], tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_groups_of_clips_are_subgroups_on_the_methods_page(run: RunFolder, pages: dict[str, Element]) -> None:
    page = pages["methods/blur-sigma0.15.html"]
    table = next(t for t in page.all("table") if t.all("caption")[0].text.startswith("Tracks exposed, mobilefacenet"))
    shown = {line.all("th")[0].text: line.all("td")[0].text for line in table.all("tbody")[0].all("tr")}
    for name in ("all", "group=fight", "group=<i>quiet</i>"):
        (row,) = (
            e
            for e in run.estimates.estimates
            if (e.dataset, e.method, e.metric, e.instrument, e.group)
            == ("street", "blur-sigma0.15", "tracks_exposed", "mobilefacenet", name)
        )
        assert shown[name].startswith(plain(format_value(row.value, "share")))


def test_the_command_writes_one_report_on_photos_and_clips(run: RunFolder, tmp_path: Path) -> None:
    photos = make_run(tmp_path / "photos", methods=METHODS[:3])
    done = unmask("report", str(run.path), str(photos.path), "--out", str(tmp_path / "report"))
    assert done.returncode == 0, done.stderr
    pages = read_pages(tmp_path / "report")
    check_headings_and_names(pages)
    check_links(tmp_path / "report", pages)
    boards = pages["index.html"].all("table", class_="board")
    assert len(boards) == 3
    # Nobody else was measured on these clips, so ranks among them still hold.
    assert ["rank" in board.text or "best" in board.text for board in boards] == [True] * 3
    assert "video" not in {page.tag for page in pages["index.html"].all()}
    refused = unmask("report", str(run.path), "--with-faces", "--out", str(tmp_path / "faces"))
    assert refused.returncode != 0
    assert "no frame of a clip is ever shown" in refused.stderr
    assert not (tmp_path / "faces").exists()


def test_clip_runs_stand_side_by_side(run: RunFolder, tmp_path: Path) -> None:
    other = make_video_run(tmp_path / "other", contestants=[NONE, RECODED, replace(BLUR, exposed=0.1)])
    build_report([run, other], tmp_path / "report")
    pages = read_pages(tmp_path / "report")
    check_headings_and_names(pages)
    check_links(tmp_path / "report", pages)
    street, one = pages["index.html"].all("table", class_="board")
    names = {r.attributes.get("data-name") for r in street.all("tr")}
    assert {"blur-sigma0.15 (run A)", "blur-sigma0.15 (run B)", "none@matched (run B)"} <= names
    assert "★" not in street.text + one.text
    side = next(t for t in pages["runs.html"].all("table") if "both runs" in t.all("caption")[0].text)
    (line,) = (r.text for r in side.all("tr") if r.text.startswith("blur-sigma0.15 Tracks exposed"))
    assert re.search(r"42.0 %.*10.0 %", line)


def test_other_trackers_make_following_not_comparable(run: RunFolder, tmp_path: Path) -> None:
    other = make_video_run(tmp_path / "other", tracker_version="2")
    a, b = (RunView(each, tag) for each, tag in ((run, "A"), (other, "B")))
    column = next(c for c in a.columns("street") if c.metric == "people")
    assert metric_difference(a, b, column) == "another version of deepsort: 1 against 2"
    exposed = next(c for c in a.columns("street") if c.metric == "tracks_exposed")
    assert metric_difference(a, b, exposed) == ""
    # The tracker of faces decides which faces are one person's, in every number.
    assert data_difference(a, b, "street") == "another version of deepsort: 1 against 2"
