"""``unmask reproduce thesis`` with classical methods in the thesis's parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reports.pages import read_page
from tests.support.cli import unmask

STAND_INS = ("--method", "deepprivacy=pixelate:blocks=8", "--method", "dp-att=blur:sigma=0.05")


def test_a_part_that_does_not_exist_is_told_in_one_line() -> None:
    done = unmask("reproduce", "thesis", "--method", "dp-atts=blur")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "did you mean dp-att" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.weights
def test_from_the_photos_to_the_page(tmp_path: Path, shared_data: Path) -> None:
    out = tmp_path / "run"
    command = (
        "reproduce",
        "thesis",
        "--root",
        str(shared_data),
        "--limit",
        "8",
        "--seeds",
        "2",
        "--out",
        str(out),
        *STAND_INS,
    )
    done = unmask(*command, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "test set: 8 photos" in done.stderr
    told = json.loads((out / "reproduction.json").read_text("utf-8"))
    assert told["roles"] == {"none": "none", "deepprivacy": "deepprivacy", "dp-att": "dp-att"}
    assert told["draws"] == {"deepprivacy": 2, "dp-att": 2}
    assert [cell["chosen"] for cell in told["selection"]["cells"]] == [1] * 8
    (planned,) = json.loads((out / "plan.json").read_text("utf-8"))["datasets"]
    assert len(planned["samples"]) == 8
    assert "8 photos balanced" in planned["card"]["revision"]
    page = read_page(out / "report" / "thesis.html")
    assert "on 8 faces of 8 photos" in page.text
    assert "draw1" not in page.text
    assert all(name in page.text for name in ("H1", "H2", "H3", "mobilefacenet", "faceres"))
    # Once more: everything is found made, and a report of its own finds the page again.
    stored = {path: path.stat().st_mtime_ns for path in out.glob("outputs/**/*") if path.is_file()}
    assert unmask(*command, timeout=900).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("outputs/**/*") if path.is_file()} == stored
    assert unmask("report", str(out), "--out", str(tmp_path / "again")).returncode == 0
    assert (tmp_path / "again" / "thesis.html").read_bytes() == (out / "report" / "thesis.html").read_bytes()
