"""The page of the attackers who know the method."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.run.test_attack import people, through
from unmask.bench.store.results import AttackRow, Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.reports.build import build_report

pytestmark = pytest.mark.usefixtures("painted_world")


def rows_of(estimates: Estimates, method: str) -> list[AttackRow]:
    return [row for row in estimates.attacks if row.method == method]


def test_the_page_tells_what_every_attack_reached_and_which_may_not_be_believed(tmp_path: Path) -> None:
    others = people(tmp_path / "others", "uvwxyz", 0).data
    run = people(tmp_path, "abc", 0).planned(
        "edit", metrics=("audit",), audit="quick", background=(f"folder:{others}",)
    )
    through(run)
    estimates = run.reduce()
    doubted = [
        row.model_copy(update={"named": None, "risk": None, "doubts": ["It is <broken>."]})
        if (row.method, row.attacker) == ("edit", "parrot")
        else row
        for row in estimates.attacks
    ]
    run.folder.write_estimates(estimates.model_copy(update={"attacks": doubted}))
    index = build_report([RunFolder.open(run.folder.path)], tmp_path / "report")
    page = (index.parent / "audit.html").read_text("utf-8")
    text = re.sub(r"<[^>]+>|\s+", " ", page)
    assert 'href="audit.html"' in index.read_text("utf-8")
    assert "Few people allow few claims" in text
    assert "not trustworthy" in text
    assert "It is &lt;broken&gt;." in page
    assert "not possible" in text
    for attacker in {row.attacker for row in rows_of(estimates, "edit")}:
        assert f'id="attacker-{attacker}"' in page
    assert page.count("<svg") >= 2
    assert "out of 3" in text
    assert "nan" not in text.lower().split()
    assert "the method cannot be run" not in text


def test_a_method_whose_pictures_were_made_elsewhere_is_said_to_be_beyond_informed_attackers(tmp_path: Path) -> None:
    run = people(tmp_path, "abc", 0)
    outputs = tmp_path / "outputs"
    shutil.copytree(run.data, outputs)
    (outputs / "labels.csv").unlink(missing_ok=True)
    run.planned(f"theirs=outputs:dir={outputs}", metrics=("audit",), audit="quick")
    assert run.plan.again == {}
    through(run)
    rows = rows_of(run.reduce(), "theirs")
    assert {row.attacker for row in rows if not row.problem} == {"ignorant"}
    index = build_report([RunFolder.open(run.folder.path)], tmp_path / "report")
    assert "the method cannot be run" in (index.parent / "audit.html").read_text("utf-8")


def test_a_run_without_an_audit_has_no_such_page(tmp_path: Path) -> None:
    run = people(tmp_path, "abc", 0).planned("edit", metrics=("rank1_cross_photo",))
    run.through()
    run.reduce()
    index = build_report([RunFolder.open(run.folder.path)], tmp_path / "report")
    assert not (index.parent / "audit.html").exists()
    assert "audit.html" not in index.read_text("utf-8")
