"""What a gate writes: Markdown that fits into a comment, legal XML, a page that escapes what it shows."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from tests.reports.pages import check_headings_and_names, links, read_page
from unmask.bench.store.gating import EXIT_CODES, FaceList, Gate, GateRow, Sensitivity
from unmask.reports.gate_files import MOST_BYTES, junit, markdown
from unmask.reports.gate_page import page

NOTE = Path(__file__).parents[2] / "bench" / "design" / "gate.md"
HOSTILE = "<script>alert(1)</script>\x00\x1b|`@everyone` ]]>&\ud800"


def row(**fields: object) -> GateRow:
    usual = {
        "dataset": "photos",
        "metric": "deid_rate@1e-3",
        "instrument": "worst",
        "region": "face",
        "title": "De-identified",
        "family": "privacy",
        "unit": "share",
        "group": "all",
        "verdict": "worse",
        "blocks": True,
        "baseline": 0.95,
        "candidate": 0.80,
        "loss": 0.15,
        "low": 0.08,
        "high": 0.21,
        "margin": 0.05,
        "faces": 200,
        "people": 200,
    }
    return GateRow.model_validate(usual | fields)


def made(*rows: GateRow, faces: int = 0, **fields: object) -> Gate:
    usual = {
        "decision": "worse",
        "exit_code": 3,
        "reasons": ["photos: De-identified is worse"],
        "baseline": "old of runs",
        "candidate": "new of runs",
        "blocking": ["privacy"],
        "inconclusive_blocks": True,
        "accept": "unmask baseline accept runs/new --method new --out baseline.json",
        "rows": list(rows),
        "changes": [
            FaceList(dataset="photos", what="newly matched", count=faces, of=9999, faces=[f"p#{k}" for k in range(50)])
        ],
        "sensitivity": [Sensitivity(dataset="photos", verdict="shown", text="50 outputs are found worse")],
    }
    return Gate.model_validate(usual | fields)


def test_the_verdict_survives_any_cut() -> None:
    text = markdown(made(*(row(title="A title that takes room " * 8, group="all") for _ in range(2000)), faces=300))
    assert len(text.encode()) <= MOST_BYTES < 65_000
    assert text.startswith("## unmask gate: worse (exit code 3)")
    assert text.endswith("Cut here; gate.json has all of it.\n")
    whole = markdown(made(row(), faces=300))
    assert "newly matched: 300 of 9,999" in whole
    assert "and 290 more" in whole
    assert "15.0" in whole
    assert "unmask baseline accept runs/new" in whole


def test_junit_counts_what_it_holds_and_is_legal_whatever_it_names() -> None:
    rows = [
        row(),
        row(group=HOSTILE, verdict="no worse"),
        row(metric="kid", family="quality", blocks=False, verdict="worse"),
        row(metric="eer", verdict="not measured", reason=HOSTILE),
        row(metric="rank1", verdict="inconclusive"),
        row(metric="rank1", group="gender=female", verdict="inconclusive"),
    ]
    root = ElementTree.fromstring(junit(made(*rows, baseline=HOSTILE.replace("\ud800", ""))).encode("utf-8"))
    suite, decision = root.findall("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["6", "2", "2"]
    assert [len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "skipped")] == [2, 2]
    assert decision.find("testcase/failure") is not None
    assert ElementTree.fromstring(junit(made(decision="pass", exit_code=0))).find(".//failure") is None


def test_the_page_is_whole_and_shows_nothing_as_markup(tmp_path: Path) -> None:
    several = [row(), row(group=f"race={HOSTILE}", collapsed=True), row(verdict="inconclusive", dataset=HOSTILE)]
    gate = made(*several, faces=60, notes=[HOSTILE], baseline=HOSTILE)
    path = tmp_path / "index.html"
    path.write_bytes(page(gate).encode("utf-8", "backslashreplace"))
    read = read_page(path)
    check_headings_and_names({"gate": read})
    assert not read.all("script")
    assert links(read) == ["#main", "data:,"] or set(links(read)) == {"#main", "data:,"}
    assert read.all("h1")[0].text == "worse (exit code 3)"
    assert page(gate) == page(gate)
    drawn = read.all("svg")[0]
    assert drawn.attributes["aria-label"].startswith("loss 15.0")


def test_markdown_escapes_what_it_shows() -> None:
    text = markdown(made(row(dataset=HOSTILE, title=HOSTILE), notes=[HOSTILE]))
    assert "<script>" not in text
    assert "\x00" not in text
    assert not re.search(r"(?<!\\)@everyone", text)
    assert all(line.count(" | ") == 8 for line in text.splitlines() if line.startswith("| \\<"))


def test_the_note_lists_the_exit_codes() -> None:
    table = NOTE.read_text("utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    stated = re.findall(r"^\| (\d) \| ([a-z ]*?) ?\|", table, re.MULTILINE)
    assert {word: int(code) for code, word in stated if word} == EXIT_CODES
    assert [int(code) for code, word in stated if not word] == [1, 2]
