"""The report of a run over clips as its readers meet it: pages, links, numbers, refusals."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.reports.pages import Element, links, read_page, target
from tests.support.cli import unmask
from tests.support.video_run import CONTESTANTS, HOSTILE, UNICODE, Shown, make_video_run
from unmask.bench.core.errors import StoreError, UsageError
from unmask.bench.store.results import Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.reports.numbers import MINUS, format_interval, format_value
from unmask.reports.video.build import build_video_report


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return make_video_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def report(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "report"
    assert build_video_report(run, out) == out / "index.html"
    return out


@pytest.fixture(scope="module")
def pages(report: Path) -> dict[str, Element]:
    return {p.relative_to(report).as_posix(): read_page(p) for p in sorted(report.rglob("*.html"))}


def section(pages: dict[str, Element], number: int) -> Element:
    return pages["index.html"].all("section", **{"aria-labelledby": f"d{number}"})[0]


def table_of(part: Element, caption: str) -> Element:
    return next(t for t in part.all("table") if caption in t.all("caption")[0].text)


def plain(text: str) -> str:
    return " ".join(text.split())


def test_pages_have_landmarks_captions_and_headings_in_order(pages: dict[str, Element]) -> None:
    assert {"index.html", "how.html", "instruments.html", "provenance.html", "numbers-street.html"} <= pages.keys()
    for name, page in pages.items():
        assert len(page.all("main")) == len(page.all("h1")) == 1, name
        levels = [int(e.tag[1]) for e in page.all() if re.fullmatch(r"h[1-6]", e.tag)]
        assert all(b - a <= 1 for a, b in pairwise(levels)), (name, levels)
        assert all(table.all("caption") for table in page.all("table")), name
        assert all(th.attributes.get("scope") for th in page.all("th")), name
        ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
        assert len(ids) == len(set(ids)), name
        for e in page.all():
            assert set(e.attributes.get("aria-labelledby", "").split()) <= set(ids), name


def test_nothing_comes_from_outside_and_no_picture_is_shown(report: Path, pages: dict[str, Element]) -> None:
    ids = {name: {e.attributes.get("id") for e in page.all()} for name, page in pages.items()}
    for name, page in pages.items():
        assert not page.all("img"), name
        assert not page.all("video"), name
        for link in links(page):
            if link == "data:,":
                continue
            file, fragment = target(report / name, link)
            assert file.is_file(), (name, link)
            assert file.is_relative_to(report.resolve())
            if fragment and file.suffix == ".html":
                assert fragment in ids[file.relative_to(report.resolve()).as_posix()], (name, link)
    assert {p.suffix for p in report.rglob("*") if p.is_file()} == {".html", ".css", ".js", ".json", ".csv"}
    for file in report.rglob("*.html"):
        text = file.read_text("utf-8")
        assert not re.search(r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:[a-z]+:)?//""", text), file
        assert "url(" not in text


def test_names_cannot_become_markup(report: Path, pages: dict[str, Element]) -> None:
    for name, page in pages.items():
        assert [s.attributes.get("src") for s in page.all("script")] == ["assets/report.js"], name
        assert not page.all("b"), name
        assert not [e for e in page.all() if any(key.startswith("on") for key in e.attributes)], name
    text = pages["index.html"].text
    for shown in (HOSTILE, UNICODE, "<b>box<_b>", "<i>quiet</i>", "moov atom not found <truncated>"):
        assert plain(shown) in text
    assert all(re.fullmatch(r"[a-z0-9._/-]+", p.relative_to(report).as_posix()) for p in report.rglob("*"))


@pytest.mark.parametrize(("number", "dataset"), [(1, "street"), (2, "one")])
def test_every_number_of_the_leaderboard_is_an_estimate(
    run: RunFolder, pages: dict[str, Element], number: int, dataset: str
) -> None:
    (board,) = section(pages, number).all("table", class_="board")
    heads = board.all("tr", class_="heads")[0].all("th")[1:]
    metrics = [a[0].attributes["href"].partition("#")[2] if (a := h.all("a")) else "" for h in heads]
    assert {"people", "people_difference", "idf1_original", "tracks_exposed", "flicker"} <= set(metrics)
    assert ("hota" in metrics) == (dataset == "street")
    units = {c.name: c.unit for plug in run.plan.metrics for c in plug.cards}
    compared = 0
    for contestant in run.plan.releases:
        row = next(r for r in board.all("tr") if r.attributes.get("data-name") == contestant.label)
        for metric, cell in zip(metrics, row.all("td"), strict=True):
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
    part = section(pages, 2)
    (board,) = part.all("table", class_="board")
    assert board.all("circle", class_="value")
    assert not board.all("rect", class_="interval")
    assert "it cannot be told: one clip says nothing about others" in part.text
    assert "Not measured against the truth" in part.text


def test_recognisers_that_mix_people_up_come_with_a_warning(pages: dict[str, Element]) -> None:
    clear, blurred = section(pages, 1).text, section(pages, 2).text
    assert "typically 64 px wide" in clear
    assert "mix people up" not in clear
    assert "typically 9 px wide" in blurred
    assert re.search(r"must be two people, and \w+ takes 7.5\s%", blurred)
    assert "sface: 3 of 40" in blurred


def test_cost_is_the_mean_over_clips(run: RunFolder, pages: dict[str, Element]) -> None:
    (board,) = section(pages, 1).all("table", class_="board")
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
    (board,) = section(pages, 1).all("table", class_="board")
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
    table = table_of(section(pages, 1), f"of the group “{group}”: {method}, counted by {tracker}")
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
    assert "not comparable: 1562" not in pages["index.html"].text
    clips = [("Normal_003.mp4", "normal"), ("Abuse001.mp4", "anomaly")]
    run = make_video_run(tmp_path / "run", dataset="ucf-crime", clips=clips)
    text = read_page(build_video_report(run, tmp_path / "report")).text
    for numbers in (("1562", "1406", "156", "8.83", "3.12"), ("2439", "2300", "139", "10.75", "2.78")):
        assert all(number in text for number in numbers)
    assert text.count("not comparable: ") == 2 * 3 * 2
    assert "needs two clips" in text


def test_the_finding_follows_the_numbers(pages: dict[str, Element]) -> None:
    text = section(pages, 1).text
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
    page = read_page(build_video_report(run, tmp_path / "report"))
    answers = [strong.text for strong in section({"index.html": page}, 1).all("strong")]
    assert any(answer in text for text in answers)
    if "hardly depends" not in answer:
        assert "hardly depends on their faces here" not in page.text


def test_every_state_of_the_timelines_has_a_text(pages: dict[str, Element]) -> None:
    part = section(pages, 1)
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
    table = table_of(section(pages, 1), "Missed faces with time codes")
    lines = {(r.all("th")[0].text, r.all("td")[0].text): r.all("td") for r in table.all("tbody")[0].all("tr")}
    expected = {
        (plain(r.clip), r.method): len(r.missed)
        for r in run.estimates.results
        if r.dataset == "street" and r.missed and not r.method.startswith("none")
    }
    assert {key: int(cells[1].text) for key, cells in lines.items()} == expected
    assert all(re.search(r"\d\d:\d\d\.\d–\d\d:\d\d\.\d \(face \d\)", cells[3].text) for cells in lines.values())


def test_every_input_is_listed(pages: dict[str, Element]) -> None:
    part = section(pages, 1)
    rows = table_of(part, "Clips as they came in").all("tbody")[0].all("tr")
    assert len(rows) == 13
    assert "could not be used: moov atom not found <truncated>" in next(r.text for r in rows if "broken" in r.text)
    odd = next(r.text for r in rows if UNICODE in r.text)
    assert "25 a second, variable" in odd
    assert "damaged: ends early after 140 frames" in odd
    failed = table_of(part, "Frames for which a method gave nothing usable").text
    assert f"{HOSTILE} (3 of 150)" in failed


def test_all_numbers_are_in_the_csv(run: RunFolder, report: Path) -> None:
    with (report / "video-estimates.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(run.estimates.estimates)
    for row, estimate in zip(rows, run.estimates.estimates, strict=True):
        assert (row["contestant"], row["metric"], row["group"]) == (estimate.method, estimate.metric, estimate.group)
        assert (float(row["value"]) if row["value"] else None) == estimate.value
    assert json.loads((report / "estimates.json").read_text("utf-8"))["run"] == run.plan.run


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
    page = read_page(build_video_report(RunFolder.open(run.path), tmp_path / "report"))
    part = section({"index.html": page}, 1)
    assert "cannot be told: no clip could be used" in part.text
    assert [td.text for td in table_of(part, "counted by deepsort").all("tfoot")[0].all("td")][:3] == 3 * [
        "not measured"
    ]
    assert len(table_of(part, "Clips as they came in").all("tbody")[0].all("tr")) == 13


def test_every_metric_is_explained(run: RunFolder, pages: dict[str, Element]) -> None:
    text = pages["how.html"].text
    for card in (card for plug in run.plan.metrics for card in plug.cards):
        for field in ("title", "question", "how", "source", "limits"):
            assert plain(str(getattr(card, field))) in text


def test_the_same_run_gives_the_same_bytes(run: RunFolder, report: Path, tmp_path: Path) -> None:
    again = build_video_report(RunFolder.open(run.path), tmp_path / "again").parent
    first = {p.relative_to(report): p.read_bytes() for p in report.rglob("*") if p.is_file()}
    assert first == {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}


def test_a_folder_of_other_things_is_left_alone(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("mine")
    with pytest.raises(UsageError, match="not a report"):
        build_video_report(run, tmp_path)


def test_a_run_whose_files_do_not_fit_is_refused(tmp_path: Path) -> None:
    run = make_video_run(tmp_path / "run")
    table = run.timelines_path("street", "none").local
    table.unlink()
    with pytest.raises(StoreError, match="missing"):
        build_video_report(run, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_the_command_knows_a_run_over_clips(run: RunFolder, tmp_path: Path) -> None:
    done = unmask("report", str(run.path), "--out", str(tmp_path / "report"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "index.html").is_file()
    several = unmask("report", str(run.path), str(run.path), "--out", str(tmp_path / "both"))
    assert several.returncode != 0
    assert "a report of its own" in several.stdout + several.stderr
    assert not (tmp_path / "both").exists()
